// SPDX-License-Identifier: BSL-1.0
//
// What a peer sends, in buffers of the scheduler's that the driver chooses as data comes: a silent
// connection holds none, and a busy one needs no request for each result. The stream is what the
// user holds; the operation has a life of its own in the heap, as the kernel may still complete it
// when nobody is interested any more. What then arrives goes straight home.
//
//   resting  → armed      next() finds nothing kept; or what is kept has been taken down to half
//   armed    → armed      a piece arrives (F_MORE): to the next() that waits, or kept for one to
//                         come. Or the kernel has ended the request without an error.
//   armed    → starved    no buffer (-ENOBUFS): parked in the pool (unless that has grown)
//   starved  → armed      a buffer has come home
//   armed    → pausing    as much is kept as the window allows: the request is cancelled
//   pausing  → resting    its terminal completion; armed again if what is kept has been taken
//   armed, pausing → ending   it is asked to end: by cancel() of the stream, or of its socket
//   armed, ending  → resting  the end of the data, an error, a cancellation: next() tells when all
//                         that is kept has been taken, then begins anew
//   any      → abandoned  the stream is destroyed. The operation is asked to end and frees itself
//                         at its terminal completion (at once if it rests or starves).
//
// While it neither rests nor has been abandoned it is in its socket's list of what is in flight.
// Where the kernel knows no multishot receive it rests after each piece. Owner thread only.
#pragma once

#include <coronet/coro/detail/waiter.hpp>
#include <coronet/coro/io/descriptor.hpp>
#include <coronet/operation.hpp>
#include <coronet/received_buffer.hpp>
#include <coronet/result.hpp>

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string_view>
#include <utility>

namespace coronet {

struct receive_options {
    /// Memory that may be kept for one stream while nobody asks for the next piece: each counts as
    /// the buffer that it occupies. After that the peer has to wait, as with any reader that does
    /// not read.
    std::size_t window = std::size_t{256} * 1024;
    /// Several buffers by one result, where the kernel can (6.10, and not with incremental ones).
    bool bundle = false;
};

namespace detail {

class receive_next;

/// What its socket asks to end: it may be starved, and then it is not an operation in flight. (A
/// base and not a member, so that a connection that waits takes less.)
class receive_ender : public pending_work {
public:
    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recv"; }

protected:
    receive_ender() noexcept = default;
    ~receive_ender() = default;

private:
    void run() noexcept override {}
};

class receive_operation final : public operation,
                                private buffer_waiter,
                                private may_outlive_descriptor,
                                private receive_ender {
public:
    receive_operation(descriptor& from, const receive_options& options) noexcept
        : may_outlive_descriptor(from),
          fd_(from.native_handle()),
          window_(static_cast<std::uint32_t>(std::min<std::size_t>(options.window, window_max))),
          generation_(from.generation()) {
        if (options.bundle) kind_ = kind::bundled;
    }
    receive_operation(const receive_operation&) = delete;
    receive_operation& operator=(const receive_operation&) = delete;
    ~receive_operation() = default;

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* freed) noexcept { free_frame(freed); }

    /// Whether a next() has to wait for what comes, and something will.
    [[nodiscard]] bool is_bare(const scheduler& here) const noexcept {
        return state_ == state::armed && first_ == kept_piece::none && !waiting_ &&
               owner() == &here;
    }
    /// False: there is nothing yet.
    [[nodiscard]] bool take(receive_next& into, const scheduler& here) noexcept;
    /// `next` gets what comes first.
    void wait(receive_next& next, scheduler& here) noexcept;
    void wait_armed(receive_next& next) noexcept { waiting_ = &next; }
    [[nodiscard]] const receive_next* waiting() const noexcept { return waiting_; }
    void stop_waiting() noexcept { waiting_ = nullptr; }
    /// The next() after what was kept tells that it was cancelled, also if nothing was in flight.
    void request_end() noexcept;
    void abandon() noexcept;

    [[nodiscard]] std::string_view name() const noexcept override { return "recv"; }
    [[nodiscard]] std::source_location place() const noexcept override;

private:
    enum class state : std::uint8_t { resting, armed, starved, pausing, ending, abandoned };

    /// Of request: one for all that comes, or for a piece.
    enum class kind : std::uint8_t { bundled, multishot, one_by_one };

    friend class receive_ender;
    static constexpr std::uint32_t window_max = std::uint32_t{1} << 30;

    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    void run() noexcept override {} // it is never made ready: those who wait are
    [[nodiscard]] subject on() const noexcept override;
    void buffers_are_back() noexcept override;
    [[nodiscard]] bool is_waited_for() const noexcept override { return waiting_ != nullptr; }
    void receive_into(receive_block& block) noexcept override;

    [[nodiscard]] received_piece brought(std::int32_t res, std::uint32_t flags) noexcept;
    void give(const received_piece& piece) noexcept;
    void give_bundle(std::uint32_t size, std::uint32_t flags) noexcept;
    void keep(const received_piece& piece) noexcept;
    void terminated(std::int32_t res) noexcept;
    [[nodiscard]] bool goes_on_after(std::int32_t res, state before) noexcept;
    void begin() noexcept;
    void arm() noexcept;
    void starve() noexcept;
    void rest() noexcept;
    void end(std::int32_t res) noexcept;
    void tell(std::int32_t res) noexcept;
    [[nodiscard]] std::int32_t find_pool() noexcept;
    void drop_kept() noexcept;
    [[nodiscard]] bool usable() const noexcept {
        return fd_ >= 0 && generation_ == whose().generation();
    }
    [[nodiscard]] bool wants_more() const noexcept { return waiting_ || kept_ <= window_ / 2; }

    static constexpr std::int32_t not_ended = 1;

    state state_ = state::resting;
    kind kind_ = kind::multishot;
    bool careful_ = false;    // there is a block_, or a piece is lost, or several come at once
    bool piece_lost_ = false; // for which it was asked to end
    int fd_;
    std::int32_t end_ = not_ended; // else what next() tells after all that is kept: 0, or an error
    std::uint32_t first_ = kept_piece::none;
    std::uint32_t last_ = kept_piece::none;
    std::uint32_t kept_ = 0; // what that costs
    std::uint32_t window_;
    std::uint32_t generation_; // of its socket, when it was made
    receive_next* waiting_ = nullptr;
    buffer_pool* pool_ = nullptr;    // of the scheduler
    receive_block* block_ = nullptr; // where it receives into; where the pool offers none
};

/// One next().
class [[nodiscard]] receive_next : public pending_work, public leaf_await {
public:
    explicit receive_next(receive_operation& source) noexcept : source_(&source) {}
    /// Awaitables are copied until they begin.
    receive_next(const receive_next& other) noexcept
        : pending_work(), leaf_await(), source_(other.source_) {}
    receive_next& operator=(const receive_next&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        scheduler& here = frame.promise().in_branch().where();
        const bool bare = source_->is_bare(here);
        if (!bare && source_->take(*this, here)) return false;
        if (!waiter_.suspend(frame, *this)) [[unlikely]] {
            error_ = -ECANCELED;
            return false;
        }
        if (bare) [[likely]]
            source_->wait_armed(*this);
        else
            source_->wait(*this, here);
        return true;
    }
    result<received_buffer> await_resume() const noexcept {
        if (error_ != 0) [[unlikely]]
            return error_of_result(error_);
        return received_buffer{piece_.data, piece_.size, piece_.block};
    }

    void put(const received_piece& piece) noexcept { piece_ = piece; }
    void put(std::int32_t error) noexcept { error_ = error; }
    void go_on(scheduler& here) noexcept { here.ready(*this); }
    /// The stream goes on: what comes is kept.
    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recv"; }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

protected:
    void run() noexcept override { waiter_.resume(); }
    [[nodiscard]] scheduler& where() const noexcept { return waiter_.where(); }

private:
    friend class receive_operation;

    std::int32_t error_ = 0; // first: it fits behind the flag of `work`
    receive_operation* source_;
    waiter waiter_;
    received_piece piece_{}; // there is nobody else who would give it back: it resumes
};

struct abandoning_receive {
    void operator()(receive_operation* left) const noexcept { left->abandon(); }
};

} // namespace detail

/// Pieces of what a peer sends, in their order. Moved freely, also while it receives; destroyed at
/// any time, but not under a next(): what arrives afterwards is dropped.
class [[nodiscard]] receive_stream {
public:
    /// As stream_socket::receive(). Throws std::bad_alloc.
    explicit receive_stream(descriptor& from, const receive_options& options = {})
        : source_(new detail::receive_operation(from, options)) {}

    /// Waits for the next piece. The first call begins; what comes between two calls is kept, as
    /// far as the window allows.
    ///
    /// Result: at least a byte, at most the size of a buffer; an empty one when the peer has
    /// finished sending. A buffer that is kept is one that others do not have: see received_buffer.
    /// Errors: those of recv(2); not_enough_memory without memory for buffers; operation_canceled
    /// after cancel(), or when this await ended early; bad_file_descriptor when the socket has been
    /// closed. A want of buffers is no error: it waits until one comes home.
    /// Cancel: total: the stream goes on, and keeps what comes.
    /// Lifetime: the stream outlives the await. One next() at a time.
    /// Thread: owner; the one of the first call.
    [[nodiscard]] detail::receive_next next() noexcept { return detail::receive_next{*source_}; }

    /// Asks the request to end. next() gives what came before its end, then operation_canceled
    /// once; the next() after that begins anew.
    void cancel() noexcept { source_->request_end(); }

private:
    std::unique_ptr<detail::receive_operation, detail::abandoning_receive> source_;
};

} // namespace coronet
