// SPDX-License-Identifier: BSL-1.0
//
// What a peer sends, in buffers of the scheduler's that the driver chooses as data comes: a silent
// connection holds none, and a busy one needs no request for each result. The stream is what the
// user holds; the operation has a life of its own in the heap, as the kernel may still complete it
// when nobody is interested any more. What then arrives goes straight home.
//
//   resting  → armed      wait() finds nothing kept; or what is kept has been taken down to half
//   armed    → armed      a piece arrives (F_MORE): to the one who waits, or kept for one to
//                         come. Or the kernel has ended the request without an error.
//   armed    → starved    no buffer (-ENOBUFS): parked in the pool (unless that has grown)
//   starved  → armed      a buffer has come home
//   armed    → pausing    as much is kept as the window allows: the request is cancelled
//   pausing  → resting    its terminal completion; armed again if what is kept has been taken
//   armed, pausing → ending   it is asked to end: by cancel() of the stream, or of its socket
//   armed, ending  → resting  the end of the data, an error, a cancellation: told to who asks when
//                         all that is kept has been taken; who asks after that begins anew
//   any      → abandoned  the stream is destroyed. The operation is asked to end and frees itself
//                         at its terminal completion (at once if it rests or starves).
//
// Where the kernel knows no multishot receive it rests after each piece. Owner thread only.
#pragma once

#include <coronet/detail/buffer_pool.hpp>
#include <coronet/net/receive_options.hpp>
#include <coronet/operation.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>

namespace coronet::detail {

/// Somebody who waits for a piece, or is given one at once.
class receive_wait : public pending_work {
public:
    void put(const received_piece& piece) noexcept { piece_ = piece; }
    void put(std::int32_t error) noexcept { error_ = error; }
    /// He does not wait any more, and has what was put last. He may wait again at once.
    virtual void go_on(scheduler& here) noexcept = 0;

protected:
    receive_wait() noexcept = default;
    ~receive_wait() = default;

    std::int32_t error_ = 0; // first: it fits behind the flag of `work`
    received_piece piece_{}; // nobody else would give it back: he takes it
};

class receive_operation : public operation, private buffer_waiter {
public:
    receive_operation(const receive_operation&) = delete;
    receive_operation& operator=(const receive_operation&) = delete;

    static void* operator new(std::size_t size);
    static void operator delete(void* freed) noexcept;

    /// Whether somebody who asks has to wait for what comes, and something will.
    [[nodiscard]] bool is_bare(const scheduler& here) const noexcept {
        return state_ == state::armed && first_ == kept_piece::none && !waiting_ &&
               owner() == &here;
    }
    /// False: there is nothing yet.
    [[nodiscard]] bool take(receive_wait& into, const scheduler& here) noexcept;
    /// `next` gets what comes first.
    void wait(receive_wait& next, scheduler& here) noexcept;
    void wait_armed(receive_wait& next) noexcept { waiting_ = &next; }
    [[nodiscard]] const receive_wait* waiting() const noexcept { return waiting_; }
    void stop_waiting() noexcept { waiting_ = nullptr; }
    /// Who asks after what was kept is told that it was cancelled, also if nothing was in flight.
    void request_end() noexcept;
    /// In a forked child whose scheduler is not its own any more: one that starves ends with
    /// operation::left_to_parent, as those do that are in flight.
    void ring_is_parents() noexcept;
    void abandon() noexcept;

    [[nodiscard]] std::string_view name() const noexcept final { return "recv"; }
    [[nodiscard]] std::source_location place() const noexcept final;
    [[nodiscard]] bool never_needs_kernel_worker() const noexcept final { return true; }

protected:
    receive_operation(int fd, const receive_options& options) noexcept
        : fd_(fd),
          window_(static_cast<std::uint32_t>(std::min<std::size_t>(options.window, window_max))) {
        if (options.bundle) kind_ = kind::bundled;
    }
    virtual ~receive_operation() = default;

    [[nodiscard]] int fd() const noexcept { return fd_; }
    /// False: the descriptor that it was made for is no longer there.
    [[nodiscard]] virtual bool usable() const noexcept = 0;
    /// It rests no more; it does again (not called of an abandoned one that rests or starves).
    virtual void on_begun() noexcept = 0;
    virtual void on_resting() noexcept = 0;
    /// The kernel has it still, and nobody is interested.
    virtual void on_abandoned() noexcept {}

private:
    enum class state : std::uint8_t { resting, armed, starved, pausing, ending, abandoned };

    /// Of request: one for all that comes, or for a piece.
    enum class kind : std::uint8_t { bundled, multishot, one_by_one };

    static constexpr std::uint32_t window_max = std::uint32_t{1} << 30;

    void prepare(io_uring_sqe& sqe) noexcept final;
    void complete(std::int32_t res, std::uint32_t flags) noexcept final;
    void run() noexcept final {} // it is never made ready: those who wait are
    [[nodiscard]] subject on() const noexcept final;
    void buffers_are_back() noexcept final;
    [[nodiscard]] bool is_waited_for() const noexcept final { return waiting_ != nullptr; }
    void receive_into(receive_block& block) noexcept final;

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
    [[nodiscard]] bool wants_more() const noexcept { return waiting_ || kept_ <= window_ / 2; }

    static constexpr std::int32_t not_ended = 1;

    state state_ = state::resting;
    kind kind_ = kind::multishot;
    bool careful_ = false;    // there is a block_, or a piece is lost, or several come at once
    bool piece_lost_ = false; // for which it was asked to end
    int fd_;
    std::int32_t end_ = not_ended; // else what is told after all that is kept: 0, or an error
    std::uint32_t first_ = kept_piece::none;
    std::uint32_t last_ = kept_piece::none;
    std::uint32_t kept_ = 0; // what that costs
    std::uint32_t window_;
    receive_wait* waiting_ = nullptr;
    buffer_pool* pool_ = nullptr;    // of the scheduler
    receive_block* block_ = nullptr; // where it receives into; where the pool offers none
};

struct abandoning_receive {
    void operator()(receive_operation* left) const noexcept { left->abandon(); }
};

} // namespace coronet::detail
