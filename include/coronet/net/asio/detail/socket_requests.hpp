// SPDX-License-Identifier: BSL-1.0
//
// What Asio's connected sockets ask the ring for (ring_op.hpp says what a request is).
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/prepare.hpp>
#include <coronet/operation.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <poll.h>
#include <sys/socket.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/buffer.hpp>
#include <boost/asio/detail/bind_handler.hpp>
#include <boost/asio/detail/buffer_sequence_adapter.hpp>
#include <boost/asio/socket_base.hpp>
#else
#include <asio/buffer.hpp>
#include <asio/detail/bind_handler.hpp>
#include <asio/detail/buffer_sequence_adapter.hpp>
#include <asio/socket_base.hpp>
#endif

namespace coronet::asiox::detail {

namespace asio_detail = net::detail;

/// Of those that tell an error only.
class tells_error {
public:
    void deliver(error_code&) noexcept {}
    template <class Handler>
    auto bind(Handler& handler, const error_code& error) const {
        return asio_detail::binder1<Handler, error_code>(handler, error);
    }
};

/// Of those that move bytes and tell how many.
class moves_bytes {
public:
    void deliver(error_code&) noexcept {}
    template <class Handler>
    auto bind(Handler& handler, const error_code& error) const {
        return asio_detail::binder2<Handler, error_code, std::size_t>(handler, error, count_);
    }

protected:
    void moved(std::int32_t res) noexcept { count_ = static_cast<std::size_t>(res); }
    void moved(std::size_t count) noexcept { count_ = count; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
    std::size_t count_ = 0;
};

/// Where the kernel reads or writes: the first 64 buffers of a sequence.
template <class Buffer, class Sequence>
class buffers_of {
    using adapter = asio_detail::buffer_sequence_adapter<Buffer, Sequence>;

public:
    static constexpr bool is_single = adapter::is_single_buffer;

    explicit buffers_of(const Sequence& buffers) : kept_(buffers) {}
    /// Before anything has been filled.
    buffers_of(buffers_of&& other) noexcept : kept_(std::move(other.kept_)) {}
    // Asio's adapter points into itself, and into nothing that is moved.
    [[nodiscard]] Buffer single() const { return adapter::first(kept_); }
    [[nodiscard]] std::span<iovec> all() {
        adapter all(kept_);
        std::copy_n(all.buffers(), all.count(), parts_.begin());
        return {parts_.data(), all.count()};
    }
    [[nodiscard]] std::size_t size() {
        std::size_t sum = 0;
        for (const iovec& part : all())
            sum += part.iov_len;
        return sum;
    }
    /// But for so many bytes at the beginning.
    void fill(msghdr& message, std::size_t skipped = 0) {
        std::span<iovec> parts = all();
        while (!parts.empty() && skipped >= parts.front().iov_len) {
            skipped -= parts.front().iov_len;
            parts = parts.subspan(1);
        }
        if (skipped > 0 && !parts.empty()) {
            parts.front().iov_base = static_cast<std::byte*>(parts.front().iov_base) + skipped;
            parts.front().iov_len -= skipped;
        }
        message.msg_iov = parts.data();
        message.msg_iovlen = parts.size();
    }

private:
    Sequence kept_;
    static constexpr std::size_t parts_max = is_single ? 1 : 64; // as many as Asio's adapter has
    std::array<iovec, parts_max> parts_;
};

/// What urgent data is polled for. Its coming wakes nobody who polls for POLLPRI alone
/// (Linux 6.18).
inline constexpr unsigned urgent = POLLPRI | POLLRDBAND;

/// Urgent data is waited for by a poll: recv(2) would say that there is none.
class urgency {
public:
    explicit urgency(int flags) noexcept : must_poll_((flags & MSG_OOB) != 0) {}

    /// Whether the entry is a poll.
    [[nodiscard]] bool prepare(io_uring_sqe& sqe, int fd) const noexcept {
        if (must_poll_) prepare_poll(sqe, fd, urgent);
        return must_poll_;
    }
    [[nodiscard]] bool goes_on(std::int32_t res) noexcept {
        return std::exchange(must_poll_, false) && res >= 0;
    }

private:
    bool must_poll_;
};

/// What receiving has in common, however the entry is filled.
template <class Sequence>
class receiving : public moves_bytes {
public:
    [[nodiscard]] operation::subject on() const noexcept {
        return {fd_, (flags_ & MSG_OOB) ? urgent : POLLIN};
    }
    [[nodiscard]] bool goes_on(std::int32_t res) noexcept { return urgency_.goes_on(res); }
    void finish(std::int32_t res, error_code& error) noexcept {
        moved(res);
        if (res == 0 && is_stream_) error = net::error::eof;
    }

protected:
    receiving(int fd, bool is_stream, const Sequence& buffers, int flags)
        : fd_(fd), flags_(flags), is_stream_(is_stream), urgency_(flags), buffers_(buffers) {}

    [[nodiscard]] bool polls_first(io_uring_sqe& sqe) const noexcept {
        return urgency_.prepare(sqe, fd_);
    }
    void prepare_single(io_uring_sqe& sqe) noexcept {
        const net::mutable_buffer into = buffers_.single();
        prepare_receive(sqe, fd_, into.data(), into.size(), flags_);
    }
    void prepare_message(io_uring_sqe& sqe, msghdr& message) noexcept {
        buffers_.fill(message);
        prepare_receive(sqe, fd_, message, flags_);
    }

private:
    int fd_;
    int flags_;
    bool is_stream_;
    urgency urgency_;
    buffers_of<net::mutable_buffer, Sequence> buffers_;
};

template <class Sequence>
class receive_request final : public receiving<Sequence> {
    static constexpr bool is_single = buffers_of<net::mutable_buffer, Sequence>::is_single;

public:
    static constexpr std::string_view name = "recv";
    receive_request(int fd, bool is_stream, const Sequence& buffers, int flags)
        : receiving<Sequence>(fd, is_stream, buffers, flags) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        if (this->polls_first(sqe)) return;
        if constexpr (is_single)
            this->prepare_single(sqe);
        else
            this->prepare_message(sqe, message_);
    }

private:
    [[no_unique_address]] std::conditional_t<is_single, std::monostate, msghdr> message_{};
};

/// One that tells the flags of what came.
template <class Sequence>
class receive_with_flags_request final : public receiving<Sequence> {
public:
    static constexpr std::string_view name = "recvmsg";
    receive_with_flags_request(
        int fd, bool is_stream, const Sequence& buffers, int flags,
        net::socket_base::message_flags& told
    )
        : receiving<Sequence>(fd, is_stream, buffers, flags), told_(told) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        if (!this->polls_first(sqe)) this->prepare_message(sqe, message_);
    }
    void deliver(error_code& error) noexcept { told_ = error ? 0 : message_.msg_flags; }

private:
    net::socket_base::message_flags& told_;
    msghdr message_{};
};

template <class Sequence>
class send_request final : public moves_bytes {
    static constexpr bool is_single = buffers_of<net::const_buffer, Sequence>::is_single;

public:
    static constexpr std::string_view name = "send";
    send_request(int fd, const Sequence& buffers, int flags)
        : fd_(fd), flags_(flags), buffers_(buffers) {}

    void prepare(io_uring_sqe& sqe) noexcept { prepare(sqe, 0); }
    /// The same without so many bytes at the beginning.
    void prepare(io_uring_sqe& sqe, std::size_t skipped) noexcept {
        if constexpr (is_single) {
            const net::const_buffer from = buffers_.single() + skipped;
            prepare_send(sqe, fd_, from.data(), from.size(), flags_);
        } else {
            buffers_.fill(message_, skipped);
            prepare_send(sqe, fd_, message_, flags_);
        }
    }
    [[nodiscard]] std::size_t size() { return buffers_.size(); }
    [[nodiscard]] operation::subject on() const noexcept { return {fd_, POLLOUT}; }
    void finish(std::int32_t res, error_code&) noexcept { moved(res); }

private:
    int fd_;
    int flags_;
    buffers_of<net::const_buffer, Sequence> buffers_;
    [[no_unique_address]] std::conditional_t<is_single, std::monostate, msghdr> message_{};
};

template <class Sequence, class Endpoint>
class receive_from_request final : public moves_bytes {
public:
    static constexpr std::string_view name = "recvmsg";
    receive_from_request(int fd, const Sequence& buffers, Endpoint& sender, int flags)
        : fd_(fd), flags_(flags), buffers_(buffers), sender_(sender) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        buffers_.fill(message_);
        message_.msg_name = sender_.data();
        message_.msg_namelen = static_cast<socklen_t>(sender_.capacity());
        prepare_receive(sqe, fd_, message_, flags_);
    }
    [[nodiscard]] operation::subject on() const noexcept { return {fd_, POLLIN}; }
    void finish(std::int32_t res, error_code&) noexcept {
        moved(res);
        came_ = true;
    }
    void deliver(error_code&) {
        if (came_) sender_.resize(message_.msg_namelen);
    }

private:
    int fd_;
    int flags_;
    bool came_ = false;
    buffers_of<net::mutable_buffer, Sequence> buffers_;
    Endpoint& sender_;
    msghdr message_{};
};

template <class Sequence, class Endpoint>
class send_to_request final : public moves_bytes {
public:
    static constexpr std::string_view name = "sendmsg";
    send_to_request(int fd, const Sequence& buffers, const Endpoint& to, int flags)
        : fd_(fd), flags_(flags), buffers_(buffers), to_(to) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        buffers_.fill(message_);
        message_.msg_name = to_.data();
        message_.msg_namelen = static_cast<socklen_t>(to_.size());
        prepare_send(sqe, fd_, message_, flags_);
    }
    [[nodiscard]] operation::subject on() const noexcept { return {fd_, POLLOUT}; }
    void finish(std::int32_t res, error_code&) noexcept { moved(res); }

private:
    int fd_;
    int flags_;
    buffers_of<net::const_buffer, Sequence> buffers_;
    Endpoint to_;
    msghdr message_{};
};

/// Tells an error, or (for null_buffers) one and 0 bytes.
template <class Telling>
class poll_request final : public Telling {
public:
    [[nodiscard]] bool keeps_order() const noexcept { return false; }
    static constexpr std::string_view name = "poll";
    poll_request(int fd, unsigned events) noexcept : fd_(fd), events_(events) {}

    void prepare(io_uring_sqe& sqe) noexcept { prepare_poll(sqe, fd_, events_); }
    [[nodiscard]] operation::subject on() const noexcept { return {fd_, events_}; }
    void finish(std::int32_t, error_code&) noexcept {}

private:
    int fd_;
    unsigned events_;
};
using wait_request = poll_request<tells_error>;
using ready_request = poll_request<moves_bytes>;

template <class Endpoint>
class connect_request final : public tells_error {
public:
    static constexpr std::string_view name = "connect";
    connect_request(int fd, const Endpoint& to) : fd_(fd), to_(to) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        prepare_connect(sqe, fd_, *to_.data(), static_cast<socklen_t>(to_.size()));
    }
    [[nodiscard]] operation::subject on() const noexcept { return {fd_, POLLOUT}; }
    void finish(std::int32_t, error_code&) noexcept {}
    void begun_after(unsigned forks) noexcept { forks_ = forks; }
    /// After a fork two processes connect the one socket: who comes second finds it connected.
    [[nodiscard]] std::int32_t ended_after(unsigned forks, std::int32_t res) const noexcept {
        return res == -EISCONN && forks != forks_ ? 0 : res;
    }

private:
    int fd_;
    unsigned forks_ = 0;
    Endpoint to_;
};

} // namespace coronet::asiox::detail
