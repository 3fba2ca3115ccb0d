// SPDX-License-Identifier: BSL-1.0
//
// What is in flight on one descriptor of an Asio object, so that all of it, or one of it, can be
// asked to end. It lives as long as the object has the descriptor open, anything is in flight on
// it, or a cancellation slot remembers it (which is not used after the end of its context). The
// list is the ring owner's; the count is anybody's.
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
    native_operation() noexcept = default;
    ~native_operation() = default;

private:
    friend class open_descriptor;
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

    void add(native_operation& started) noexcept { in_flight_.push_back(started); }
    void remove(native_operation& ended) noexcept { in_flight_.erase(ended); }
    [[nodiscard]] bool idle() const noexcept { return in_flight_.empty(); }
    void cancel_all() noexcept {
        for (auto* each = in_flight_.front(); each; each = in_flight_.after(*each))
            each->cancel();
    }
    void cancel(std::uint64_t number) noexcept {
        for (auto* each = in_flight_.front(); each; each = in_flight_.after(*each))
            if (each->number_ == number) each->cancel();
    }

private:
    open_descriptor() noexcept = default;
    ~open_descriptor() = default;

    std::atomic<std::uint32_t> references_{1};
    std::uint64_t last_number_ = 0;
    coronet::detail::intrusive_list<native_operation, open_descriptor> in_flight_;
};

} // namespace coronet::asiox::detail
