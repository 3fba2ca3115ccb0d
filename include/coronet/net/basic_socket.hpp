// SPDX-License-Identifier: BSL-1.0
//
// What all sockets have: a descriptor, and a count of the operations that are in flight on it, so
// that closing can wait for the last of them. A descriptor's number is never given back to the
// kernel under a live request. Owner thread.
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

namespace detail {
class closer;
template <class Operation>
class socket_operation;
} // namespace detail

class basic_socket {
public:
    basic_socket() noexcept = default;
    /// Takes a descriptor over, blocking or not.
    explicit basic_socket(unique_fd fd) noexcept : fd_(std::move(fd)) {}
    basic_socket(basic_socket&& other) noexcept;
    basic_socket& operator=(basic_socket&& other) noexcept;
    /// Closes the descriptor; nothing may be in flight on it any more (see close()).
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
    template <class>
    friend class detail::socket_operation;

    void began(scheduler& here) noexcept {
        owner_ = &here;
        ++in_flight_count_;
    }
    void ended() noexcept {
        if (--in_flight_count_ == 0 && closers_) [[unlikely]]
            all_ended();
    }
    void all_ended() noexcept;

    unique_fd fd_;
    unsigned in_flight_count_ = 0;
    scheduler* owner_ = nullptr; // of what is in flight
    detail::closer* closers_ = nullptr;
    bool being_closed_ = false;
};

namespace detail {

/// An operation that its socket counts.
template <class Operation>
class [[nodiscard]] socket_operation : public Operation {
public:
    template <class... Arguments>
    explicit socket_operation(basic_socket& on, Arguments&&... arguments) noexcept
        : Operation(on.native_handle(), std::forward<Arguments>(arguments)...),
          socket_(&on),
          made_for_(on.native_handle()) {}

    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        // Closed since this was made: its number may mean another file by now.
        if (made_for_ < 0 || made_for_ != socket_->native_handle()) [[unlikely]] {
            this->set_res(-EBADF);
            return false;
        }
        if (!Operation::await_suspend(frame)) return false;
        socket_->began(this->where());
        return true;
    }

protected:
    void run() noexcept override {
        socket_->ended();
        Operation::run();
    }

private:
    basic_socket* socket_;
    int made_for_;
};

} // namespace detail

} // namespace coronet
