// SPDX-License-Identifier: BSL-1.0
//
// Says things to a peer without waiting for each to be sent: what is given to it in one turn of the
// loop leaves in one send, in order, and so does what comes while a send is in flight. It is for
// servers that answer as they read, and for many tasks that talk to one peer.
//
// Owner thread. Nobody else writes to the stream meanwhile.
#pragma once

#include <coronet/coro/detail/waiter.hpp>
#include <coronet/net/detail/send_operation.hpp>
#include <coronet/net/stream_socket.hpp>
#include <coronet/received_buffer.hpp>
#include <coronet/result.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <new>
#include <source_location>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace coronet {

namespace detail {

/// Somebody who waits until less is queued.
class queue_wait : public pending_work, public list_hook<queue_wait> {
public:
    explicit queue_wait(send_queue& queue) noexcept : queue_(&queue) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    queue_wait(const queue_wait& other) noexcept // moved until it begins
        : pending_work(other), list_hook<queue_wait>(), queue_(other.queue_) {}
    queue_wait& operator=(const queue_wait&) = delete;

    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        branch& line = frame.promise().in_branch();
        if (!line.stopped() && try_now(line.where())) return false;
        if (!waiter_.suspend(frame, *this)) {
            error_ = std::make_error_code(std::errc::operation_canceled);
            return false;
        }
        enter();
        return true;
    }
    [[nodiscard]] result<void> await_resume() const noexcept {
        if (error_) return error_;
        return {};
    }

    void cancel() noexcept override;
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }
    [[nodiscard]] scheduler& where() const noexcept { return waiter_.where(); }
    void go_on() noexcept { where().ready(*this); }
    void go_on_with(std::error_code why) noexcept {
        error_ = why;
        go_on();
    }

protected:
    ~queue_wait() = default;
    [[nodiscard]] send_queue& queue() const noexcept { return *queue_; }
    void fail(std::error_code why) noexcept { error_ = why; }

private:
    /// False: it has to wait.
    [[nodiscard]] virtual bool try_now(scheduler& here) noexcept = 0;
    virtual void enter() noexcept = 0;
    void run() noexcept override { waiter_.resume(); }

    send_queue* queue_;
    waiter waiter_;
    std::error_code error_{};
};

class queue_flush final : public queue_wait {
public:
    using queue_wait::queue_wait;
    [[nodiscard]] bool is_done() const noexcept;
    [[nodiscard]] std::string_view name() const noexcept override { return "flush"; }

private:
    [[nodiscard]] bool try_now(scheduler& here) noexcept override;
    void enter() noexcept override;
    std::uint64_t target_ = 0; // of the bytes that were ever taken
};

/// Somebody whose data is not taken yet.
class queue_sender : public queue_wait {
public:
    using queue_wait::queue_wait;
    /// Has it taken. Not if there is no memory: then it fails.
    virtual void hand_over(scheduler& here) noexcept = 0;
    [[nodiscard]] std::string_view name() const noexcept override { return "send"; }

protected:
    ~queue_sender() = default;

private:
    void enter() noexcept override;
};

template <class Data>
class [[nodiscard]] queue_send final : public queue_sender {
public:
    queue_send(send_queue& to, Data&& data) noexcept : queue_sender(to), data_(std::move(data)) {}

    void hand_over(scheduler& here) noexcept override;

private:
    [[nodiscard]] bool try_now(scheduler& here) noexcept override;
    Data data_;
};

} // namespace detail

class send_queue {
public:
    /// `limit`: bytes that may be queued before send() waits.
    explicit send_queue(stream_socket& to, std::size_t limit = std::size_t{64} * 1024) noexcept
        : to_(&to), limit_(limit) {}
    send_queue(const send_queue&) = delete;
    send_queue& operator=(const send_queue&) = delete;
    /// What has not been sent is dropped, perhaps in the middle: await flush() before. Nobody waits
    /// for it any more.
    ~send_queue() {
        CORONET_ASSERT(senders_.empty() && flushes_.empty());
        if (sending_) sending_->abandon();
    }

    /// Takes a received buffer (a small one may be copied), to be sent after all that came before.
    /// Waits only while as much as the limit is queued.
    ///
    /// Result: taken, not yet sent. Errors: those of send(2) that an earlier piece met (after
    /// which nothing more is sent); not_enough_memory; operation_canceled.
    /// Cancel: total: then it has not been taken, and is given back.
    /// Lifetime: the queue outlives the await, and the stream the queue.
    /// Kernel: IORING_OP_SEND or IORING_OP_SENDMSG, with MSG_WAITALL.
    [[nodiscard]] auto send(received_buffer&& data) noexcept {
        return detail::queue_send<received_buffer>{*this, std::move(data)};
    }
    /// The same, of a copy. Lifetime: `data` outlives the await.
    [[nodiscard]] auto send(std::span<const std::byte> data) noexcept {
        return detail::queue_send<std::span<const std::byte>>{*this, std::move(data)};
    }
    /// Waits until all is sent: the kernel has taken it. Errors and cancel: as for send().
    [[nodiscard]] auto flush() noexcept { return detail::queue_flush{*this}; }

    /// Bytes that were taken and not yet sent.
    [[nodiscard]] std::size_t size() const noexcept { return sending_ ? sending_->size() : 0; }

private:
    friend class detail::send_operation;
    friend class detail::queue_sender;
    friend class detail::queue_flush;
    template <class>
    friend class detail::queue_send;

    [[nodiscard]] bool has_room() const noexcept { return size() == 0 || size() < limit_; }
    template <class Data>
    void take(Data&& data, scheduler& here) {
        const std::size_t size = data.size();
        if (size == 0) return;
        if (!sending_) sending_ = &detail::send_operation::make(*this, *to_, here);
        sending_->add(std::forward<Data>(data));
        taken_ += size;
    }
    /// Less is queued, or nothing any more.
    void let_go_on() noexcept;
    void ended(std::error_code why) noexcept;

    stream_socket* to_;
    std::size_t limit_;
    detail::send_operation* sending_ = nullptr;
    std::error_code error_{};
    std::uint64_t taken_ = 0; // bytes, ever
    detail::intrusive_list<detail::queue_wait> senders_;
    detail::intrusive_list<detail::queue_wait> flushes_;
};

namespace detail {

template <class Data>
bool queue_send<Data>::try_now(scheduler& here) noexcept {
    send_queue& to = queue();
    if (to.error_) [[unlikely]] {
        fail(to.error_);
        return true;
    }
    if (!to.has_room() || !to.senders_.empty()) return false;
    hand_over(here);
    return true;
}
template <class Data>
void queue_send<Data>::hand_over(scheduler& here) noexcept {
    try {
        queue().take(std::move(data_), here);
    } catch (const std::bad_alloc&) {
        fail(std::make_error_code(std::errc::not_enough_memory));
    }
}

inline bool queue_flush::try_now(scheduler&) noexcept {
    target_ = queue().taken_;
    if (queue().error_) fail(queue().error_);
    return queue().error_ || is_done();
}
inline bool queue_flush::is_done() const noexcept {
    return queue().taken_ - queue().size() >= target_;
}
inline void queue_flush::enter() noexcept {
    queue().flushes_.push_back(*this);
}
inline void queue_sender::enter() noexcept {
    queue().senders_.push_back(*this);
}

} // namespace detail

} // namespace coronet
