// SPDX-License-Identifier: BSL-1.0
//
// Branches that one frame has started and waits for: the base of scope, when_all, when_any,
// with_timeout, with_stop, shield and run_on, and of the root of everything. It ends when its last
// branch has, never before; cancelling it asks every branch to end. It lives in the frame that
// waits and is used at home only.
#pragma once

#include <coronet/coro/detail/branch.hpp>
#include <coronet/coro/detail/outcome.hpp>
#include <coronet/work.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <source_location>
#include <string_view>

namespace coronet::detail {

class group : public pending_work {
public:
    group(const group&) = delete;
    group& operator=(const group&) = delete;

    [[nodiscard]] scheduler& home() const noexcept { return *home_; }
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }

    /// Asks all branches to end, those to come too. A shield overrides it: what asks from outside
    /// comes this way.
    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "tasks"; }
    [[nodiscard]] std::source_location place() const noexcept override;

    /// A branch begins, and has ended at home.
    void add(branch& started) noexcept;
    void branch_ended(branch& ended) noexcept;

protected:
    group() noexcept = default;
    ~group() { require_over(); }
    /// No frame waits for it any more. Said in the words of the await, for destructors.
    void require_over() const noexcept {
        if (handle_) [[unlikely]]
            die("a coroutine was destroyed while this await's tasks were running", place());
    }

    /// The frame that waits suspends here; its branch is where the group's home is.
    void open(promise_base& waiting, std::coroutine_handle<> handle) noexcept;
    void open_root(scheduler& home) noexcept { home_ = &home; }
    /// Holds the end back: a call of release() more is needed.
    void hold() noexcept { ++open_; }
    void release() noexcept {
        if (--open_ == 0) on_all_ended();
    }

    /// What else cancelling means, before the branches are asked.
    virtual void on_cancel() noexcept {}
    /// One branch has ended and is no longer in the group. It may be destroyed here.
    virtual void on_ended(branch&) noexcept {}
    /// Nothing is left. The default resumes the frame that waits.
    virtual void on_all_ended() noexcept { home_->ready(*this); }
    /// Resumes the frame that waits.
    void run() noexcept override;

    /// Whether what one of the branches threw is a failure: not what a stop of this group has made
    /// it throw. Asked when the branch has ended.
    [[nodiscard]] bool fails_with(const std::exception_ptr& thrown) const noexcept {
        return thrown && !(stopped_ && tells_cancelled(thrown));
    }

    /// For calls that only home's thread may make. (A thread that runs items for an embedder is in
    /// no loop.)
    void require_home() const noexcept {
        CORONET_ASSERT(!scheduler::current() || scheduler::current() == home_);
    }

    [[nodiscard]] intrusive_list<branch, group>& branches() noexcept { return branches_; }

private:
    scheduler* home_ = nullptr;
    promise_base* waiting_ = nullptr;
    std::coroutine_handle<> handle_;
    intrusive_list<branch, group> branches_;
    std::size_t open_ = 0;
    bool stopped_ = false;
};

} // namespace coronet::detail
