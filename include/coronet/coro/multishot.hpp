// SPDX-License-Identifier: BSL-1.0
//
// One request to the kernel that has many results: connections as they come, events of a
// descriptor. The stream is what the user holds; the operation has a life of its own in the heap,
// as the kernel may still complete it when nobody is interested any more. What then arrives is
// closed.
//
//   resting   → armed      next() finds nothing kept
//   armed     → armed      a result (F_MORE): to the next() that waits, or kept for one to come
//   armed     → pausing    as much is kept as may be: the request is cancelled
//   pausing   → resting    its terminal completion; armed again if a next() waits by then
//   armed     → resting    the terminal completion: an error goes to next(), which begins anew
//   armed     → closing    close()
//   closing, resting → closed   the terminal completion; close(). What was kept is closed.
//   any       → abandoned  the stream is destroyed. The operation is asked to end and frees itself
//                          at its terminal completion (at once if it rests).
//
// Owner thread only.
#pragma once

#include <coronet/coro/detail/waiter.hpp>
#include <coronet/operation.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace coronet {

namespace detail {

class multishot_close;

/// Somebody who waits for the next result.
class result_wait : public pending_work {
public:
    /// He does not wait any more. He may wait again at once.
    virtual void arrive(std::int32_t res) noexcept = 0;

protected:
    result_wait() noexcept = default;
    ~result_wait() = default;
};

class multishot : public operation {
public:
    multishot(const multishot&) = delete;
    multishot& operator=(const multishot&) = delete;
    virtual ~multishot() = default;

    /// The oldest result that nobody has taken, or the error that ended it.
    [[nodiscard]] bool take(std::int32_t& res) noexcept;
    [[nodiscard]] bool closed() const noexcept { return closing_; }
    /// False: the descriptor that it was made for is no longer there.
    [[nodiscard]] virtual bool usable() const noexcept { return true; }
    /// `next` gets what comes first.
    void wait(result_wait& next, scheduler& here) noexcept;
    void stop_waiting() noexcept { waiting_ = nullptr; }
    /// The next() after what was kept tells that it was cancelled, also if nothing was in flight.
    void request_end() noexcept;
    /// False if nothing is in flight. Else `closer` goes on after the terminal completion.
    [[nodiscard]] bool close(multishot_close& closer) noexcept;
    void drop_kept() noexcept;
    void abandon() noexcept;

    [[nodiscard]] std::source_location place() const noexcept final;
    [[nodiscard]] bool never_needs_kernel_worker() const noexcept final { return true; }

protected:
    multishot() = default;

    /// Where the kernel cannot (-EINVAL), a request a result; next() begins each.
    [[nodiscard]] bool one_by_one() const noexcept { return one_by_one_; }
    [[nodiscard]] bool abandoned() const noexcept { return abandoned_; }
    /// Gives a result back that nobody will take.
    virtual void discard(std::int32_t) noexcept {}
    /// How many results may be kept.
    [[nodiscard]] virtual std::size_t kept_max() const noexcept { return SIZE_MAX; }
    virtual void on_armed() noexcept {}
    virtual void on_resting() noexcept {}
    virtual void on_abandoned() noexcept {}

private:
    void complete(std::int32_t res, std::uint32_t flags) noexcept final;
    void run() noexcept final {} // it is never made ready: those who wait are
    [[nodiscard]] bool tried_again(std::int32_t res) noexcept;
    void begin() noexcept;
    void give(std::int32_t res) noexcept;
    void keep(std::int32_t res) noexcept;
    struct end_of_request {
        std::int32_t res;
        bool was_cancelled;
        bool has_paused;
    };
    void ended(const end_of_request& end) noexcept;

    result_wait* waiting_ = nullptr;
    multishot_close* closer_ = nullptr;
    std::vector<std::int32_t> kept_; // from first_ on
    std::size_t first_ = 0;
    std::int32_t error_ = 0;   // that ended it, until next() has taken it
    std::int32_t failure_ = 0; // of ours, for which it was asked to end
    bool one_by_one_ = false;
    bool pausing_ = false;
    bool closing_ = false;
    bool abandoned_ = false;
};

/// One next().
class multishot_wait : public result_wait, public leaf_await {
public:
    explicit multishot_wait(multishot& source) noexcept : source_(&source) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        if (known()) return false;
        if (!waiter_.suspend(frame, *this)) {
            res_ = cancelled;
            return false;
        }
        waiting_ = true;
        source_->wait(*this, waiter_.where());
        return true;
    }

    void arrive(std::int32_t res) noexcept override;
    /// The stream goes on: what comes is kept.
    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return source_->name(); }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

protected:
    [[nodiscard]] std::int32_t res() const noexcept { return res_; }
    [[nodiscard]] scheduler& where() const noexcept { return waiter_.where(); }
    void run() noexcept override { waiter_.resume(); }

private:
    static const std::int32_t cancelled;

    /// What was there before, also in a branch that is stopped: nothing that arrived is lost.
    [[nodiscard]] bool known() noexcept;

    multishot* source_;
    waiter waiter_;
    std::int32_t res_ = 0;
    bool waiting_ = false;
};

template <class T>
class [[nodiscard]] multishot_next : public multishot_wait {
public:
    using multishot_wait::multishot_wait;
    result<T> await_resume() const noexcept {
        if (res() < 0) return error_of_result(res());
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(res());
        else if constexpr (std::is_same_v<T, unique_fd>)
            return unique_fd{res()};
        else
            return T{unique_fd{res()}};
    }
};

class [[nodiscard]] multishot_close final : public pending_work {
public:
    explicit multishot_close(multishot& source) noexcept : source_(&source) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        if (!source_->close(*this)) return false;
        waiter_.suspend_regardless(frame, *this);
        return true;
    }
    void await_resume() const noexcept { source_->drop_kept(); }

    void go_on() noexcept { waiter_.where().ready(*this); }
    void cancel() noexcept override {} // what it waits for has been cancelled
    [[nodiscard]] std::string_view name() const noexcept override { return "close"; }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

private:
    void run() noexcept override { waiter_.resume(); }

    multishot* source_;
    waiter waiter_;
};

struct abandoning {
    void operator()(multishot* left) const noexcept { left->abandon(); }
};

} // namespace detail

/// Results of one request, as they come. Moved freely, also while it waits for results; destroyed
/// at any time, but not under a next() or a close(): what arrives afterwards is given back.
template <class T>
class [[nodiscard]] multishot_stream {
public:
    using value_type = T;

    /// For Coronet's own streams.
    explicit multishot_stream(std::unique_ptr<detail::multishot, detail::abandoning> source)
        : source_(std::move(source)) {}

    /// Waits for the next result. The first call begins; results that come between two calls are
    /// kept. Begins again where the kernel has ended the request, and after an error.
    ///
    /// Errors: those of the operation; operation_canceled after cancel(), or when this await ended
    /// early; always after close().
    /// Cancel: total: the stream goes on, and keeps what comes.
    /// Lifetime: the stream outlives the await. One next() at a time.
    /// Thread: owner; the one of the first call.
    [[nodiscard]] detail::multishot_next<T> next() noexcept {
        return detail::multishot_next<T>{*source_};
    }

    /// Asks the request to end. next() gives what came before its end, then operation_canceled
    /// once; the next() after that begins anew.
    void cancel() noexcept { source_->request_end(); }

    /// Cancels, waits for the terminal completion, and closes what nobody has taken.
    ///
    /// Cancel: none.
    /// Lifetime: the stream outlives the await.
    /// Thread: owner.
    [[nodiscard]] detail::multishot_close close() noexcept {
        return detail::multishot_close{*source_};
    }

private:
    std::unique_ptr<detail::multishot, detail::abandoning> source_;
};

namespace detail {

/// Throws std::bad_alloc.
template <class T, class Operation, class... Arguments>
multishot_stream<T> make_multishot(Arguments&&... arguments) {
    return multishot_stream<T>{std::unique_ptr<multishot, abandoning>{
        new Operation(std::forward<Arguments>(arguments)...)}};
}

class accept_multishot : public multishot {
public:
    explicit accept_multishot(int fd) noexcept : fd_(fd) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    void discard(std::int32_t res) noexcept override;
    [[nodiscard]] std::size_t kept_max() const noexcept override { return 128; }
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "accept"; }
    int fd_;
};

class poll_multishot final : public multishot {
public:
    poll_multishot(int fd, unsigned events) noexcept : fd_(fd), events_(events) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override { return {fd_, 0}; }
    [[nodiscard]] std::string_view name() const noexcept override { return "poll"; }
    int fd_;
    unsigned events_;
};

} // namespace detail

namespace async {

using accept_stream = multishot_stream<unique_fd>;
using poll_stream = multishot_stream<unsigned>;

/// Accepts connections, close-on-exec, by one request for all: also while nobody asks for the next
/// one, until 128 or a few more are kept. The others stay in the backlog. So ask, or close.
///
/// Result of next(): a connected socket. Errors: those of accept(2).
/// Cancel: what was accepted before is delivered, or closed; what was not stays in the backlog.
/// Lifetime: the descriptor outlives the request, which has ended when close() has been awaited.
/// That of a stream that is just destroyed ends some time later, and tells nobody when.
/// Kernel: IORING_OP_ACCEPT with IORING_ACCEPT_MULTISHOT, 5.19; a request a connection before.
[[nodiscard]] accept_stream accept_multishot(int fd);

/// Reports events (POLLIN, ...) of a descriptor each time that they happen: what is still there
/// since the last report is not reported again, so use it up.
///
/// Result of next(): the events that did happen, POLLERR and POLLHUP included.
/// Lifetime: the descriptor outlives the request, which has ended when close() has been awaited.
/// That of a stream that is just destroyed ends some time later, and tells nobody when.
/// Kernel: IORING_OP_POLL_ADD with IORING_POLL_ADD_MULTI, 5.13; a request an event before.
[[nodiscard]] poll_stream poll_multishot(int fd, unsigned events);

} // namespace async

} // namespace coronet
