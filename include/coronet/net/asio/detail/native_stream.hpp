// SPDX-License-Identifier: BSL-1.0
//
// Operations of Asio's that wait, in their order, for what one request to the kernel brings. The
// user's object, cancellation slots and the operations share in the life of this; the request has
// one of its own.
//
//   bare       nobody waits. The request may be the kernel's all the same: what it brings is kept
//   asking     the first operation waits for it
//   abandoned  the user's object is gone: those that wait are cancelled, the request is dropped
//
// Cancelling those that wait is not the end of the request: nothing that comes is lost. The end of
// its descriptor is: what was kept is told, then bad_descriptor. A forked child begins the request
// anew, if somebody waits; what was kept before is told by both processes.
//
// All of it is the owner's, but for the numbers, which are of the thread that uses the object.
#pragma once

#include <coronet/detail/intrusive_list.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_socket.hpp>
#include <coronet/net/asio/detail/open_descriptor.hpp>
#include <coronet/net/asio/detail/ring_reactor.hpp>
#include <coronet/operation.hpp>
#include <coronet/work.hpp>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/scheduler_operation.hpp>
#else
#include <asio/detail/scheduler_operation.hpp>
#endif

namespace coronet::asiox::detail {

class native_stream;

/// One that waits. What it is told of beside an error, those know who derive from it.
class stream_operation : public asio_detail::scheduler_operation,
                         public work,
                         public coronet::detail::list_hook<stream_operation> {
public:
    stream_operation(const stream_operation&) = delete;
    stream_operation& operator=(const stream_operation&) = delete;

    void fail(std::int32_t res) noexcept { res_ = res; }

protected:
    stream_operation(func_type call, std::shared_ptr<native_stream> on) noexcept
        : asio_detail::scheduler_operation(call), on_(std::move(on)) {}
    ~stream_operation() = default;

    [[nodiscard]] std::int32_t res() const noexcept { return res_; }

private:
    friend class native_stream;
    inline void run() noexcept override;

    const std::shared_ptr<native_stream> on_;
    std::uint64_t number_ = 0;
    std::int32_t res_ = 0; // below 0: an error
};

class native_stream : public std::enable_shared_from_this<native_stream>,
                      private descriptor_stream,
                      protected member_of_ring {
public:
    native_stream(const native_stream&) = delete;
    native_stream& operator=(const native_stream&) = delete;

    // ---- for the thread that uses the object ----

    [[nodiscard]] ring_reactor& reactor() const noexcept { return reactor_; }
    /// Tells `next`, which is about to begin, from all others.
    std::uint64_t number(stream_operation& next) noexcept { return next.number_ = ++last_number_; }

    // ---- for the owner of the ring ----

    void add(stream_operation& next) noexcept {
        if (abandoned_) { // a deferred one that was begun afterwards
            next.fail(-ECANCELED);
            return reactor_.completed(next);
        }
        if (!listed_) list();
        waiting_.push_back(next);
        if (waiting_.front() == &next) ask();
    }
    void cancel(std::uint64_t number) noexcept {
        auto* each = waiting_.front();
        while (each && each->number_ != number)
            each = waiting_.after(*each);
        if (!each) return;
        const bool is_first = each == waiting_.front();
        if (is_first) stop_asking();
        end(*each, -ECANCELED);
        if (is_first) ask();
    }
    void cancel_waiting() noexcept final {
        if (waiting_.empty()) return;
        stop_asking();
        while (auto* each = waiting_.front())
            end(*each, -ECANCELED);
    }
    /// The last thing that is asked of it.
    void abandon() noexcept {
        abandoned_ = true;
        cancel_waiting();
        drop_request();
        if (!std::exchange(listed_, false)) return;
        open_->remove(*this);
        reactor_.remove(*this);
    }

protected:
    native_stream(ring_reactor& reactor, open_descriptor::reference open) noexcept
        : reactor_(reactor), open_(std::move(open)) {}
    ~native_stream() = default;

    [[nodiscard]] stream_operation* first() noexcept { return waiting_.front(); }
    /// The first one has been told its result, or that it failed.
    void answered() noexcept {
        end(*waiting_.front());
        ask();
    }
    /// For the first one, if there is one.
    void ask() noexcept {
        while (auto* next = waiting_.front()) {
            if (take()) {
                end(*next);
            } else if (reactor_.ending()) {
                end(*next, -ECANCELED);
            } else if (open_->left()) {
                end(*next, -EBADF);
            } else {
                return wait();
            }
        }
    }
    /// An error that is told to nobody: of a request that ended when nobody waited, or was the
    /// parent's, and is begun anew by who asks.
    [[nodiscard]] static bool is_leftover(std::int32_t res) noexcept {
        return res == -ECANCELED || res == operation::left_to_parent;
    }
    /// Tells the first one a result if there is one (true; answered() is not called), or has
    /// answered() called when it has come.
    [[nodiscard]] virtual bool take() noexcept = 0;
    /// Asks for one. There is none, and answered() may be called inside this.
    virtual void wait() noexcept = 0;
    virtual void stop_asking() noexcept = 0;
    virtual void drop_request() noexcept = 0;

private:
    void end(stream_operation& ended, std::int32_t error) noexcept {
        ended.fail(error);
        end(ended);
    }
    void end(stream_operation& ended) noexcept {
        waiting_.erase(ended);
        reactor_.completed(ended);
    }
    void list() noexcept {
        listed_ = true;
        open_->add(*this);
        reactor_.add(*this);
    }
    void ring_ends() noexcept final { cancel_waiting(); }

    ring_reactor& reactor_;
    const open_descriptor::reference open_;
    std::uint64_t last_number_ = 0;
    coronet::detail::intrusive_list<stream_operation> waiting_;
    bool listed_ = false;
    bool abandoned_ = false;
};

inline void stream_operation::run() noexcept {
    on_->add(*this);
}

} // namespace coronet::asiox::detail
