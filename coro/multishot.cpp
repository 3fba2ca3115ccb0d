// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/multishot.hpp>
#include <coronet/scheduler.hpp>

#include <liburing.h>

#include <cerrno>
#include <cstddef>
#include <new>

#include <poll.h>
#include <unistd.h>

namespace coronet::detail {

// ---- what comes ----

void multishot::complete(std::int32_t res, std::uint32_t flags) noexcept {
    const bool last = (flags & IORING_CQE_F_MORE) == 0;
    if (last && tried_again(res)) return;
    const end_of_request end{res, cancel_requested(), last && std::exchange(pausing_, false)};
    if (last) on_resting();
    if (res >= 0) give(res);
    if (!last) return;
    if (abandoned_)
        delete this;
    else if (idle()) // else who was given it has begun anew
        ended(end);
}

/// A kernel that does not know the flag refuses it; what it refuses for another reason it refuses
/// again.
bool multishot::tried_again(std::int32_t res) noexcept {
    if (res != -EINVAL || one_by_one_ || cancel_requested()) return false;
    one_by_one_ = true;
    owner()->start(*this);
    return true;
}

void multishot::give(std::int32_t res) noexcept {
    if (abandoned_) {
        discard(res);
    } else if (waiting_) {
        std::exchange(waiting_, nullptr)->arrive(res);
    } else {
        keep(res);
    }
}

void multishot::keep(std::int32_t res) noexcept {
    if (first_ * 2 >= kept_.size()) { // half of them has been taken
        kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    try {
        kept_.push_back(res);
    } catch (const std::bad_alloc&) {
        discard(res);
        failure_ = -ENOMEM;
        cancel();
    }
    if (kept_.size() - first_ < kept_max() || idle() || cancel_requested()) return;
    pausing_ = true;
    cancel();
}

/// The terminal completion. Success may have come with it although it was asked to end.
void multishot::ended(const end_of_request& end) noexcept {
    std::int32_t error = end.res;
    if (end.res >= 0) error = end.was_cancelled ? -ECANCELED : 0;
    if (end.has_paused && error == -ECANCELED) error = 0;
    if (failure_ != 0) error = std::exchange(failure_, 0);
    if (end.has_paused && error == 0 && waiting_)
        begin();
    else if (error != 0 && waiting_)
        std::exchange(waiting_, nullptr)->arrive(error);
    else
        error_ = error;
    if (closer_) std::exchange(closer_, nullptr)->go_on();
}

// ---- what the stream asks for ----

bool multishot::take(std::int32_t& res) noexcept {
    if (first_ < kept_.size()) {
        res = kept_[first_++];
        if (first_ == kept_.size()) {
            kept_.clear();
            first_ = 0;
        }
        return true;
    }
    res = std::exchange(error_, 0);
    return res != 0;
}

void multishot::wait(result_wait& next, scheduler& here) noexcept {
    CORONET_ASSERT(!waiting_);                  // one next() at a time
    CORONET_ASSERT(idle() || owner() == &here); // moved to another scheduler with a request here
    waiting_ = &next;
    if (!idle()) return;
    set_owner(here);
    begin();
}

void multishot::begin() noexcept {
    on_armed();
    owner()->start(*this);
}

void multishot::request_end() noexcept {
    pausing_ = false;
    if (!idle())
        cancel();
    else if (error_ == 0)
        error_ = -ECANCELED;
}

bool multishot::close(multishot_close& closer) noexcept {
    closing_ = true;
    pausing_ = false;
    if (idle()) return false;
    CORONET_ASSERT(!closer_); // one close() at a time
    closer_ = &closer;
    cancel();
    return true;
}

void multishot::drop_kept() noexcept {
    for (; first_ < kept_.size(); ++first_)
        discard(kept_[first_]);
    kept_.clear();
    first_ = 0;
}

void multishot::abandon() noexcept {
    if (waiting_ || closer_) [[unlikely]]
        die("a stream was destroyed while this await on it was in flight", place());
    drop_kept();
    if (idle()) {
        delete this;
        return;
    }
    abandoned_ = true;
    on_abandoned();
    cancel();
}

std::source_location multishot::place() const noexcept {
    if (waiting_) return waiting_->place();
    return closer_ ? closer_->place() : std::source_location{};
}

// ---- next() ----

const std::int32_t multishot_wait::cancelled = -ECANCELED;

bool multishot_wait::known() noexcept {
    if (source_->take(res_)) return true;
    res_ = source_->closed() ? -ECANCELED : -EBADF;
    return source_->closed() || !source_->usable();
}

void multishot_wait::arrive(std::int32_t res) noexcept {
    waiting_ = false;
    res_ = res;
    waiter_.where().ready(*this);
}

void multishot_wait::cancel() noexcept {
    if (!waiting_) return; // it is about to resume
    source_->stop_waiting();
    arrive(-ECANCELED);
}

// ---- the kinds ----

void accept_multishot::prepare(io_uring_sqe& sqe) noexcept {
    const int flags = owner()->socket_flags();
    if (one_by_one())
        io_uring_prep_accept(&sqe, fd_, nullptr, nullptr, flags);
    else
        io_uring_prep_multishot_accept(&sqe, fd_, nullptr, nullptr, flags);
}
void accept_multishot::discard(std::int32_t res) noexcept {
    ::close(res);
}
operation::subject accept_multishot::on() const noexcept {
    return {fd_, POLLIN};
}

void poll_multishot::prepare(io_uring_sqe& sqe) noexcept {
    if (one_by_one())
        io_uring_prep_poll_add(&sqe, fd_, events_);
    else
        io_uring_prep_poll_multishot(&sqe, fd_, events_);
}

} // namespace coronet::detail

namespace coronet::async {

accept_stream accept_multishot(int fd) {
    return coronet::detail::make_multishot<unique_fd, coronet::detail::accept_multishot>(fd);
}

poll_stream poll_multishot(int fd, unsigned events) {
    return coronet::detail::make_multishot<unsigned, coronet::detail::poll_multishot>(fd, events);
}

} // namespace coronet::async
