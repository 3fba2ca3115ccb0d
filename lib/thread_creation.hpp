// SPDX-License-Identifier: BSL-1.0
//
// Starting threads where starting may fail for a while: clone(2) answers -EAGAIN under a limit on
// processes, and kernels have leaked restart errors (512 ...) for a signal that was pending. Which
// error deserves another attempt, and after what pause, is creation_retry: no clock, no sleep, so
// that a pool's owner can drive it with timers. create_thread() drives it by sleeping.
//
//   interrupted   EINTR, 512, 513, 514, 516   every 1 ms, until 1 s has passed
//   resource      EAGAIN, ENOMEM              after 5, 10, 20, 40, 80 ms
//   fatal         every other                 never
//
// Threads begin with all signals blocked: there is no instant at which one could reach them.
#pragma once

#include <coronet/clock.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <pthread.h>
#include <signal.h>

namespace coronet {

enum class creation_failure { interrupted, resource, fatal };

/// What kind of failure `error` is, an answer of pthread_create(3).
[[nodiscard]] creation_failure classify_creation_error(int error) noexcept;

/// The attempts to start one thread. Made anew for each thread.
class creation_retry {
public:
    explicit creation_retry(unsigned resource_retries_max = 5) noexcept
        : resource_retries_left_(resource_retries_max) {}

    /// How long to wait before the next attempt, when one has failed with `error`; nothing: give
    /// up.
    [[nodiscard]] std::optional<duration> pause_after(int error, time_point now) noexcept;

private:
    std::optional<time_point> first_interruption_;
    unsigned resource_retries_left_;
    duration next_pause_ = std::chrono::milliseconds{5};
};

/// Until the end of the scope this thread takes no signal but those that an instruction of its own
/// raises. Threads created meanwhile inherit that.
class all_signals_blocked {
public:
    all_signals_blocked() noexcept;
    ~all_signals_blocked();
    all_signals_blocked(const all_signals_blocked&) = delete;
    all_signals_blocked& operator=(const all_signals_blocked&) = delete;

private:
    sigset_t before_{};
};

struct thread_options {
    std::string name{};         ///< cut to 15 bytes; empty: its creator's
    std::size_t stack_size = 0; ///< 0: the system's default
};

/// A thread that somebody has to join or detach, as std::thread is; which hides errors that matter
/// here. Empty after either, and when moved from.
class thread_handle {
public:
    thread_handle() noexcept = default;
    explicit thread_handle(pthread_t id) noexcept : id_(id) {}
    thread_handle(thread_handle&& other) noexcept : id_(std::exchange(other.id_, std::nullopt)) {}
    thread_handle& operator=(thread_handle&& other) noexcept;
    ~thread_handle();

    [[nodiscard]] bool joinable() const noexcept { return id_.has_value(); }
    [[nodiscard]] bool is_this_thread() const noexcept;
    /// Waits for its end. Once, and not on the thread itself.
    void join() noexcept;
    void detach() noexcept;

private:
    std::optional<pthread_t> id_;
};

namespace detail {

class thread_body {
public:
    explicit thread_body(std::string thread_name) : name(std::move(thread_name)) {}
    virtual ~thread_body() = default;
    thread_body(const thread_body&) = delete;
    thread_body& operator=(const thread_body&) = delete;
    virtual void run() = 0;

    const std::string name;
};

thread_handle start_thread(std::unique_ptr<thread_body> body, std::size_t stack_size);

struct creation_attempt {
    int error = 0; ///< what pthread_create(3) answered
    thread_handle thread{};
};
/// One attempt, for who drives a creation_retry himself. `body` is taken if it succeeds.
[[nodiscard]] creation_attempt
try_start_thread(std::unique_ptr<thread_body>& body, std::size_t stack_size) noexcept;

} // namespace detail

/// Runs `function` on a new thread; what it throws ends the program. Blocks for up to 155 ms (1 s
/// after interruptions) where threads cannot be had; then throws std::system_error that says what
/// to do, and `function` is destroyed without having been called.
template <class Function>
[[nodiscard]] thread_handle create_thread(const thread_options& wanted, Function function) {
    static_assert(std::is_invocable_v<Function&>);
    class body final : public detail::thread_body {
    public:
        body(std::string thread_name, Function&& called)
            : thread_body(std::move(thread_name)), function_(std::move(called)) {}
        void run() override { function_(); }

    private:
        Function function_;
    };
    return detail::start_thread(
        std::make_unique<body>(wanted.name.substr(0, 15), std::move(function)), wanted.stack_size
    );
}

} // namespace coronet
