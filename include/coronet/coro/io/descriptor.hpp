// SPDX-License-Identifier: BSL-1.0
//
// What sockets, files and pipes have: a descriptor, and a list of the operations that are in flight
// on it, so that these can be cancelled without looking at any other and closing can wait for the
// last of them. A descriptor's number is never given back to the kernel under a live request: what
// nobody waits for any more (a stream that was dropped) inherits it from an object that is
// destroyed before it. Owner thread.
//
// They are moved freely while nothing is in flight on them; a moved-from or closed one is empty.
#pragma once

#include <coronet/coro/operations.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <cerrno>
#include <coroutine>
#include <cstdint>
#include <utility>

namespace coronet {

class descriptor;

namespace detail {
class closer;

/// An operation in its descriptor's list: linked by hand, as every read and write passes here.
class on_descriptor {
public:
    /// Asks it to end.
    void cancel_on_descriptor() noexcept {
        if (started_) started_->cancel();
    }
    [[nodiscard]] on_descriptor* next_on_descriptor() const noexcept { return next_; }

protected:
    explicit on_descriptor(descriptor& on) noexcept : whose_(&on) {}
    /// Copied only before it begins.
    on_descriptor(const on_descriptor& other) noexcept : whose_(other.whose_) {}
    ~on_descriptor() = default;

    [[nodiscard]] descriptor& whose() const noexcept { return *whose_; }
    /// `started` is in flight now, until it ended(). It is not moved any more.
    void began(pending_work& started) noexcept;
    void ended() noexcept;

private:
    friend descriptor;
    friend class may_outlive_descriptor;
    descriptor* whose_;              // null: it is gone (may_outlive_descriptor)
    on_descriptor** link_ = nullptr; // what points to it; null: not in the list, or the heir
    on_descriptor* next_;            // these two mean something while it is in the list
    pending_work* started_;          // null: let go
};

/// One that nobody may be waiting for any more. It was asked to end, but the kernel may not even
/// have seen it yet, and would take the number in its entry for whatever has that number by then.
/// So those that are left when their object goes stay in a list whose head, the heir, holds the
/// descriptor; the last of them closes it.
///
///   in the list → let go             nobody waits for it
///   let go → orphan, or heir         the descriptor's object is destroyed
///   orphan → heir                    the heir has ended
class may_outlive_descriptor : public on_descriptor {
protected:
    using on_descriptor::on_descriptor;
    void let_go() noexcept { started_ = nullptr; }
    void ended() noexcept;

private:
    friend descriptor;
    /// `first` and those behind it have been let go.
    static void leave(on_descriptor& first, unique_fd fd) noexcept;
    void inherit(unique_fd fd) noexcept;

    unique_fd inherited_;
};
} // namespace detail

class descriptor {
public:
    descriptor() noexcept = default;
    /// Takes a descriptor over, blocking or not.
    explicit descriptor(unique_fd fd) noexcept : fd_(std::move(fd)) {}
    descriptor(descriptor&& other) noexcept;
    descriptor& operator=(descriptor&& other) noexcept;
    /// Closes the descriptor; nothing may be in flight on it any more (see close()), but for
    /// streams that were destroyed before: the last of these to end closes it then.
    ~descriptor();

    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
    [[nodiscard]] int native_handle() const noexcept { return fd_.get(); }
    /// Another one whenever this object holds another descriptor, or none, also if the number is
    /// the same: for streams that were made for one and rest.
    [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }
    /// Gives the descriptor up. Nothing may be in flight on it.
    [[nodiscard]] unique_fd release() noexcept;

    /// Asks every operation in flight on this descriptor to end. They give
    /// std::errc::operation_canceled, or what they have achieved.
    ///
    /// Thread: owner.
    void cancel() noexcept;

    /// Cancels what is in flight on this descriptor, waits until all of it has ended, then closes
    /// it: a socket's port can be bound again at once. What begins meanwhile gives
    /// std::errc::bad_file_descriptor, as on any closed one.
    ///
    /// Errors: those of close(2); the descriptor is closed all the same.
    /// Cancel: none.
    /// Lifetime: this object outlives the await.
    /// Thread: owner.
    [[nodiscard]] task<result<void>> close();

private:
    friend class detail::closer;
    friend class detail::on_descriptor;

    void all_ended() noexcept;

    unique_fd fd_;
    std::uint32_t generation_ = 0;
    detail::on_descriptor* in_flight_ = nullptr;
    detail::closer* closers_ = nullptr;
    bool being_closed_ = false;
};

namespace detail {

inline void on_descriptor::began(pending_work& started) noexcept {
    started_ = &started;
    next_ = whose_->in_flight_;
    link_ = &whose_->in_flight_;
    if (next_) next_->link_ = &next_;
    whose_->in_flight_ = this;
}
inline void on_descriptor::ended() noexcept {
    *link_ = next_;
    if (next_) next_->link_ = link_;
    link_ = nullptr;
    if (whose_->closers_ && !whose_->in_flight_) [[unlikely]]
        whose_->all_ended();
}

/// An operation that its descriptor knows of.
template <class Operation>
class [[nodiscard]] descriptor_operation : public Operation, private on_descriptor {
public:
    template <class... Arguments>
    explicit descriptor_operation(descriptor& on, Arguments&&... arguments) noexcept
        : Operation(on.native_handle(), std::forward<Arguments>(arguments)...),
          on_descriptor(on),
          made_for_(on.native_handle()) {}

    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        // Closed since this was made: its number may mean another file by now.
        if (made_for_ < 0 || made_for_ != whose().native_handle()) [[unlikely]] {
            this->set_res(-EBADF);
            return false;
        }
        if (!Operation::await_suspend(frame)) return false;
        began(*this);
        return true;
    }

protected:
    void run() noexcept override {
        ended();
        Operation::run();
    }

private:
    int made_for_;
};

} // namespace detail

} // namespace coronet
