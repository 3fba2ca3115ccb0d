// SPDX-License-Identifier: BSL-1.0
//
// An asynchronous operation of an Asio object, carried out by the ring. To Asio it is one of its
// scheduler's operations, to Coronet one of the ring's.
//
//   made      in memory of the handler's allocator
//   begun     counted as work; started on the ring by its owner
//   completed its result is kept; it waits in Asio's queue for a thread of the context
//   called    the memory is given back, then the handler is called
//
// `Request` says what is done and what is told:
//     void prepare(io_uring_sqe&) noexcept;
//     operation::subject on() const noexcept;
//     bool keeps_order() const noexcept;                     where not all of the same on() do
//     bool goes_on(std::int32_t res) noexcept;               where one entry may not be all
//     static constexpr bool may_need_kernel_worker = true;   where that is so: files
//     void begun_after(unsigned forks) noexcept;             where a fork meanwhile matters
//     std::int32_t ended_after(unsigned forks, std::int32_t res) const noexcept;   there, too
//     lent_to_peer& lent() noexcept;                         where memory is lent (zero_copy.hpp)
//     bool is_all(std::int32_t res) const noexcept;          there, too
//     void finish(std::int32_t res, error_code&) noexcept;   a result that is no error
//     void deliver(error_code&);                             before the handler is called
//     auto bind(Handler&, const error_code&);                the handler with its arguments
#pragma once

#include <coronet/clock.hpp>
#include <coronet/detail/hooks.hpp>
#include <coronet/error.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/call_handler.hpp>
#include <coronet/net/asio/detail/open_descriptor.hpp>
#include <coronet/net/asio/detail/ring_reactor.hpp>
#include <coronet/net/asio/detail/scheduler_executor.hpp>
#include <coronet/net/zero_copy.hpp>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/detail/handler_alloc_helpers.hpp>
#include <boost/asio/detail/handler_cont_helpers.hpp>
#include <boost/asio/detail/handler_work.hpp>
#else
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/detail/handler_alloc_helpers.hpp>
#include <asio/detail/handler_cont_helpers.hpp>
#include <asio/detail/handler_work.hpp>
#endif

namespace coronet::asiox::detail {

/// A result of the ring below 0 as Asio tells it. -ECANCELED is operation_aborted there.
inline error_code asio_error(std::int32_t res) noexcept {
    constexpr std::int32_t last_of_the_kernel = -4000;
    if (res > last_of_the_kernel) return {-res, net::error::get_system_category()};
    return error_of_result(res);
}

class ring_operation : public asio_detail::scheduler_operation, public native_operation {
public:
    ring_operation(const ring_operation&) = delete;
    ring_operation& operator=(const ring_operation&) = delete;

protected:
    ring_operation(
        func_type call, unsigned lane, bool lends, ring_reactor& reactor,
        const open_descriptor::reference& descriptor
    ) noexcept
        : asio_detail::scheduler_operation(call),
          native_operation(lane, lends),
          reactor_(reactor),
          descriptor_(descriptor) {}
    ~ring_operation() = default;

    [[nodiscard]] ring_reactor& reactor() const noexcept { return reactor_; }
    virtual void finish(std::int32_t res) noexcept = 0;
    /// Whether it is to be submitted once more.
    [[nodiscard]] virtual bool goes_on(std::int32_t res) noexcept = 0;
    /// In a forked child: whether a task awaits it, which is the parent's. Nobody would have here
    /// what it brings.
    [[nodiscard]] virtual bool is_parents() const noexcept = 0;
    /// The number of its descriptor, to reset that; or -1.
    [[nodiscard]] int number_of(int fd) const noexcept {
        return descriptor_->number_to_reset(fd, reactor_.ending());
    }
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    /// It is in flight still, and nobody has to wait for it.
    void let_others_begin() noexcept {
        begin(static_cast<ring_operation*>(descriptor_->leave_lane(*this)));
    }

private:
    /// As the owner: begins, if it is its turn.
    void run() noexcept override {
        if (!never_needs_kernel_worker()) reactor_.worker_may_begin();
        if (descriptor_->add(*this)) reactor_.ring().start(*this);
    }
    void give_up() noexcept override { static_cast<void>(end(-ECANCELED)); }

    /// Its handler is next. Whose turn it is now, or null.
    ring_operation* end(std::int32_t res) noexcept {
        if (!never_needs_kernel_worker()) reactor_.worker_has_ended();
        auto* next = static_cast<ring_operation*>(descriptor_->remove(*this));
        finish(res);
        reactor_.completed(*this);
        return next;
    }
    /// `next`, if there is one, or one behind it.
    static void begin(ring_operation* next) noexcept {
        while (next && next->may_not_begin())
            next = next->end(-ECANCELED);
        if (next) next->reactor_.ring().start(*next);
    }
    [[nodiscard]] bool may_not_begin() const noexcept {
        return asked_to_end() || is_parents() || reactor_.ending() ||
               reactor_.ring().stop_requested();
    }

    ring_reactor& reactor_;
    const open_descriptor::reference descriptor_;
};

inline void ring_operation::complete(std::int32_t res, std::uint32_t /*flags*/) noexcept {
    const bool is_left = res == operation::left_to_parent; // this process has another ring
    if (is_left && (cancel_requested() || reactor_.ending() || is_parents())) res = -ECANCELED;
    if (res == operation::left_to_parent || goes_on(res)) {
        reactor_.ring().start(*this);
        return;
    }
    begin(end(res));
}

template <class Request, class Handler, class IoExecutor>
class ring_op final : public ring_operation {
public:
    CORONET_ASIO_HANDLER_PTR(ring_op);

    ring_op(
        ring_reactor& reactor, const open_descriptor::reference& descriptor, Request&& request,
        Handler& handler, const IoExecutor& executor
    )
        : ring_operation(&ring_op::call, lane_of(request), lends, reactor, descriptor),
          request_(std::move(request)),
          handler_(std::move(handler)),
          work_(handler_, executor) {
        if constexpr (requires { request_.begun_after(reactor.forks()); })
            request_.begun_after(reactor.forks());
    }

    /// What it ends with, if it is not begun.
    void fail(const error_code& error) noexcept { error_ = error; }
    [[nodiscard]] Request& request() noexcept { return request_; }

private:
    using work_guard = asio_detail::handler_work<Handler, IoExecutor>;
    static constexpr bool lends = requires(Request & request) { request.lent(); };

    [[nodiscard]] static unsigned lane_of(const Request& request) noexcept {
        if constexpr (requires { request.keeps_order(); })
            if (!request.keeps_order()) return 0;
        return request.on().poll_events;
    }

    /// `owner` is null when it is destroyed without a call.
    static void call(
        void* owner, asio_detail::scheduler_operation* base, const error_code& /*error*/,
        std::size_t /*count*/
    ) {
        auto* op = static_cast<ring_op*>(base);
        const bool is_called = owner != nullptr;
        call_handler(op, op->handler_, op->work_, is_called, [op, is_called] {
            if (is_called) op->request_.deliver(op->error_);
            return op->request_.bind(op->handler_, op->error_);
        });
    }

    void prepare(io_uring_sqe& sqe) noexcept override { request_.prepare(sqe); }
    [[nodiscard]] subject on() const noexcept override { return request_.on(); }
    [[nodiscard]] std::string_view name() const noexcept override { return Request::name; }
    [[nodiscard]] bool never_needs_kernel_worker() const noexcept override {
        return !requires {
            Request::may_need_kernel_worker;
        };
    }
    [[nodiscard]] bool is_parents() const noexcept override {
        if constexpr (std::is_same_v<net::associated_executor_t<Handler>, scheduler_executor>)
            return net::get_associated_executor(handler_).is_parents();
        else
            return false;
    }
    void finish(std::int32_t res) noexcept override {
        if constexpr (requires { request_.ended_after(0u, res); })
            res = request_.ended_after(reactor().forks(), res);
        if (res < 0)
            error_ = asio_error(res);
        else
            request_.finish(res, error_);
    }

    void complete(std::int32_t res, std::uint32_t flags) noexcept override {
        if constexpr (lends)
            complete_loan(res, flags);
        else
            ring_operation::complete(res, flags);
    }
    void complete_loan(std::int32_t res, std::uint32_t flags) noexcept requires(lends) {
        using step = coronet::detail::lent_to_peer::step;
        const int number = number_of(request_.on().fd);
        switch (request_.lent().after(number, res, flags)) {
        case step::wait:
            CORONET_HOOK(sent_by_reference, this);
            this->set_res(res);
            if (request_.is_all(res)) let_others_begin();
            return;
        case step::copy:
            if (cancel_requested() || reactor().ending()) break;
            reactor().ring().start(*this);
            return;
        case step::go_on:
            // A forked child has nothing to wait for: what was taken is sent by the parent.
            if (res == operation::left_to_parent && request_.lent().is_held()) res = this->res();
            return ring_operation::complete(res, flags);
        }
        ring_operation::complete(-ECANCELED, 0);
    }
    void asked_again(time_point now) noexcept override {
        if constexpr (lends) {
            const int number = number_of(request_.on().fd);
            if (number >= 0) request_.lent().asked_again(number, now);
        }
    }

    [[nodiscard]] bool goes_on(std::int32_t res) noexcept override {
        if constexpr (requires { request_.goes_on(res); })
            return !cancel_requested() && !reactor().ending() && request_.goes_on(res);
        else
            return false;
    }

    Request request_;
    error_code error_;
    Handler handler_;
    work_guard work_;
};

/// In the cancellation slot of a handler: ends its operation.
class slot_cancellation {
public:
    slot_cancellation(
        ring_reactor& reactor, open_descriptor::reference descriptor, std::uint64_t number
    ) noexcept
        : reactor_(reactor), descriptor_(std::move(descriptor)), number_(number) {}

    void operator()(net::cancellation_type_t asked) const {
        using kind = net::cancellation_type;
        if (!!(asked & (kind::terminal | kind::partial | kind::total)))
            reactor_.soon_as_owner([descriptor = descriptor_, number = number_] {
                descriptor->cancel(number);
            });
    }

private:
    ring_reactor& reactor_;
    open_descriptor::reference descriptor_;
    std::uint64_t number_;
};

/// Makes the operation and begins it, or ends it at once: `at_once` says so, with `error`.
template <class Request, class Handler, class IoExecutor>
void initiate(
    ring_reactor& reactor, const open_descriptor::reference& descriptor, Request&& request,
    Handler& handler, const IoExecutor& executor, bool at_once, const error_code& error
) {
    using op = ring_op<std::decay_t<Request>, Handler, IoExecutor>;
    const bool is_continuation = CORONET_ASIO_CONTINUATION_HELPERS::is_continuation(handler);
    auto slot = net::get_associated_cancellation_slot(handler);
    typename op::ptr memory = {std::addressof(handler), op::ptr::allocate(handler), nullptr};
    memory.p = new (memory.v) op(reactor, descriptor, std::move(request), handler, executor);
    op& made = *memory.p;
    if (at_once) {
        made.fail(error);
        reactor.complete_at_once(made, is_continuation);
    } else {
        if (slot.is_connected())
            slot.template emplace<slot_cancellation>(
                reactor, descriptor, descriptor.get().number(made)
            );
        reactor.begin(made);
    }
    memory.v = memory.p = nullptr;
}

} // namespace coronet::asiox::detail
