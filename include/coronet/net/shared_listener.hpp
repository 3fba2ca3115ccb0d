// SPDX-License-Identifier: BSL-1.0
//
// One listener whose connections several schedulers serve: for unix sockets, which no two listeners
// can share, and where SO_REUSEPORT deals out badly. One scheduler accepts for all; each has a
// share, which it uses as it would use a listener of its own. A connection travels as a value,
// through a channel.
//
// They are dealt out in turn. The kernel's hash (SO_REUSEPORT) is even over thousands of
// connections only, and whoever is quickest, as with threads that accept from one socket, is the
// one that has just been busy: long connections pile up there. A share that is full is left out, so
// a scheduler that does not get round to accepting holds up nobody.
//
//   open → closed   close() of the share, its end, or that of run(). What is in it goes to the
//                   others in the first two cases, and is still accepted from it in the last.
//
// run() belongs to one thread, a share to one at a time; what they have in common has a lock.
#pragma once

#include <coronet/coro/channel.hpp>
#include <coronet/coro/event.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/accept_backoff.hpp>
#include <coronet/net/basic_listener.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

namespace coronet {

namespace detail {

/// The open shares of a listener. Any thread.
template <class Stream>
class dealer {
public:
    using inbox = channel<Stream>;
    using shared_inbox = std::shared_ptr<inbox>;
    enum class outcome { given, full, nobody };

    /// A round of dealing begins: it ends with close_all().
    void open() noexcept {
        const std::scoped_lock lock{mutex_};
        over_ = false;
    }

    /// After the end it is closed at once.
    void add(const shared_inbox& added) {
        {
            const std::scoped_lock lock{mutex_};
            if (over_)
                added->close();
            else
                open_.push_back(added);
        }
        room_.set();
    }

    /// Whoever waits for room may find that nobody is left.
    void remove(const shared_inbox& removed) noexcept {
        {
            const std::scoped_lock lock{mutex_};
            open_.erase(std::remove(open_.begin(), open_.end(), removed), open_.end());
        }
        removed->close();
        room_.set();
    }

    void close_all() noexcept {
        std::vector<shared_inbox> all;
        {
            const std::scoped_lock lock{mutex_};
            all.swap(open_);
            over_ = true;
        }
        for (const shared_inbox& each : all)
            each->close();
        room_.set();
    }

    /// To the next one in turn that has room. Else `peer` is left as it was.
    outcome deal(Stream& peer) noexcept {
        // Held until all were tried: who is told `full` must not have overlooked one.
        const std::scoped_lock lock{mutex_};
        for (std::size_t i = 0; i < open_.size(); ++i)
            if (open_[turn_++ % open_.size()]->try_send(std::move(peer))) return outcome::given;
        return open_.empty() ? outcome::nobody : outcome::full;
    }

    /// The same; where all are full, wait_for_room() waits until another attempt makes sense.
    outcome deal_or_announce(Stream& peer) noexcept {
        const outcome dealt = deal(peer);
        if (dealt != outcome::full) return dealt;
        // Who takes one out of an inbox that the second attempt finds full sees this: the inbox has
        // a lock, too. What was taken before makes room for that attempt.
        room_.reset(); // first: what is taken from here on sets it
        waiting_.store(true, std::memory_order_relaxed);
        return deal(peer);
    }
    [[nodiscard]] auto wait_for_room() noexcept { return room_.wait(); }
    /// One was taken out of an inbox.
    void taken() noexcept {
        if (!waiting_.load(std::memory_order_relaxed)) return;
        waiting_.store(false, std::memory_order_relaxed);
        room_.set();
    }

private:
    std::mutex mutex_;
    std::vector<shared_inbox> open_;
    std::size_t turn_ = 0;
    bool over_ = false;
    std::atomic<bool> waiting_{false};
    event room_;
};

/// While it lives shares are dealt to; they are closed at its end, also by an exception.
template <class Stream>
class dealing {
public:
    explicit dealing(dealer<Stream>& dealer) noexcept : dealer_(dealer) { dealer_.open(); }
    dealing(const dealing&) = delete;
    dealing& operator=(const dealing&) = delete;
    ~dealing() { dealer_.close_all(); }

private:
    dealer<Stream>& dealer_;
};

/// receive() of a share's channel.
template <class Stream>
class [[nodiscard]] share_accept final : public channel_receive<Stream> {
public:
    share_accept(channel<Stream>& from, dealer<Stream>& of) noexcept
        : channel_receive<Stream>(from), dealer_(&of) {}
    result<Stream> await_resume() noexcept {
        auto accepted = channel_receive<Stream>::await_resume();
        if (accepted) dealer_->taken();
        return accepted;
    }

private:
    dealer<Stream>* dealer_;
};

} // namespace detail

/// A scheduler's part of a shared_listener. Moved freely while no accept() waits; it may outlive
/// the listener.
template <class Stream>
class listener_share {
public:
    using stream_type = Stream;

    listener_share(listener_share&&) noexcept = default;
    listener_share& operator=(listener_share&& other) noexcept {
        close();
        from_ = std::move(other.from_);
        inbox_ = std::move(other.inbox_);
        return *this;
    }
    /// As close().
    ~listener_share() { close(); }

    /// Waits for the next connection that is for this share.
    ///
    /// Errors: errc::closed, when the listener's run() has ended and nothing is left here, and
    /// after close(). Cancel: total: connections stay in the share. If one was given first, it is
    /// the answer. Lifetime: the share outlives the await. Thread: owner of any scheduler, one at a
    /// time.
    [[nodiscard]] detail::share_accept<Stream> accept() noexcept {
        return detail::share_accept<Stream>{*inbox_, *from_};
    }

    /// Takes no more: what it holds goes to the other shares, or is closed if they are full. No
    /// accept() waits. Thread: that of accept().
    void close() noexcept {
        if (!inbox_) return; // moved away
        from_->remove(inbox_);
        for (auto left = inbox_->try_receive(); left; left = inbox_->try_receive())
            static_cast<void>(from_->deal(*left));
    }

private:
    template <class Listener>
    friend class shared_listener;

    using dealer = detail::dealer<Stream>;
    listener_share(std::shared_ptr<dealer> from, std::size_t capacity)
        : from_(std::move(from)), inbox_(std::make_shared<channel<Stream>>(capacity)) {
        from_->add(inbox_);
    }

    std::shared_ptr<dealer> from_;
    std::shared_ptr<channel<Stream>> inbox_; // null: moved away
};

template <class Listener>
class shared_listener {
public:
    using stream_type = typename Listener::stream_type;

    /// At most `inbox` connections, and at least one, wait in each share for its scheduler; the
    /// others wait in the backlog. Throws std::bad_alloc.
    explicit shared_listener(Listener listener, std::size_t inbox = 16)
        : listener_(std::move(listener)), inbox_(std::max<std::size_t>(inbox, 1)) {}
    shared_listener(const shared_listener&) = delete;
    shared_listener& operator=(const shared_listener&) = delete;
    ~shared_listener() { dealer_->close_all(); }

    /// Another share; from now on it gets connections in turn with the others. Throws
    /// std::bad_alloc. Thread: any.
    [[nodiscard]] listener_share<stream_type> add_share() { return {dealer_, inbox_}; }

    /// Accepts for all shares, on the scheduler of the listener, and gives each connection to one
    /// of them. Pauses where descriptors or memory are short (accept_backoff), and while all shares
    /// are full. At its end the shares are closed; they still give what they hold.
    ///
    /// Result: why it has ended: as accept_all(); errc::closed if no share is open.
    /// Cancel: total: connections that were not accepted stay in the backlog; one that found all
    /// shares full is closed.
    /// Lifetime: this object outlives the await.
    /// Thread: owner.
    [[nodiscard]] task<std::error_code> run();

    /// Address and options of what it accepts from.
    [[nodiscard]] Listener& listener() noexcept { return listener_; }

private:
    using outcome = typename detail::dealer<stream_type>::outcome;
    task<std::error_code> accept_until_the_end();

    Listener listener_;
    std::size_t inbox_;
    std::shared_ptr<detail::dealer<stream_type>> dealer_ =
        std::make_shared<detail::dealer<stream_type>>();
};

template <class Listener>
task<std::error_code> shared_listener<Listener>::run() {
    const detail::dealing<stream_type> round{*dealer_};
    auto accepting = accept_until_the_end();
    const auto ended = co_await std::move(accepting);
    co_return ended;
}

template <class Listener>
task<std::error_code> shared_listener<Listener>::accept_until_the_end() {
    accept_backoff backoff;
    for (;;) {
        auto accepted = co_await listener_.accept();
        if (!accepted) {
            auto pausing = backoff.after(accepted.error());
            const auto ended = co_await std::move(pausing);
            if (ended) co_return ended;
            continue;
        }
        backoff.accepted();
        auto dealt = dealer_->deal_or_announce(*accepted);
        while (dealt == outcome::full) {
            const auto room = co_await dealer_->wait_for_room();
            if (!room) co_return room.error();
            dealt = dealer_->deal_or_announce(*accepted);
        }
        if (dealt == outcome::nobody) co_return errc::closed;
    }
}

} // namespace coronet
