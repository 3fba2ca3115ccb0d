// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/error.hpp>
#include <coronet/net/send_queue.hpp>
#include <coronet/scheduler.hpp>

#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <poll.h>

namespace coronet {

namespace detail {

namespace {

constexpr std::size_t lent_min = 4096;       // smaller pieces are copied
constexpr std::size_t copied_min = 4000;     // memory for copies: what follows goes there, too
constexpr std::size_t send_max = 0x7ffff000; // MAX_RW_COUNT of write(2)
constexpr std::size_t pieces_max = 64;       // pieces of one sendmsg

} // namespace

struct send_operation::parts {
    msghdr message{};
    std::array<iovec, pieces_max> pieces;
};

// ---- from the first piece to the last ----

send_operation::send_operation(send_queue& queue, descriptor& on, scheduler& here) noexcept
    : may_outlive_descriptor(on),
      queue_(&queue),
      here_(&here),
      fd_(on.native_handle()),
      generation_(on.generation()) {}

send_operation& send_operation::make(send_queue& queue, descriptor& on, scheduler& here) {
    auto& made = *::new (allocate_frame(sizeof(send_operation))) send_operation{queue, on, here};
    here.at_turn_end(made);
    return made;
}

void send_operation::recycle() noexcept {
    this->~send_operation();
    free_frame(this);
}

/// A small one that has to wait behind others is copied: its buffer may be large, and the scheduler
/// has not many.
void send_operation::add(received_buffer&& lent) {
    if (lent.empty()) return;
    if (first_ && lent.size() < lent_min) {
        const received_buffer copied{std::move(lent)};
        add(std::span<const std::byte>(copied.bytes()));
        return;
    }
    send_piece& piece = new_piece(0);
    piece.begin = lent.data();
    const std::size_t size = lent.size();
    piece.lent = std::move(lent);
    append(piece, size);
}

void send_operation::add(std::span<const std::byte> copied) {
    if (copied.empty()) return;
    if (last_ && last_->room >= copied.size()) { // the kernel reads what is before

        std::memcpy(last_->begin + last_->size, copied.data(), copied.size());
        last_->room -= copied.size();
        last_->size += copied.size();
        size_ += copied.size();
        return;
    }
    send_piece& piece = new_piece(std::max(copied.size(), copied_min));
    std::memcpy(piece.begin, copied.data(), copied.size());
    piece.room -= copied.size();
    append(piece, copied.size());
}

send_piece& send_operation::new_piece(std::size_t room) {
    if (room == 0 && !own_used_) {
        own_used_ = true;
        return own_;
    }
    auto* const made = ::new (allocate_frame(sizeof(send_piece) + room)) send_piece;
    made->begin = reinterpret_cast<std::byte*>(made + 1);
    made->room = room;
    return *made;
}

void send_operation::append(send_piece& piece, std::size_t size) noexcept {
    piece.size = size;
    size_ += size;
    (last_ ? last_->next : first_) = &piece;
    last_ = &piece;
}

void send_operation::free(send_piece& piece) noexcept {
    if (&piece == &own_) {
        own_used_ = false;
        own_.next = nullptr;
        own_.lent = {};
        return;
    }
    piece.~send_piece();
    free_frame(&piece);
}

// ---- sending ----

/// The turn ends.
void send_operation::run() noexcept {
    if (state_ == state::abandoned) {
        drop_all();
        recycle();
        return;
    }
    if (fd_ < 0 || whose().generation() != generation_) {
        finish(-EBADF); // closed meanwhile
        return;
    }
    if (!first_) { // there was no memory for it
        finish(0);
        return;
    }
    state_ = state::sending;
    began(*this);
    here_->start(*this);
}

void send_operation::prepare(io_uring_sqe& sqe) noexcept {
    constexpr int flags = MSG_WAITALL | MSG_NOSIGNAL;
    const parts* const all = first_->next ? gather() : nullptr;
    if (all) {
        io_uring_prep_sendmsg(&sqe, fd_, &all->message, flags);
        return;
    }
    io_uring_prep_send(&sqe, fd_, first_->begin, std::min(first_->size, send_max), flags);
}

/// Without memory for it pieces are sent one by one.
send_operation::parts* send_operation::gather() noexcept {
    if (!parts_) {
        try {
            parts_ = ::new (allocate_frame(sizeof(parts))) parts;
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    std::size_t count = 0;
    for (send_piece* each = first_; each && count < pieces_max; each = each->next) {
        parts_->pieces[count++] = {each->begin, each->size};
    }
    parts_->message.msg_iov = parts_->pieces.data();
    parts_->message.msg_iovlen = count;
    return parts_;
}

void send_operation::complete(std::int32_t res, std::uint32_t) noexcept {
    if (res > 0) sent(static_cast<std::size_t>(res));
    if (state_ != state::abandoned && res > 0 && first_ && !cancel_requested()) {
        if (queue_) queue_->let_go_on();
        owner()->start(*this); // it may end inside, and be gone
        return;
    }
    may_outlive_descriptor::ended();
    finish(res > 0 && first_ ? -ECANCELED : res);
}

/// The end: `error` if it is negative.
void send_operation::finish(std::int32_t error) noexcept {
    drop_all();
    if (parts_) free_frame(std::exchange(parts_, nullptr));
    send_queue* const told = queue_;
    recycle();
    if (told) told->ended(error < 0 ? error_of_result(error) : std::error_code{});
}

void send_operation::sent(std::size_t bytes) noexcept {
    size_ -= bytes;
    while (bytes > 0) {
        send_piece& piece = *first_;
        const std::size_t done = std::min(bytes, piece.size);
        piece.begin += done;
        piece.size -= done;
        bytes -= done;
        if (piece.size > 0) break;
        first_ = piece.next;
        if (!first_) last_ = nullptr;
        free(piece);
    }
}

void send_operation::drop_all() noexcept {
    while (send_piece* const piece = first_) {
        first_ = piece->next;
        free(*piece);
    }
    last_ = nullptr;
    size_ = 0;
}

void send_operation::abandon() noexcept {
    queue_ = nullptr;
    const bool in_flight = std::exchange(state_, state::abandoned) == state::sending;
    if (!in_flight) return; // the turn's end frees it
    let_go();
    operation::cancel();
}

operation::subject send_operation::on() const noexcept {
    return {fd_, POLLOUT};
}
std::source_location send_operation::place() const noexcept {
    return {};
}

// ---- those who wait ----

void queue_wait::cancel() noexcept {
    if (!list_hook<queue_wait>::linked()) return; // it is about to resume
    list_hook<queue_wait>::unlink();
    go_on_with(std::make_error_code(std::errc::operation_canceled));
}

} // namespace detail

void send_queue::let_go_on() noexcept {
    while (has_room()) {
        auto* const first = static_cast<detail::queue_sender*>(senders_.pop_front());
        if (!first) break;
        first->hand_over(first->where());
        first->go_on();
    }
    while (auto* const first = static_cast<detail::queue_flush*>(flushes_.front())) {
        if (!first->is_done()) break;
        flushes_.erase(*first);
        first->go_on();
    }
}

/// Nothing is queued any more.
void send_queue::ended(std::error_code why) noexcept {
    sending_ = nullptr;
    error_ = why;
    if (!why) {
        let_go_on();
        return;
    }
    for (auto* list : {&senders_, &flushes_})
        while (detail::queue_wait* const each = list->pop_front())
            each->go_on_with(why);
}

} // namespace coronet
