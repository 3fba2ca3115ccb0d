// SPDX-License-Identifier: BSL-1.0
//
// Work on its way to a scheduler: many threads push, the owner takes all at once. A push after
// close() is refused, so that every item either runs or is known not to; none is lost in between.
#pragma once

#include <coronet/work.hpp>

#include <atomic>

namespace coronet {

class mailbox {
public:
    mailbox() noexcept = default;
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;

    /// Any thread. False, and not taken, after close().
    [[nodiscard]] bool push(work& item) noexcept {
        CORONET_ASSERT(!item.queued_);
        // The node's own fields are written before the release below publishes it.
        work* head = head_.load(std::memory_order_relaxed);
        do {
            if (head == closed()) {
                item.queued_ = false;
                return false;
            }
            item.queued_ = true;
            item.next_ = head;
        } while (!head_.compare_exchange_weak(
            head, &item, std::memory_order_release, std::memory_order_relaxed
        ));
        return true;
    }

    /// Owner. Moves all items to `into`, oldest first.
    void take_all(work_queue& into) noexcept {
        if (!empty()) append(head_.exchange(nullptr, std::memory_order_acquire), into);
    }
    /// Owner. The same, and refuses everything from now on.
    void close(work_queue& into) noexcept {
        append(head_.exchange(closed(), std::memory_order_acquire), into);
    }

    [[nodiscard]] bool empty() const noexcept {
        const work* head = head_.load(std::memory_order_relaxed);
        return head == nullptr || head == closed();
    }

private:
    // An address that no item has.
    work* closed() const noexcept {
        return reinterpret_cast<work*>(const_cast<std::atomic<work*>*>(&head_));
    }
    void append(work* newest, work_queue& into) const noexcept {
        if (newest == closed()) return;
        work* oldest = nullptr;
        while (newest) {
            work* next = newest->next_;
            newest->next_ = oldest;
            oldest = newest;
            newest = next;
        }
        while (oldest) {
            work* next = oldest->next_;
            oldest->queued_ = false;
            into.push(*oldest);
            oldest = next;
        }
    }

    std::atomic<work*> head_{nullptr};
};

} // namespace coronet
