// SPDX-License-Identifier: BSL-1.0
//
// What all sockets have: a descriptor, and a list of the operations that are in flight on it, so
// that these can be cancelled without looking at any other and closing can wait for the last of
// them. A descriptor's number is never given back to the kernel under a live request: what nobody
// waits for any more (a stream that was dropped) inherits the descriptor from a socket that is
// destroyed before it. Owner thread.
//
// Sockets are moved freely while nothing is in flight on them; a moved-from or closed socket is
// empty.
#pragma once

#include <coronet/coro/operations.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/socket_options.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <cerrno>
#include <coroutine>
#include <utility>

namespace coronet {

class basic_socket;

namespace detail {
class closer;

/// An operation in its socket's list: linked by hand, as every read and write passes here.
class on_socket {
public:
    /// Asks it to end.
    void cancel_on_socket() noexcept {
        if (started_) started_->cancel();
    }
    [[nodiscard]] on_socket* next_on_socket() const noexcept { return next_; }

protected:
    explicit on_socket(basic_socket& socket) noexcept : socket_(&socket) {}
    /// Copied only before it begins.
    on_socket(const on_socket& other) noexcept : socket_(other.socket_) {}
    ~on_socket() = default;

    [[nodiscard]] basic_socket& whose() const noexcept { return *socket_; }
    /// `started` is in flight now, until it ended(). It is not moved any more.
    void began(operation& started) noexcept;
    void ended() noexcept;

private:
    friend basic_socket;
    friend class may_outlive_socket;
    basic_socket* socket_;       // null: it is gone (may_outlive_socket)
    on_socket** link_ = nullptr; // what points to it; null: not in the list, or the heir
    on_socket* next_;            // these two mean something while it is in the list
    operation* started_;         // null: let go
};

/// One that nobody may be waiting for any more. It was asked to end, but the kernel may not even
/// have seen it yet, and would take the number in its entry for whatever has that number by then.
/// So those that are left when their socket goes stay in a list whose head, the heir, holds the
/// descriptor; the last of them closes it.
///
///   in the socket's list → let go    nobody waits for it
///   let go → orphan, or heir         the socket is destroyed
///   orphan → heir                    the heir has ended
class may_outlive_socket : public on_socket {
protected:
    using on_socket::on_socket;
    void let_go() noexcept { started_ = nullptr; }
    void ended() noexcept;

private:
    friend basic_socket;
    /// `first` and those behind it have been let go.
    static void leave(on_socket& first, unique_fd fd) noexcept;
    void inherit(unique_fd fd) noexcept;

    unique_fd inherited_;
};
} // namespace detail

class basic_socket {
public:
    basic_socket() noexcept = default;
    /// Takes a descriptor over, blocking or not.
    explicit basic_socket(unique_fd fd) noexcept : fd_(std::move(fd)) {}
    basic_socket(basic_socket&& other) noexcept;
    basic_socket& operator=(basic_socket&& other) noexcept;
    /// Closes the descriptor; nothing may be in flight on it any more (see close()), but for
    /// streams that were destroyed before: the last of these to end closes it then.
    ~basic_socket();

    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
    [[nodiscard]] int native_handle() const noexcept { return fd_.get(); }
    /// Gives the descriptor up. Nothing may be in flight on it.
    [[nodiscard]] unique_fd release() noexcept;

    /// Asks every operation in flight on this socket to end. They give
    /// std::errc::operation_canceled, or what they have achieved.
    ///
    /// Thread: owner.
    void cancel() noexcept;

    /// Cancels what is in flight on this socket, waits until all of it has ended, then closes the
    /// descriptor: its port can be bound again at once. What begins meanwhile gives
    /// std::errc::bad_file_descriptor, as on any closed socket.
    ///
    /// Errors: those of close(2); the descriptor is closed all the same.
    /// Cancel: none.
    /// Lifetime: the socket outlives the await.
    /// Thread: owner.
    [[nodiscard]] task<result<void>> close();

    /// setsockopt(2) and getsockopt(2), by the option's type: `stream.set(no_delay{true})`.
    template <class Option>
    result<void> set(const Option& option) noexcept {
        return set_option(native_handle(), option);
    }
    template <class Option>
    [[nodiscard]] result<Option> get() const noexcept {
        return get_option<Option>(native_handle());
    }

    /// The address that it is bound to. Errors: those of getsockname(2).
    [[nodiscard]] result<endpoint> local_endpoint() const noexcept {
        return coronet::local_endpoint(native_handle());
    }
    /// The address that it is connected to. Errors: those of getpeername(2).
    [[nodiscard]] result<endpoint> remote_endpoint() const noexcept {
        return coronet::remote_endpoint(native_handle());
    }

private:
    friend class detail::closer;
    friend class detail::on_socket;

    void all_ended() noexcept;

    unique_fd fd_;
    detail::on_socket* in_flight_ = nullptr;
    detail::closer* closers_ = nullptr;
    bool being_closed_ = false;
};

namespace detail {

inline void on_socket::began(operation& started) noexcept {
    started_ = &started;
    next_ = socket_->in_flight_;
    link_ = &socket_->in_flight_;
    if (next_) next_->link_ = &next_;
    socket_->in_flight_ = this;
}
inline void on_socket::ended() noexcept {
    *link_ = next_;
    if (next_) next_->link_ = link_;
    link_ = nullptr;
    if (socket_->closers_ && !socket_->in_flight_) [[unlikely]]
        socket_->all_ended();
}

/// An operation that its socket knows of.
template <class Operation>
class [[nodiscard]] socket_operation : public Operation, private on_socket {
public:
    template <class... Arguments>
    explicit socket_operation(basic_socket& on, Arguments&&... arguments) noexcept
        : Operation(on.native_handle(), std::forward<Arguments>(arguments)...),
          on_socket(on),
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
