// SPDX-License-Identifier: BSL-1.0
//
// What is in flight on one descriptor of an Asio object, so that all of it, or one of it, can be
// asked to end. It lives as long as the object has the descriptor open, anything is in flight on
// it, or a cancellation slot remembers it (which is not used after the end of its context). The
// list is the ring owner's; the count is anybody's.
//
// Two of a kind, say two receives, are not the kernel's at once: it would serve the later one
// first. The later one is listed, and begun when those before it are over.
//
// The memory of a send by reference is the kernel's until the peer has acknowledged all of it,
// and what would have it back sooner needs the number of the descriptor. So closing one while it
// lends is a shutdown; its number is closed when the last loan has ended.
#pragma once

#include <coronet/detail/intrusive_list.hpp>
#include <coronet/operation.hpp>
#include <coronet/unique_fd.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace coronet::asiox::detail {

class open_descriptor;

/// An operation of such an object: as the ring has it.
class native_operation : public operation, public coronet::detail::list_hook<open_descriptor> {
protected:
    /// Those of one lane keep their order; in lane 0 there is none.
    native_operation(unsigned lane, bool lends) noexcept : lane_(lane), lends_(lends) {}
    ~native_operation() = default;

    [[nodiscard]] bool asked_to_end() const noexcept { return asked_to_end_; }
    /// Ends one that has not had its turn.
    virtual void give_up() noexcept = 0;

private:
    friend class open_descriptor;
    unsigned lane_;
    const bool lends_; // memory to the kernel, until the peer has acknowledged it
    bool waits_ = false;
    bool asked_to_end_ = false;
    std::uint64_t number_ = 0;
};

/// What has one request in flight for many results, as long as the descriptor is open.
class descriptor_stream : public coronet::detail::list_hook<descriptor_stream> {
public:
    /// Those who wait for a result are told that it was cancelled.
    virtual void cancel_waiting() noexcept = 0;
    /// The request, too: the descriptor is about to be closed.
    virtual void end_request() noexcept = 0;

protected:
    descriptor_stream() noexcept = default;
    ~descriptor_stream() = default;
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
        if (next.lends_) ++loans_;
        in_flight_.push_back(next);
        return !next.waits_;
    }
    /// Whose turn it is now; or null.
    [[nodiscard]] native_operation* remove(native_operation& ended) noexcept {
        native_operation* const next = leave_lane(ended);
        in_flight_.erase(ended);
        if (ended.lends_ && --loans_ == 0) kept_.reset();
        return next;
    }
    /// The same, of one that is in flight still and has done what others had to wait for.
    [[nodiscard]] native_operation* leave_lane(native_operation& done) noexcept {
        native_operation* next = nullptr;
        if (done.lane_ != 0 && !done.waits_)
            next = first_in_lane(in_flight_.after(done), done.lane_);
        done.lane_ = 0;
        if (next) next->waits_ = false;
        return next;
    }
    [[nodiscard]] bool idle() const noexcept { return in_flight_.empty(); }
    void cancel_all() noexcept {
        for (auto* each = in_flight_.front(); each; each = in_flight_.after(*each))
            end(*each);
        for (auto* each = streams_.front(); each; each = streams_.after(*each))
            each->cancel_waiting();
    }
    /// All that is in flight is asked to end; nothing more begins. Somebody else has the number
    /// afterwards, or it is closed.
    void leave() noexcept {
        left_ = true;
        cancel_all();
        for (auto* each = streams_.front(); each; each = streams_.after(*each))
            each->end_request();
    }
    [[nodiscard]] bool left() const noexcept { return left_; }
    void cancel(std::uint64_t number) noexcept {
        auto* each = in_flight_.front();
        while (each && each->number_ != number)
            each = in_flight_.after(*each);
        if (!each) return;
        end(*each);
        if (each->waits_) each->give_up();
    }

    void add(descriptor_stream& next) noexcept { streams_.push_back(next); }
    void remove(descriptor_stream& ended) noexcept { streams_.erase(ended); }

    /// Memory that is sent from may be the kernel's.
    [[nodiscard]] bool lends() const noexcept { return loans_ > 0; }
    /// Closes it when it does not lend any more. If it is a duplicate, somebody else has the
    /// connection.
    void keep(unique_fd fd, bool is_duplicate) noexcept {
        kept_ = std::move(fd);
        is_duplicate_ = is_duplicate;
    }
    /// What is to be reset so that it lends no more, once it was `fd`; -1: nothing. The connection
    /// of somebody else only when the context of the loan ends.
    [[nodiscard]] int number_to_reset(int fd, bool context_ends) const noexcept {
        if (!left_) return fd;
        return is_duplicate_ && !context_ends ? -1 : kept_.get();
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
    std::uint32_t loans_ = 0; // what is in flight and lends
    bool left_ = false;
    bool is_duplicate_ = false; // kept_
    std::uint64_t last_number_ = 0;
    coronet::detail::intrusive_list<native_operation, open_descriptor> in_flight_;
    coronet::detail::intrusive_list<descriptor_stream> streams_;
    unique_fd kept_;
};

} // namespace coronet::asiox::detail
