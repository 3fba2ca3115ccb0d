// SPDX-License-Identifier: BSL-1.0
//
// A bounded queue between coroutines of one scheduler or of several: many may send, many may
// receive. Who finds it full, or empty, waits. With capacity 0 a sender waits until a receiver has
// taken the value (a rendezvous). Values come out in the order in which they went in; whoever has
// waited longest is served first.
//
// A value that send() took in successfully is received once or stays in the channel: a receiver
// that was cancelled has taken nothing.
#pragma once

#include <coronet/coro/detail/listed_wait.hpp>
#include <coronet/error.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace coronet {

namespace detail {

template <class T>
class channel_send;
template <class T>
class channel_receive;

/// What does not depend on the type of the values.
class channel_base {
public:
    channel_base(const channel_base&) = delete;
    channel_base& operator=(const channel_base&) = delete;

    /// No more values come. Senders that wait, and those to come, get errc::closed; receivers get
    /// what is in the channel, then errc::closed. May be called again. Thread: any.
    void close() noexcept;
    [[nodiscard]] bool closed() const noexcept;

    /// Values that it holds without a sender waiting; 0 is a rendezvous.
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// Values in it; it may change at once. Thread: any.
    [[nodiscard]] std::size_t size() const noexcept;

protected:
    explicit channel_base(std::size_t capacity) noexcept : capacity_(capacity) {}
    ~channel_base();

    // All but the capacity under the lock of this address. Of senders, receivers and free room, at
    // most one is there while another one is wanted: who comes is served or waits, never both.
    std::size_t size_ = 0;
    bool closed_ = false;
    waiter_list senders_;   // not empty: it is full and open
    waiter_list receivers_; // not empty: it is empty and open, and no sender waits

private:
    const std::size_t capacity_;
};

} // namespace detail

/// T is moved under a lock: its move does not throw and uses neither mutexes nor channels.
template <class T>
class channel : public detail::channel_base {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>);

public:
    using value_type = T;

    /// Throws std::bad_alloc; nothing is allocated afterwards.
    explicit channel(std::size_t capacity) : channel_base(capacity), slots_(capacity) {}
    /// Nobody waits. Values that are left in it are destroyed.
    ~channel() = default;

    /// Puts `value` in; waits while there is no room.
    ///
    /// Errors: errc::closed; std::errc::operation_canceled, when it ended early. The value is gone
    /// in both cases; where it matters, use try_send().
    /// Cancel: total: nobody has received the value.
    /// Lifetime: the channel outlives the await.
    /// Thread: the owner of any scheduler.
    [[nodiscard]] detail::channel_send<T> send(T value) noexcept {
        return detail::channel_send<T>{*this, std::move(value)};
    }

    /// Takes the oldest value; waits for one.
    ///
    /// Errors: errc::closed, when the channel is closed and empty; std::errc::operation_canceled,
    /// when it ended early.
    /// Cancel: total: values stay in the channel. If one was given first, it is the answer.
    /// Lifetime: the channel outlives the await.
    /// Thread: the owner of any scheduler.
    [[nodiscard]] detail::channel_receive<T> receive() noexcept {
        return detail::channel_receive<T>{*this};
    }

    /// Puts `value` in if there is room, or a receiver waits; else it is left as it was.
    ///
    /// Errors: errc::closed; std::errc::operation_would_block.
    /// Thread: any.
    result<void> try_send(T&& value) noexcept;

    /// Takes the oldest value if there is one.
    ///
    /// Errors: errc::closed, when the channel is closed and empty;
    /// std::errc::operation_would_block. Thread: any.
    result<T> try_receive() noexcept;

private:
    friend class detail::channel_send<T>;
    friend class detail::channel_receive<T>;

    // Under the lock: whether it was done. Those who waited for it are completed in `woken`.
    bool put(T& value, detail::cancel_batch& woken) noexcept;
    bool take(std::optional<T>& into, detail::cancel_batch& woken) noexcept;
    void push(T&& value) noexcept;
    void pop(std::optional<T>& into) noexcept;

    std::vector<std::optional<T>> slots_; // a ring
    std::size_t first_ = 0;               // the oldest value, if there is one
};

namespace detail {

template <class T>
class [[nodiscard]] channel_send final : public listed_wait {
public:
    channel_send(channel<T>& to, T&& value) noexcept
        : listed_wait(&to), to_(&to), value_(std::move(value)) {}

    result<void> await_resume() const noexcept {
        if (cancelled()) return std::errc::operation_canceled;
        if (sent_) return {};
        return errc::closed;
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "send to a channel"; }

private:
    friend class channel<T>;
    [[nodiscard]] bool try_now(cancel_batch& woken) noexcept override;

    channel<T>* to_;
    T value_;
    bool sent_ = false; // the value is in the channel, or with a receiver
};

template <class T>
class [[nodiscard]] channel_receive : public listed_wait {
public:
    explicit channel_receive(channel<T>& from) noexcept : listed_wait(&from), from_(&from) {}

    result<T> await_resume() noexcept {
        if (value_) {
            result<T> taken{std::move(*value_)};
            value_.reset(); // awaited again, it takes another one
            return taken;
        }
        if (cancelled()) return std::errc::operation_canceled;
        return errc::closed;
    }
    [[nodiscard]] std::string_view name() const noexcept override {
        return "receive from a channel";
    }

private:
    friend class channel<T>;
    [[nodiscard]] bool try_now(cancel_batch& woken) noexcept override;

    channel<T>* from_;
    std::optional<T> value_;
};

} // namespace detail

template <class T>
result<void> channel<T>::try_send(T&& value) noexcept {
    detail::cancel_batch woken{this};
    result<void> answer;
    {
        const std::scoped_lock lock{detail::list_lock::of(this)};
        if (closed_)
            answer = errc::closed;
        else if (!put(value, woken))
            answer = std::errc::operation_would_block;
    }
    woken.call_back();
    return answer;
}

template <class T>
result<T> channel<T>::try_receive() noexcept {
    detail::cancel_batch woken{this};
    std::optional<T> value;
    bool ended = false;
    {
        const std::scoped_lock lock{detail::list_lock::of(this)};
        if (!take(value, woken)) ended = closed_;
    }
    woken.call_back();
    if (value) return std::move(*value);
    if (ended) return errc::closed;
    return std::errc::operation_would_block;
}

template <class T>
bool channel<T>::put(T& value, detail::cancel_batch& woken) noexcept {
    if (detail::listed_waiter* first = receivers_.front()) {
        static_cast<detail::channel_receive<T>*>(first)->value_.emplace(std::move(value));
        woken.complete(*first);
        return true;
    }
    if (size_ == capacity()) return false;
    push(std::move(value));
    return true;
}

template <class T>
bool channel<T>::take(std::optional<T>& into, detail::cancel_batch& woken) noexcept {
    if (size_ > 0) pop(into);
    if (detail::listed_waiter* first = senders_.front()) {
        auto& sender = *static_cast<detail::channel_send<T>*>(first);
        if (into)
            push(std::move(sender.value_)); // into the room that is free now
        else
            into.emplace(std::move(sender.value_));
        sender.sent_ = true;
        woken.complete(sender);
    }
    return into.has_value();
}

template <class T>
void channel<T>::push(T&& value) noexcept {
    slots_[(first_ + size_) % capacity()].emplace(std::move(value));
    ++size_;
}

template <class T>
void channel<T>::pop(std::optional<T>& into) noexcept {
    std::optional<T>& oldest = slots_[first_];
    into.emplace(std::move(*oldest));
    oldest.reset();
    first_ = (first_ + 1) % capacity();
    --size_;
}

template <class T>
bool detail::channel_send<T>::try_now(cancel_batch& woken) noexcept {
    CORONET_ASSERT(!sent_); // awaited again, and it has no second value
    if (to_->closed_) return true;
    sent_ = to_->put(value_, woken);
    if (!sent_) to_->senders_.add(*this);
    return sent_;
}

template <class T>
bool detail::channel_receive<T>::try_now(cancel_batch& woken) noexcept {
    if (from_->take(value_, woken) || from_->closed_) return true;
    from_->receivers_.add(*this);
    return false;
}

} // namespace coronet
