// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/event.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/detail/closed_descriptors.hpp>
#include <coronet/detail/warn.hpp>
#include <coronet/error.hpp>
#include <coronet/net/accept_backoff.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <new>
#include <string>

#include <unistd.h>

namespace coronet {

namespace {

// The connection that was to be accepted has failed, and is gone: the next one may be well.
bool is_of_the_peer(const std::error_code& error) noexcept {
    // Those of accept(2) that are told of the network; two of them have no name in std::errc.
    const auto is = [&](int number) {
        return error == std::error_code{number, std::generic_category()};
    };
    return error == std::errc::connection_aborted || error == std::errc::protocol_error ||
           error == std::errc::network_down || error == std::errc::network_unreachable ||
           error == std::errc::host_unreachable || error == std::errc::no_protocol_option ||
           is(EHOSTDOWN) || is(ENONET);
}

// The listener will never accept again, or nobody wants it to.
bool is_the_end(const std::error_code& error) noexcept {
    return error == std::errc::operation_canceled || error == std::errc::bad_file_descriptor ||
           error == std::errc::invalid_argument || error == std::errc::not_a_socket ||
           error == std::errc::operation_not_supported || error == errc::stopped ||
           error == errc::closed || error == errc::sq_thread_dead;
}

/// Of the whole process, as its descriptors are. It is set by every closing while somebody is
/// short; who waits resets it before his attempt, so that he sees what is closed after that. He may
/// take away what another one has not seen yet: a pause has an end in any case.
class closings {
public:
    /// After watch().
    static event& any() noexcept { return *any_.load(std::memory_order_relaxed); }
    static void watch() noexcept { count(1); }
    static void look_away() noexcept { count(-1); }

private:
    static void count(int change) noexcept {
        static std::mutex changing;
        const std::scoped_lock lock{changing};
        if (whose_.load(std::memory_order_relaxed) != ::getpid()) begin_here();
        watching_ = std::max(0, watching_ + change);
        detail::closed_descriptors::tell_of_each(watching_ > 0 ? &tell : nullptr);
    }
    /// In this process, which may be a forked child: those who watched and wait are the parent's,
    /// and what they wait for is left as it is. Never destroyed: descriptors are closed until the
    /// last moment.
    static void begin_here() noexcept {
        any_.store(::new (static_cast<void*>(memory_)) event, std::memory_order_relaxed);
        watching_ = 0;
        whose_.store(::getpid(), std::memory_order_relaxed);
    }
    static void tell() noexcept {
        // In a forked child nobody waits, and locks may be held by threads that do not exist.
        if (::getpid() == whose_.load(std::memory_order_relaxed)) any().set();
    }

    static inline std::atomic<pid_t> whose_{0};
    alignas(event) static inline std::byte memory_[sizeof(event)];
    static inline std::atomic<event*> any_{nullptr};
    static inline int watching_ = 0; // under the lock
};

} // namespace

accept_backoff::~accept_backoff() {
    if (short_) end();
}

task<std::error_code> accept_backoff::after(std::error_code failure) {
    if (is_the_end(failure)) co_return failure;
    if (is_of_the_peer(failure)) co_return std::error_code{};
    last_ = clock::now();
    if (!short_) {
        begin(failure);
        co_return std::error_code{};
    }
    const auto closed = co_await with_timeout(pause_, closings::any().wait());
    pause_ = std::min(pause_ * 2, pause_max);
    closings::any().reset();
    if (closed.error() == std::errc::operation_canceled) co_return closed.error();
    co_return std::error_code{};
}

void accept_backoff::begin(const std::error_code& failure) {
    closings::watch();
    short_ = true;
    closings::any().reset();
    try {
        detail::warn(
            "accept: " + failure.message() + "; connections wait until something comes free"
        );
    } catch (const std::bad_alloc&) {
        return; // it is memory that is short
    }
}

// One that was refused a moment ago and is again in a moment is short all the time.
void accept_backoff::look_for_the_end() noexcept {
    if (clock::now() - last_ >= pause_max) end();
}

void accept_backoff::end() noexcept {
    short_ = false;
    closings::look_away();
}

} // namespace coronet
