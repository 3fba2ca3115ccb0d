// SPDX-License-Identifier: BSL-1.0
//
// One call of getaddrinfo(3) on a thread that may be left behind. What they share belongs to both:
//
//   running → done          the thread has found something, or why not
//   running → left_behind   nobody waits any more; the thread goes on alone
//
// Both moves under the mutex. Whoever lets go last gives the place among those that run back.
#pragma once

#include <coronet/coro/semaphore.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/resolver.hpp>
#include <coronet/result.hpp>
#include <coronet/stop_token.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace coronet::detail {

/// How many may run; outlives its resolver until the last has ended.
class lookup_limit {
public:
    explicit lookup_limit(std::size_t at_once_max) noexcept : places(at_once_max) {}

    semaphore places;
    std::atomic<std::size_t> left_behind{0};
};

/// What is to be looked up.
struct question {
    std::string host;
    std::uint16_t port;
    address_family family;
};

/// Asks now and here. With `flags` AI_NUMERICHOST it does not block.
[[nodiscard]] result<std::vector<endpoint>> look_up(const question& asked, int flags) noexcept;

class lookup {
public:
    lookup(std::shared_ptr<lookup_limit> limit, question asked)
        : limit_(std::move(limit)), asked_(std::move(asked)) {}
    ~lookup();
    lookup(const lookup&) = delete;
    lookup& operator=(const lookup&) = delete;

    /// One of the places has been taken for it; before it begins.
    void give_place() noexcept { has_place_ = true; }

    /// On a worker: starts the thread and waits for it, until it is cancelled.
    [[nodiscard]] static result<std::vector<endpoint>>
    await(inplace_stop_token stopped, std::shared_ptr<lookup> what);

private:
    enum class stage : std::uint8_t { running, done, left_behind };

    void ask() noexcept;
    [[nodiscard]] result<std::vector<endpoint>> wait(inplace_stop_token stopped);
    void wake() noexcept;

    std::shared_ptr<lookup_limit> limit_;
    const question asked_;
    bool has_place_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    stage stage_ = stage::running;
    result<std::vector<endpoint>> found_ = std::errc::operation_canceled;
};

} // namespace coronet::detail
