// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/detail/opcodes.hpp>
#include <coronet/net/detail/receive_operation.hpp>
#include <coronet/scheduler.hpp>

#include <liburing.h>

#include <cerrno>
#include <exception>
#include <utility>

#include <poll.h>

namespace coronet::detail {

void* receive_operation::operator new(std::size_t size) {
    return allocate_frame(size);
}
void receive_operation::operator delete(void* freed) noexcept {
    free_frame(freed);
}

// ---- what comes ----

void receive_operation::complete(std::int32_t res, std::uint32_t flags) noexcept {
    if (res > 0 && waiting_ && !careful_) [[likely]] {
        receive_wait& next = *std::exchange(waiting_, nullptr);
        next.put(pool_->arrived(flags, static_cast<std::uint32_t>(res)));
        next.go_on(*owner());
    } else if (res > 0 && kind_ == kind::bundled && !block_) {
        give_bundle(static_cast<std::uint32_t>(res), flags);
    } else if (res > 0) {
        give(brought(res, flags));
    } else if (flags & IORING_CQE_F_BUFFER) {
        brought(0, flags).give_back();
    }
    if (!(flags & IORING_CQE_F_MORE)) [[unlikely]]
        terminated(res);
}

received_piece receive_operation::brought(std::int32_t res, std::uint32_t flags) noexcept {
    const auto size = static_cast<std::uint32_t>(res);
    if (block_) return pool_->filled(*std::exchange(block_, nullptr), size);
    return pool_->arrived(flags, size);
}

/// All but the last are full, and stood in the ring one behind the other.
void receive_operation::give_bundle(std::uint32_t size, std::uint32_t flags) noexcept {
    while (size > pool_->block_size()) {
        const std::uint32_t next = pool_->flags_of_next(flags); // before it may be offered again
        give(pool_->arrived(flags, pool_->block_size()));
        size -= pool_->block_size();
        flags = next;
    }
    give(pool_->arrived(flags, size));
}

void receive_operation::give(const received_piece& piece) noexcept {
    if (piece_lost_ || state_ == state::abandoned) { // one before it is missing, or nobody asks
        piece.give_back();
    } else if (waiting_) {
        receive_wait& next = *std::exchange(waiting_, nullptr);
        next.put(piece);
        next.go_on(*owner());
    } else {
        keep(piece);
    }
}

void receive_operation::keep(const received_piece& piece) noexcept {
    const auto cost = static_cast<std::uint32_t>(pool_->cost_of(piece.size));
    const std::uint32_t number = pool_->keep(piece);
    if (number == kept_piece::none) { // what follows must not come either
        piece_lost_ = careful_ = true;
        piece.give_back();
        request_end();
        return;
    }
    (last_ == kept_piece::none ? first_ : pool_->kept(last_).next) = number;
    last_ = number;
    kept_ += cost;
    if (kept_ < window_ || state_ != state::armed || kind_ == kind::one_by_one) return;
    state_ = state::pausing;
    operation::cancel();
}

/// The terminal completion. Success may have come with it although it was asked to end.
void receive_operation::terminated(std::int32_t res) noexcept {
    if (block_) pool_->put_back(*std::exchange(block_, nullptr));
    const state before = state_;
    if (before == state::abandoned) {
        on_resting();
        delete this;
    } else if (std::exchange(piece_lost_, false)) {
        careful_ = false;
        end(-ENOMEM);
    } else if (before == state::ending) {
        end(res < 0 && res != -ENOBUFS ? res : -ECANCELED);
    } else if (!goes_on_after(res, before)) {
        end(res > 0 || res == -ENOBUFS ? -ECANCELED : res); // the scheduler has been stopped
    }
}

/// Whether this completion is not the end of what it receives.
bool receive_operation::goes_on_after(std::int32_t res, state before) noexcept {
    if (before == state::pausing) {
        if (res != -ECANCELED && res != -ENOBUFS && res <= 0) return false;
        wants_more() ? arm() : rest();
        return true;
    }
    if (cancel_requested()) return false;
    if (res > 0) {
        kind_ == kind::one_by_one && !waiting_ ? rest() : arm();
    } else if (res == -ENOBUFS) {
        starve();
    } else if (res == -EINVAL && kind_ != kind::one_by_one) {
        // A kernel that does not know the flag refuses it; what it refuses for another reason it
        // refuses again.
        kind_ = kind_ == kind::bundled ? kind::multishot : kind::one_by_one;
        arm();
    } else {
        return false;
    }
    return true;
}

// ---- its moves ----

void receive_operation::begin() noexcept {
    on_begun();
    arm();
}

void receive_operation::arm() noexcept {
    if (kind_ == kind::bundled && pool_->is_incremental()) kind_ = kind::multishot;
    careful_ = kind_ == kind::bundled;
    if (!pool_->offers()) {
        kind_ = kind::one_by_one;
        receive_block* const spare = pool_->take_spare();
        return spare ? receive_into(*spare) : starve();
    }
    state_ = state::armed;
    owner()->start(*this);
}

/// One piece.
void receive_operation::receive_into(receive_block& block) noexcept {
    careful_ = true;
    block_ = &block;
    state_ = state::armed;
    owner()->start(*this);
}

void receive_operation::starve() noexcept {
    state_ = state::starved;
    if (pool_->find_more(*this)) arm();
}
void receive_operation::buffers_are_back() noexcept {
    arm();
}

void receive_operation::rest() noexcept {
    state_ = state::resting;
    on_resting();
}

void receive_operation::end(std::int32_t res) noexcept {
    rest();
    tell(res);
}
/// To the next() that waits, after what is kept; or to one to come.
void receive_operation::tell(std::int32_t res) noexcept {
    end_ = res;
    if (!waiting_) return;
    receive_wait& next = *std::exchange(waiting_, nullptr);
    static_cast<void>(take(next, *owner()));
    next.go_on(*owner());
}

// ---- what the stream asks for ----

bool receive_operation::take(receive_wait& into, const scheduler& here) noexcept {
    if (first_ != kept_piece::none) {
        // Its list is the owner's, or nobody's any more.
        CORONET_ASSERT(pool_->is_owned_by(here) || pool_->is_left()); // moved with pieces kept
        const std::uint32_t number = first_;
        first_ = pool_->kept(number).next;
        if (first_ == kept_piece::none) last_ = kept_piece::none;
        const received_piece piece = pool_->take_kept(number);
        into.put(piece);
        kept_ -= static_cast<std::uint32_t>(pool_->cost_of(piece.size));
        const bool again = state_ == state::resting && end_ == not_ended && wants_more();
        if (again && kind_ != kind::one_by_one && usable() && pool_->is_owned_by(here)) begin();
        return true;
    }
    if (state_ == state::resting && end_ == not_ended && !usable()) {
        into.put(-EBADF);
        return true;
    }
    if (end_ == not_ended) return false;
    into.put(std::exchange(end_, not_ended));
    return true;
}

void receive_operation::wait(receive_wait& next, scheduler& here) noexcept {
    CORONET_ASSERT(!waiting_);                                    // one next() at a time
    CORONET_ASSERT(state_ == state::resting || owner() == &here); // moved with a request here
    waiting_ = &next;
    if (state_ == state::starved) return pool_->is_waited_for(*this);
    if (state_ != state::resting) return;
    set_owner(here);
    if (const std::int32_t error = find_pool(); error != 0) return tell(error);
    begin();
}

std::int32_t receive_operation::find_pool() noexcept {
    try {
        pool_ = &owner()->receive_buffers();
        return 0;
    } catch (const std::exception&) {
        return -ENOMEM;
    }
}

void receive_operation::request_end() noexcept {
    switch (state_) {
    case state::resting:
        if (end_ == not_ended) end_ = -ECANCELED;
        break;
    case state::starved:
        pool_->forget(*this);
        end(-ECANCELED);
        break;
    case state::armed:
        operation::cancel();
        [[fallthrough]];
    case state::pausing:
        state_ = state::ending;
        break;
    default:
        break;
    }
}

void receive_operation::ring_is_parents() noexcept {
    if (state_ != state::starved) return; // else it was told so
    pool_->forget(*this);
    end(operation::left_to_parent);
}

void receive_operation::drop_kept() noexcept {
    while (first_ != kept_piece::none) {
        const std::uint32_t number = first_;
        first_ = pool_->kept(number).next;
        pool_->take_kept(number).give_back();
    }
}

void receive_operation::abandon() noexcept {
    if (waiting_) [[unlikely]]
        die("a stream was destroyed while this await on it was in flight", place());
    drop_kept();
    if (state_ == state::starved) {
        pool_->forget(*this);
        rest();
    }
    if (state_ == state::resting) {
        delete this;
        return;
    }
    state_ = state::abandoned;
    on_abandoned();
    operation::cancel();
}

std::source_location receive_operation::place() const noexcept {
    return waiting_ ? waiting_->place() : std::source_location{};
}

// ---- the entry ----

void receive_operation::prepare(io_uring_sqe& sqe) noexcept {
    if (block_) {
        io_uring_prep_recv(&sqe, fd_, block_->data(), pool_->size_of(*block_), 0);
        return;
    }
    if (kind_ == kind::one_by_one)
        io_uring_prep_recv(&sqe, fd_, nullptr, pool_->block_size(), 0);
    else
        io_uring_prep_recv_multishot(&sqe, fd_, nullptr, 0, 0);
    if (kind_ == kind::bundled) sqe.ioprio |= receive_bundle;
    sqe.flags |= IOSQE_BUFFER_SELECT;
    sqe.buf_group = 0;
}

operation::subject receive_operation::on() const noexcept {
    return {fd_, POLLIN};
}

} // namespace coronet::detail
