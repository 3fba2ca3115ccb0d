// SPDX-License-Identifier: BSL-1.0
//
// What the connections of one scheduler share: routes, limits, memory that is reused, and the list
// of themselves that a graceful end walks. Owner thread, no lock. Not a server: it accepts nothing.
#pragma once

#include <coronet/detail/intrusive_list.hpp>
#include <coronet/net/http/buffer.hpp>
#include <coronet/net/http/limits.hpp>
#include <coronet/net/http/status.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace coronet::http {

class router;

/// Somebody in the list that a graceful end walks.
class listed_connection : public coronet::detail::list_hook<listed_connection> {
public:
    /// Has it end if it waits for a request of which nothing has come.
    virtual void end_if_idle() noexcept = 0;

protected:
    listed_connection() noexcept = default;
    ~listed_connection() = default;
};

/// One line of an access log. The views are valid during the call.
struct access_record {
    std::string_view method; ///< Empty when the request could not be read.
    std::string_view target;
    http::status status{};
    std::uint64_t content_size = 0; ///< Of the answer, without framing.
};

struct service_options {
    http::limits limits{};
    http::timeouts timeouts{};
    std::string server_name = "coronet";                    ///< The Server field; empty: none.
    std::function<void(const access_record&)> access_log{}; ///< Called for each answer, if set.
};

class service {
public:
    /// `routes` outlives the service.
    service(const router& routes, service_options options);
    service(const service&) = delete;
    service& operator=(const service&) = delete;

    [[nodiscard]] const router& routes() const noexcept { return routes_; }
    [[nodiscard]] const service_options& options() const noexcept { return options_; }
    /// What each answer says first: Server, and the Date of the last refresh_date().
    [[nodiscard]] std::string_view common_fields() const noexcept {
        return std::string_view{begin_of_ok_}.substr(status_line_size_);
    }
    /// The same behind the status line of most answers.
    [[nodiscard]] std::string_view begin_of_ok() const noexcept { return begin_of_ok_; }
    void refresh_date() noexcept;
    [[nodiscard]] buffer_pool& buffers() noexcept { return buffers_; }

    void admit(listed_connection& started) noexcept { connections_.push_back(started); }

    /// From now on every answer is its connection's last.
    void begin_stop() noexcept { stopping_ = true; }
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }
    /// Lets connections end that wait for a request of which nothing has come.
    void end_idle_connections() noexcept;

private:
    const router& routes_;
    service_options options_;
    std::string begin_of_ok_;
    std::size_t status_line_size_;
    std::int64_t second_ = -1; // of the date in there
    buffer_pool buffers_;
    coronet::detail::intrusive_list<listed_connection> connections_;
    bool stopping_ = false;
};

} // namespace coronet::http
