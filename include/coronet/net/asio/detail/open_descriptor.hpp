// SPDX-License-Identifier: BSL-1.0
//
// What is in flight on one descriptor of an Asio object, so that all of it, or one of it, can be
// asked to end. It lives as long as the object has the descriptor open, anything is in flight on
// it, or a cancellation slot remembers it (which is not used after the end of its context). The
// list is the ring owner's; the count is anybody's.
//
// Two of a kind, say two receives, are not the kernel's at once: it would serve the later one
// first. The later one is listed, and begun when those before it are over.
#pragma once

#include <coronet/detail/intrusive_list.hpp>
#include <coronet/operation.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace coronet::asiox::detail {

class open_descriptor;

/// An operation of such an object: as the ring has it.
class native_operation : public operation, public coronet::detail::list_hook<open_descriptor> {
protected:
    /// Those of one lane keep their order; in lane 0 there is none.
    explicit native_operation(unsigned lane) noexcept : lane_(lane) {}
    ~native_operation() = default;

    [[nodiscard]] bool asked_to_end() const noexcept { return asked_to_end_; }
    /// Ends one that has not had its turn.
    virtual void give_up() noexcept = 0;

private:
    friend class open_descriptor;
    const unsigned lane_;
    bool waits_ = false;
    bool asked_to_end_ = false;
    std::uint64_t number_ = 0;
};

class open_descriptor {
public:
    /// Shares in its life.
    class reference {
    public:
        reference() noexcept = default;
        reference(const reference& other) noexcept : to_(other.to_) {
            if (to_) to_->references_.fetch_add(1, std::memory_order_relaxed);
        }
        reference(reference&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
        reference& operator=(reference other) noexcept {
            std::swap(to_, other.to_);
            return *this;
        }
        ~reference() {
            // The last one sees what all the others did to it.
            if (to_ && to_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete to_;
        }
        [[nodiscard]] static reference make() { return reference{new open_descriptor}; }

        open_descriptor* operator->() const noexcept { return to_; }
        [[nodiscard]] open_descriptor& get() const noexcept { return *to_; }
        explicit operator bool() const noexcept { return to_ != nullptr; }

    private:
        explicit reference(open_descriptor* made) noexcept : to_(made) {}
        open_descriptor* to_ = nullptr;
    };

    open_descriptor(const open_descriptor&) = delete;
    open_descriptor& operator=(const open_descriptor&) = delete;

    // ---- for the thread that uses the object ----

    /// Nothing is in flight, and nothing remembers it. (False says nothing.)
    [[nodiscard]] bool surely_idle() const noexcept {
        return references_.load(std::memory_order_acquire) == 1;
    }
    /// Tells `next`, which is about to begin, from all others here, also from those that are over.
    std::uint64_t number(native_operation& next) noexcept { return next.number_ = ++last_number_; }

    // ---- for the owner of the ring ----

    /// Whether it is its turn already.
    [[nodiscard]] bool add(native_operation& next) noexcept {
        next.waits_ = next.lane_ != 0 && first_in_lane(in_flight_.front(), next.lane_);
        in_flight_.push_back(next);
        return !next.waits_;
    }
    /// Whose turn it is now; or null.
    [[nodiscard]] native_operation* remove(native_operation& ended) noexcept {
        native_operation* next = nullptr;
        if (ended.lane_ != 0 && !ended.waits_)
            next = first_in_lane(in_flight_.after(ended), ended.lane_);
        in_flight_.erase(ended);
        if (next) next->waits_ = false;
        return next;
    }
    [[nodiscard]] bool idle() const noexcept { return in_flight_.empty(); }
    void cancel_all() noexcept {
        for (auto* each = in_flight_.front(); each; each = in_flight_.after(*each))
            end(*each);
    }
    void cancel(std::uint64_t number) noexcept {
        auto* each = in_flight_.front();
        while (each && each->number_ != number)
            each = in_flight_.after(*each);
        if (!each) return;
        end(*each);
        if (each->waits_) each->give_up();
    }

private:
    open_descriptor() noexcept = default;
    ~open_descriptor() = default;

    [[nodiscard]] native_operation* first_in_lane(native_operation* each, unsigned lane) noexcept {
        while (each && each->lane_ != lane)
            each = in_flight_.after(*each);
        return each;
    }
    /// One that waits ends in its turn.
    static void end(native_operation& each) noexcept {
        each.asked_to_end_ = true;
        if (!each.waits_) each.cancel();
    }

    std::atomic<std::uint32_t> references_{1};
    std::uint64_t last_number_ = 0;
    coronet::detail::intrusive_list<native_operation, open_descriptor> in_flight_;
};

} // namespace coronet::asiox::detail
