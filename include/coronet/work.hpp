// SPDX-License-Identifier: BSL-1.0
//
// What a scheduler runs: an intrusive node with one function. It is part of a bigger object (an
// operation in a coroutine's frame, mostly), is in at most one queue at a time and is never
// allocated for being queued.
#pragma once

#include <coronet/detail/assert.hpp>

#include <source_location>
#include <string_view>
#include <utility>

namespace coronet {

class work {
public:
    work() noexcept = default;
    work(const work&) noexcept {} // a copy is in no queue
    work& operator=(const work&) noexcept { return *this; }

    /// Runs on the owner thread of the scheduler that it was given to. It may end the life of this
    /// object.
    virtual void run() noexcept = 0;

protected:
    ~work() { CORONET_ASSERT(!queued_); }

private:
    friend class work_queue;
    friend class mailbox;
    work* next_; // means something while it is queued
    bool queued_ = false;
};

/// Work that waits for something, and can be asked not to wait any longer.
class pending_work : public work {
public:
    /// Asks for an early end; the end itself comes later and by the usual way. Owner thread;
    /// completes nothing inside the call; harmless at any time and any number of times.
    virtual void cancel() noexcept = 0;

    /// What is waited for, in the words of the man pages ("recv", "timeout").
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;

    /// The await in the source that waits for it; line 0 when there is none. For reports.
    [[nodiscard]] virtual std::source_location place() const noexcept { return {}; }

protected:
    ~pending_work() = default;
};

/// A FIFO of one thread.
class work_queue {
public:
    work_queue() noexcept = default;
    work_queue(const work_queue&) = delete;
    work_queue& operator=(const work_queue&) = delete;

    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }

    void push(work& item) noexcept {
        CORONET_ASSERT(!item.queued_);
        item.queued_ = true;
        item.next_ = nullptr;
        *end_ = &item;
        end_ = &item.next_;
    }

    /// The oldest item, or null.
    work* pop() noexcept {
        work* item = head_;
        if (!item) return nullptr;
        head_ = item->next_;
        if (!head_) end_ = &head_;
        item->queued_ = false;
        return item;
    }

private:
    work* head_ = nullptr;
    work** end_ = &head_; // where the next one goes
};

} // namespace coronet
