// SPDX-License-Identifier: BSL-1.0
#include "thread_creation.hpp"

#include "kernel_abi.hpp"

#include <coronet/detail/assert.hpp>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

#include <limits.h>

namespace coronet {

namespace {

using namespace std::chrono_literals;

constexpr duration interruption_pause = 1ms;
constexpr duration interruptions_last_at_most = 1s;

class attributes {
public:
    explicit attributes(std::size_t stack_size) {
        require(::pthread_attr_init(&value_), "pthread_attr_init");
        if (stack_size == 0) return;
        const auto smallest = static_cast<std::size_t>(PTHREAD_STACK_MIN);
        const auto size = std::max(stack_size, smallest);
        require(::pthread_attr_setstacksize(&value_, size), "pthread_attr_setstacksize");
    }
    ~attributes() { ::pthread_attr_destroy(&value_); }
    attributes(const attributes&) = delete;
    attributes& operator=(const attributes&) = delete;

    [[nodiscard]] const pthread_attr_t* get() const noexcept { return &value_; }

private:
    static void require(int error, const char* call) {
        if (error) throw std::system_error(error, std::generic_category(), call);
    }
    pthread_attr_t value_{};
};

/// noexcept: an exception that leaves the body, and pthread_cancel(3), terminate.
void* run_body(void* argument) noexcept {
    const std::unique_ptr<detail::thread_body> body{static_cast<detail::thread_body*>(argument)};
    if (!body->name.empty())
        static_cast<void>(::pthread_setname_np(::pthread_self(), body->name.c_str()));
    body->run();
    return nullptr;
}

const char* remedy(creation_failure kind) noexcept {
    switch (kind) {
    case creation_failure::interrupted:
        return "pthread_create: interrupted again and again for 1 s";
    case creation_failure::resource:
        return "pthread_create: no thread can be had (raise `ulimit -u`, pids.max of the cgroup, "
               "or the memory that the process may use)";
    case creation_failure::fatal:
        break;
    }
    return "pthread_create: this process may create no thread (a container's seccomp profile must "
           "allow clone and clone3)";
}

[[noreturn]] void give_up(int error) {
    const auto kind = classify_creation_error(error);
    // The kernel's own numbers mean nothing outside.
    if (kind == creation_failure::interrupted) error = EINTR;
    throw std::system_error(error, std::generic_category(), remedy(kind));
}

int try_once(pthread_t& id, const attributes& wanted, detail::thread_body& body) noexcept {
    const all_signals_blocked inherited; // and not during pauses
    return ::pthread_create(&id, wanted.get(), &run_body, &body);
}

} // namespace

creation_failure classify_creation_error(int error) noexcept {
    switch (error) {
    case EINTR:
    case kernel::erestartsys:
    case kernel::erestartnointr:
    case kernel::erestartnohand:
    case kernel::erestart_restartblock:
        return creation_failure::interrupted;
    case EAGAIN:
    case ENOMEM:
        return creation_failure::resource;
    default:
        return creation_failure::fatal;
    }
}

std::optional<duration> creation_retry::pause_after(int error, time_point now) noexcept {
    switch (classify_creation_error(error)) {
    case creation_failure::interrupted:
        if (!first_interruption_) first_interruption_ = now;
        if (now - *first_interruption_ >= interruptions_last_at_most) return std::nullopt;
        return interruption_pause;
    case creation_failure::resource:
        if (resource_retries_left_ == 0) return std::nullopt;
        --resource_retries_left_;
        return std::exchange(next_pause_, 2 * next_pause_);
    case creation_failure::fatal:
        break;
    }
    return std::nullopt;
}

all_signals_blocked::all_signals_blocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    for (int synchronous : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT})
        ::sigdelset(&all, synchronous);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}

all_signals_blocked::~all_signals_blocked() {
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

// ---- the handle ----

thread_handle& thread_handle::operator=(thread_handle&& other) noexcept {
    CORONET_ASSERT(!joinable()); // nobody could reap it any more
    id_ = std::exchange(other.id_, std::nullopt);
    return *this;
}

thread_handle::~thread_handle() {
    CORONET_ASSERT(!joinable());
}

bool thread_handle::is_this_thread() const noexcept {
    return id_ && ::pthread_equal(*id_, ::pthread_self()) != 0;
}

void thread_handle::join() noexcept {
    CORONET_ASSERT(joinable());
    CORONET_ASSERT(!is_this_thread());
    const int error = ::pthread_join(*std::exchange(id_, std::nullopt), nullptr);
    CORONET_ASSERT(error == 0);
}

void thread_handle::detach() noexcept {
    CORONET_ASSERT(joinable());
    const int error = ::pthread_detach(*std::exchange(id_, std::nullopt));
    CORONET_ASSERT(error == 0);
}

// ---- creation ----

thread_handle detail::start_thread(std::unique_ptr<thread_body> body, std::size_t stack_size) {
    const attributes wanted{stack_size};
    creation_retry retry;
    for (;;) {
        pthread_t id{};
        const int error = try_once(id, wanted, *body);
        if (error == 0) {
            static_cast<void>(body.release()); // the thread's now
            return thread_handle{id};
        }
        const auto pause = retry.pause_after(error, clock::now());
        if (!pause) give_up(error);
        std::this_thread::sleep_for(*pause);
    }
}

detail::creation_attempt
detail::try_start_thread(std::unique_ptr<thread_body>& body, std::size_t stack_size) noexcept {
    try {
        const attributes wanted{stack_size};
        pthread_t id{};
        const int error = try_once(id, wanted, *body);
        if (error != 0) return {error, {}};
        static_cast<void>(body.release()); // the thread's now
        return {0, thread_handle{id}};
    } catch (const std::system_error& thrown) {
        return {thrown.code().value(), {}};
    }
}

} // namespace coronet
