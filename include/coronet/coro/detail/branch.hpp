// SPDX-License-Identifier: BSL-1.0
//
// One line of execution: a root task and whatever it awaits, one frame on top of the other. At any
// time it runs, or one of its frames (the leaf) is suspended on something that can be cancelled. A
// stop reaches it there: that is all the registration there is. Its token is for code that does not
// await, and is stopped by whoever stops the branch: home, or the scheduler where it is.
//
// Its home is the scheduler of whoever started it; it may move to other schedulers and goes home to
// end. A frame calls the one that it awaits, as a function calls another, and goes on if that one
// has ended when it comes back; else both are suspended, and so are all below. A frame that ends
// later, and one that would be called too deep, is named to the loop in resume(), which goes on
// with it. So the stack is at most `depth_max` frames deep, however many awaits end at once and
// whatever the compiler makes of tail calls.
#pragma once

#include <coronet/detail/cancel_batch.hpp>
#include <coronet/detail/hooks.hpp>
#include <coronet/detail/intrusive_list.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/stop_token.hpp>
#include <coronet/work.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

namespace coronet::detail {

class group;
class promise_base;

class branch : public work, public list_hook<group> {
public:
    explicit branch(group& starter) noexcept;
    branch(const branch&) = delete;
    branch& operator=(const branch&) = delete;
    /// Not while it runs: the frame that waits for its group was destroyed too early.
    ~branch();

    /// Makes `root` this branch's first frame and has it run soon, at home.
    void start(promise_base& root, std::coroutine_handle<> handle) noexcept;
    /// The same on another scheduler. An error, and not started, as move_to().
    [[nodiscard]] std::error_code
    start_on(scheduler& first, promise_base& root, std::coroutine_handle<> handle) noexcept;

    // ---- on the scheduler where the branch is ----

    [[nodiscard]] scheduler& where() const noexcept {
        return *where_.load(std::memory_order_relaxed);
    }
    /// Runs the frame, and those that it hands over to, until one is suspended or the root has
    /// ended.
    void resume(std::coroutine_handle<> frame) noexcept {
        CORONET_HOOK(resuming, this);
        require_no_list_lock();
        loop here{frame};
        running_ = &here;
        do {
            std::exchange(here.next, {}).resume();
        } while (here.next);
        if (here.ended) finish();
    }
    /// The running frame awaits `callee`, which runs. Whether the running frame goes on, as that
    /// one has returned; else it suspends.
    [[nodiscard]] bool call(std::coroutine_handle<> callee) noexcept {
        loop& here = *running_; // the branch may be on another thread when the callee has suspended
        if (here.depth == depth_max) [[unlikely]] {
            here.next = callee;
            return false;
        }
        ++here.depth;
        callee.resume();
        --here.depth;
        return std::exchange(here.returned, false);
    }
    /// The running frame has ended or yielded: the frame that awaits it goes on.
    void return_to(std::coroutine_handle<> caller) noexcept {
        // What runs inside a call() was called in this very turn of the loop: all that has been
        // suspended came out of it.
        if (running_->depth > 0)
            running_->returned = true;
        else
            running_->next = caller;
    }
    /// The root has ended.
    void end() noexcept { running_->ended = true; }

    /// The running frame suspends on `awaited` (see promise_base::suspend_on).
    void set_leaf(promise_base* leaf) noexcept { leaf_ = leaf; }
    /// The leaf is about to be resumed.
    void clear_leaf() noexcept { leaf_ = nullptr; }

    /// Whether everything below is to end: awaits that begin now give operation_canceled.
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }
    /// Stopped no later than the awaits: also by home, while it computes elsewhere.
    [[nodiscard]] inplace_stop_token stop_token() const noexcept {
        return stop_source_.get_token();
    }

    /// The suspended leaf continues on `target`. Still suspended here: errc::stopped, if that one
    /// has been; not_enough_memory.
    [[nodiscard]] std::error_code move_to(scheduler& target, std::coroutine_handle<> leaf) noexcept;

    // ---- at home ----

    /// Asks all that is below to end, wherever it is.
    void request_stop() noexcept;

private:
    enum class step : std::uint8_t { begin, arrive, come_home };

    // What the loop in resume() is told by the frames it runs. It is on the loop's stack, as the
    // branch may be gone (or run on another thread) before the loop ends.
    struct loop {
        std::coroutine_handle<> next;
        std::uint32_t depth = 0; // calls on the stack above the frame that the loop has resumed
        bool returned = false;   // the innermost of them
        bool ended = false;
    };
    static constexpr std::uint32_t depth_max = 8;
    struct journey;

    void run() noexcept override;
    [[nodiscard]] bool prepare_to_leave() noexcept;
    void leave() noexcept;
    void settle(scheduler& here) noexcept;
    void finish() noexcept;
    void report_end() noexcept;
    void stop_here() noexcept;
    void receive_stop() noexcept;
    [[nodiscard]] bool at_home() const noexcept;

    group& group_;
    loop* running_ = nullptr;
    promise_base* leaf_ = nullptr;
    std::coroutine_handle<> next_; // what run() resumes
    step step_ = step::begin;
    bool stopped_ = false;
    bool ended_ = false; // home's: the root has ended, and the branch is at home
    inplace_stop_source stop_source_;

    // A stop that meets a moving branch. Home sets stop_wanted_, then looks where the branch is; a
    // branch that arrives sets where_, then looks whether a stop is wanted (all four sequentially
    // consistent): one of the two sees the other. Null is: between two schedulers. Only the thread
    // that has the branch moves it on.
    std::atomic<scheduler*> where_;
    std::atomic<bool> stop_wanted_{false};

    std::unique_ptr<journey> journey_; // what only a branch needs that leaves home: most never do
};

} // namespace coronet::detail
