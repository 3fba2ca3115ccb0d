// SPDX-License-Identifier: BSL-1.0
#include "epoll.hpp"

#include <coronet/detail/assert.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <ctime>
#include <new>
#include <utility>

#include <sys/socket.h>

namespace coronet {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t cancel_answer_id = 0; // the user_data of what asks for no completion
constexpr unsigned window_max = 256;          // more would only be further away from the CPU
constexpr unsigned turns_without_look = 4;
constexpr duration quiet_time = 20ms; // until old registrations are looked at

} // namespace

epoll_driver::epoll_driver(const scheduler_options& options)
    : descriptors_(ready_),
      window_(std::bit_ceil(std::clamp(options.queue_depth, 2U, window_max))),
      movable_owner_(options.movable_owner) {
    entries_ = window_.data();
    mask_ = static_cast<unsigned>(window_.size()) - 1;
    reserve_ = std::max(1U, mask_ / 16);
    end_ = mask_ + 1 - reserve_;
    completed_.reserve(2 * window_.size());
}

void epoll_driver::enable() {
    if (!movable_owner_) owner_.take();
    enabled_ = true;
}

// ---- a turn ----

void epoll_driver::submit_and_wait(time_point deadline) noexcept {
    descriptors_.next_turn();
    job_begun_ = false;
    execute_filled();
    serve_those_interrupted();
    const bool has_more = !completed_.empty() || !soon_.empty() || job_begun_ || consumed_ != tail_;
    if (has_more && ++turns_unlooked_ < turns_without_look) return;
    turns_unlooked_ = 0;
    look(has_more ? time_point::min() : deadline);
}

bool epoll_driver::wants_enter() const noexcept {
    return tail_ != consumed_ || !completed_.empty() || !soon_.empty() || requests_.size() > 0;
}

/// What has ended is told by no descriptor; and what becomes so by an audit, neither.
time_point epoll_driver::wait_outside(time_point deadline) noexcept {
    submit_and_wait(time_point::min());
    if (!completed_.empty() || !soon_.empty() || consumed_ != tail_) return time_point::min();
    if (!descriptors_.wants_audit()) return deadline;
    audit_due_ = clock::now() + quiet_time;
    return std::min(deadline, audit_due_);
}

void epoll_driver::look(time_point deadline) noexcept {
    const time_point due = std::exchange(audit_due_, time_point::max());
    const bool is_due = due != time_point::max() && clock::now() >= due;
    const bool audits = (is_due || deadline != time_point::min()) && descriptors_.wants_audit();
    if (audits && !is_due) deadline = std::min(deadline, clock::now() + quiet_time);
    const auto events = ready_.wait(deadline);
    for (const epoll_event& each : events)
        serve(each.data.fd, each.events);
    if (audits && events.empty()) descriptors_.audit_all();
}

void epoll_driver::make_room() noexcept {
    if (enabled_) execute_filled(); // else the first turn does
}

void epoll_driver::execute_filled() noexcept {
    owner_.require();
    while (consumed_ != tail_) {
        if (!room_for_completion()) return; // it stays where it is
        execute(window_[consumed_++ & mask_]);
    }
    consumed_ = tail_ = 0; // the same entries again: those are in the cache
    end_ = mask_ + 1 - reserve_;
}

/// What begins has a completion some day, as all that is under way: none may lack memory then.
bool epoll_driver::room_for_completion() noexcept {
    const std::size_t wanted = completed_.size() + requests_.size() + jobs_.size() + 1;
    if (wanted <= completed_.capacity()) [[likely]]
        return true;
    try {
        completed_.reserve(2 * wanted);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void epoll_driver::execute(io_uring_sqe& entry) noexcept {
    switch (entry.opcode) {
    case IORING_OP_ASYNC_CANCEL:
        complete(entry, cancel(entry.addr));
        break;
    case IORING_OP_SEND_ZC:
    case IORING_OP_SENDMSG_ZC:
        plain_call::send_with_copy(entry);
        begin(entry);
        break;
    case IORING_OP_CLOSE:
        end_all_on(entry.fd);
        [[fallthrough]];
    default:
        if (plain_call::is_multishot(entry) || plain_call::selects_buffer(entry)) [[unlikely]]
            begin_multishot(entry);
        else
            begin(entry);
    }
}

void epoll_driver::complete(
    const io_uring_sqe& entry, std::int32_t res, std::uint32_t flags
) noexcept {
    completed_.push_back({entry.user_data, res, flags});
}

void epoll_driver::reap(dispatcher& sink) noexcept {
    // A completion may fill entries: what they come to belongs to the next turn.
    const std::size_t count = completed_.size();
    for (std::size_t i = 0; i < count; ++i) {
        const completion each = completed_[i];
        if (each.id == cancel_answer_id)
            sink.cancel_answered(each.res);
        else
            sink.deliver(each.id, each.res, each.flags);
    }
    completed_.erase(completed_.begin(), completed_.begin() + static_cast<std::ptrdiff_t>(count));
}

// ---- the rest ----

bool epoll_driver::wake(driver*) noexcept {
    ready_.wake();
    return true;
}

void epoll_driver::close() noexcept {
    CORONET_ASSERT(requests_.size() == 0);
    CORONET_ASSERT(jobs_.size() == 0);
    ready_.close();
}

time_point epoll_driver::coarse_now() const noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return time_point{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

int epoll_driver::socket_flags() const noexcept {
    return SOCK_CLOEXEC | SOCK_NONBLOCK;
}

std::unique_ptr<driver> make_epoll_driver(const scheduler_options& options) {
    return std::make_unique<epoll_driver>(options);
}

} // namespace coronet
