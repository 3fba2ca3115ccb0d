// SPDX-License-Identifier: BSL-1.0
//
// From plain code into coroutines and back: run() makes this thread a scheduler for the length of
// one task, sync_wait() waits for a task on a scheduler of another thread.
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/signal_set.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/options.hpp>
#include <coronet/scheduler.hpp>

#include <optional>
#include <semaphore>
#include <type_traits>
#include <utility>

namespace coronet {

struct run_options {
    scheduler_options scheduler{};
    bool handle_signals = true; ///< SIGINT and SIGTERM cancel the task; shields hold
};

namespace detail {

/// The group at the bottom of everything: nobody waits for it in a coroutine.
class root : public group, private resident {
public:
    /// On the owner thread of `home`.
    void begin(scheduler& home) noexcept;

protected:
    root() noexcept = default;
    ~root() = default;

    virtual void start_children() noexcept = 0;
    /// The last thing that happens: the root may be gone afterwards.
    virtual void ended() noexcept = 0;

private:
    void cancel_all() noexcept override { cancel(); }
    void on_all_ended() noexcept override;
    void run() noexcept override { begin(home()); }
};

/// Cancels `everything` when one of the signals comes, and lets go of them: a second one ends the
/// program. The scheduler is not stopped, as that would reach into shields; it ends with the task.
task<void> cancel_on_signal(group* everything, std::optional<signal_set>* ending);

/// EPIPE comes as an error, not as a signal, while this lives: the kernel raises SIGPIPE in the
/// thread that submits a write to a broken pipe.
class sigpipe_blocked {
public:
    sigpipe_blocked() noexcept;
    ~sigpipe_blocked();
    sigpipe_blocked(const sigpipe_blocked&) = delete;
    sigpipe_blocked& operator=(const sigpipe_blocked&) = delete;

private:
    bool added_;
};

/// The loop of `here`. In a forked child that comes out of it the process ends: the root's frames
/// are the parent's.
void run_to_the_end(scheduler& here);

/// Runs one task, and with it a watch for signals, until the task has ended.
template <class T>
class main_root final : public root {
public:
    /// `ending`, if not null, is what ends the task early.
    main_root(task<T>&& job, std::optional<signal_set>* ending) noexcept
        : main_(std::move(job)), ending_(ending) {}
    T take() {
        if (watch_) watch_->result().take();
        return main_.result().take();
    }

private:
    void start_children() noexcept override {
        // First: threads that main starts inherit the blocked signals.
        if (ending_) watch_.emplace(cancel_on_signal(this, ending_)).start(*this);
        main_.start(*this);
    }
    void on_ended(branch& line) noexcept override {
        if (main_.is(line)) cancel();
    }
    void ended() noexcept override { home().stop(); }

    child<T> main_;
    std::optional<child<void>> watch_;
    std::optional<signal_set>* ending_;
};

/// Begins by a message and tells the thread that waits.
class remote_root : public root {
protected:
    remote_root() noexcept = default;
    ~remote_root() = default;

    /// Throws std::system_error: errc::stopped, or errc::would_deadlock on a scheduler's thread.
    void begin_and_wait(scheduler& target);

private:
    struct starter final : work {
        explicit starter(remote_root& started) noexcept : what(started) {}
        void run() noexcept override { what.begin(*what.target_); }
        remote_root& what;
    };
    void ended() noexcept override { done_.release(); }

    scheduler* target_ = nullptr;
    starter starter_{*this};
    std::binary_semaphore done_{0};
};

template <class T>
class waited_root final : public remote_root {
public:
    explicit waited_root(task<T>&& job) noexcept : child_(std::move(job)) {}
    T wait(scheduler& target) {
        begin_and_wait(target);
        return child_.result().take();
    }

private:
    void start_children() noexcept override { child_.start(*this); }
    child<T> child_;
};

} // namespace detail

/// Runs `main` (a task, or with_scope() and the like) on this thread, with a scheduler of its own,
/// until it has ended.
///
/// Result: what `main` gives, or throws. Throws std::system_error if the scheduler cannot be set
/// up, and with errc::sq_thread_dead if its submission thread died.
/// Cancel: SIGINT and SIGTERM cancel `main`, unless options say not to.
/// Lifetime: after a fork in `main` the child is to exec or _exit. One that goes on ends with a
///           message and status 70 where its coroutine next waits or ends.
template <class T>
T run(task<T> main, const run_options& options = {}) {
    const detail::sigpipe_blocked quiet;
    std::optional<signal_set> ending;
    if (options.handle_signals) ending.emplace(std::initializer_list<int>{SIGINT, SIGTERM});
    scheduler here{options.scheduler};
    here.run_once(time_point::min()); // whatever can throw, before anything has begun
    detail::main_root<T> root{std::move(main), ending ? &ending : nullptr};
    root.begin(here);
    detail::run_to_the_end(here);
    return root.take();
}

template <class A>
requires(!detail::is_task<A> && !std::is_lvalue_reference_v<A>) auto run(
    A&& main, const run_options& options = {}
) {
    return run(detail::as_task(std::move(main)), options);
}

/// Runs `job` (as run() does) on `target` and blocks this thread until it has ended.
///
/// Result: what `job` gives, or throws. Throws std::system_error with errc::stopped if `target` has
/// been stopped, with
///         errc::would_deadlock on the thread of a scheduler: co_await run_on() there.
/// Thread: any but a scheduler's.
template <class T>
T sync_wait(scheduler& target, task<T> job) {
    detail::waited_root<T> root{std::move(job)};
    return root.wait(target);
}

template <class A>
requires(!detail::is_task<A> && !std::is_lvalue_reference_v<A>) auto sync_wait(
    scheduler& target, A&& job
) {
    return sync_wait(target, detail::as_task(std::move(job)));
}

} // namespace coronet
