// SPDX-License-Identifier: BSL-1.0
//
// Which handler answers which method and path. Filled before run, then read by any number of
// threads. Paths are compared byte by byte as they were sent: no patterns, no decoding.
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/net/http/request.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace coronet::http {

/// Answers a request at once: a plain function without an await. The fast way.
using plain_handler = std::function<void(request, response)>;
/// Answers a request with awaits: reads its body, streams its answer.
using task_handler = std::function<task<void>(request, response)>;

/// One of the two is set.
struct handler {
    plain_handler answer;
    task_handler converse;
};

class router {
public:
    /// Has `function(request, response)` answer `method` at `path`; it returns void or task<void>.
    /// GET answers HEAD as well; its content is then left out.
    ///
    /// Thread: before run.
    template <class F>
    router& on(std::string_view method, std::string_view path, F function) {
        if constexpr (std::is_void_v<std::invoke_result_t<F&, request, response>>)
            return add(method, path, {std::move(function), nullptr});
        else
            return add(method, path, {nullptr, std::move(function)});
    }

    /// The handler of a request. One that answers 404, 405 or 501 when no other is there.
    ///
    /// Thread: any.
    [[nodiscard]] const handler& find(std::string_view method, std::string_view path) const;

private:
    struct route {
        std::string method;
        http::handler handler;
    };
    struct resource {
        std::vector<route> routes;
        http::handler not_allowed; // 405, with the methods that are
    };

    router& add(std::string_view method, std::string_view path, http::handler added);

    std::map<std::string, resource, std::less<>> resources_;
};

} // namespace coronet::http
