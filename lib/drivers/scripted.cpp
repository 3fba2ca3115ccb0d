// SPDX-License-Identifier: BSL-1.0
#include "scripted.hpp"

#include "../dispatcher.hpp"

#include <coronet/detail/assert.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>

namespace coronet {

namespace {
using namespace std::chrono_literals;
constexpr std::uint64_t cancel_answer_id = 0;
constexpr int patience_ms = 20'000;

/// As the kernel would, past the checkers: the memory is lent to it.
__attribute__((no_sanitize("address"))) void
write_digits(char* to, std::size_t size, std::uint64_t from) noexcept {
    for (std::size_t i = 0; i < size; ++i)
        to[i] = static_cast<char>('0' + (from + i) % 10);
}
} // namespace

// ---- the script ----

scripted_driver::fate::fate() : cancel_answer_(0), cancelled_res_(-ECANCELED) {}

scripted_driver::fate& scripted_driver::fate::complete(std::int32_t res, std::uint32_t flags) {
    res_ = res;
    flags_ = flags;
    return *this;
}
scripted_driver::fate& scripted_driver::fate::never() {
    res_.reset();
    return *this;
}
scripted_driver::fate& scripted_driver::fate::after(duration delay) {
    delay_ = delay;
    return *this;
}
scripted_driver::fate& scripted_driver::fate::first(std::int32_t res) {
    before_.push_back(res);
    return *this;
}
scripted_driver::fate& scripted_driver::fate::cancel_ignored(std::int32_t answer) {
    ignored_cancels_.push_back(answer);
    return *this;
}
scripted_driver::fate&
scripted_driver::fate::cancel_answered(std::int32_t answer, std::int32_t res) {
    cancel_answer_ = answer;
    cancelled_res_ = res;
    return *this;
}

scripted_driver::fate& scripted_driver::on(std::uint8_t opcode) {
    auto& fates = script_[opcode];
    fates.push_back(fate{});
    return fates.back();
}

std::size_t scripted_driver::count(std::uint8_t opcode) const noexcept {
    return static_cast<std::size_t>(std::ranges::count(taken_, opcode, &submission::opcode));
}

std::vector<time_point> scripted_driver::times_of(std::uint8_t opcode) const {
    std::vector<time_point> times;
    for (const auto& each : taken_)
        if (each.opcode == opcode) times.push_back(each.when);
    return times;
}

// ---- execution ----

scripted_driver::scripted_driver(unsigned slots, unsigned reserved)
    : storage_(std::bit_ceil(slots)), now_(1h), event_(::eventfd(0, EFD_CLOEXEC)) {
    CORONET_ASSERT(event_);
    CORONET_ASSERT(reserved < storage_.size());
    entries_ = storage_.data();
    mask_ = static_cast<unsigned>(storage_.size()) - 1;
    reserve_ = reserved;
    end_ = mask_ + 1 - reserve_;
}

void scripted_driver::make_room() noexcept {
    ++enters_;
    submit();
}

void scripted_driver::submit() {
    if (refusals_ > 0) {
        --refusals_;
        return;
    }
    while (consumed_ != tail_)
        take(entries_[consumed_++ & mask_]);
    end_ = consumed_ + mask_ + 1 - reserve_;
}

void scripted_driver::take(const io_uring_sqe& sqe) {
    const bool is_cancel = sqe.opcode == IORING_OP_ASYNC_CANCEL;
    taken_.push_back(
        {sqe.opcode, sqe.fd, sqe.user_data, is_cancel ? std::uint64_t{sqe.addr} : 0, now_}
    );
    if (is_cancel && sqe.user_data == cancel_answer_id) return cancel(sqe.addr);
    if (sqe.user_data == cancel_answer_id) return; // an entry that nobody needed any more

    auto& fates = script_[sqe.opcode];
    fate end;
    if (!fates.empty()) {
        end = std::move(fates.front());
        fates.pop_front();
    } else if (sqe.opcode == IORING_OP_NOP) {
        end.complete(0);
    }
    const bool selects = (sqe.flags & IOSQE_BUFFER_SELECT) != 0;
    for (const std::int32_t res : end.before_)
        completed_.push_back(came(sqe.user_data, selects, res, IORING_CQE_F_MORE));
    const time_point due = end.res_ ? now_ + end.delay_ : time_point::max();
    waiting_.push_back({sqe.user_data, selects, due, std::move(end)});
}

/// With a buffer, if it is a receive that chooses one and has received something.
scripted_driver::completion scripted_driver::came(
    std::uint64_t id, bool selects, std::int32_t res, std::uint32_t flags
) noexcept {
    if (!selects || res <= 0) return {id, res, flags};
    const io_uring_buf& room = buffers_.front();
    CORONET_ASSERT(static_cast<std::uint32_t>(res) <= room.len);
    auto* const bytes = reinterpret_cast<char*>(room.addr); // NOLINT: that is the format
    write_digits(bytes, static_cast<std::size_t>(res), received_);
    received_ += static_cast<std::uint64_t>(res);
    return {id, res, flags | buffers_.take()};
}

int scripted_driver::offer_buffers(
    io_uring_buf_ring& from, unsigned entries, unsigned flags
) noexcept {
    if (!knows_buffers_ || flags != 0) return -EINVAL;
    buffers_.attach(from, entries);
    return 0;
}

void scripted_driver::cancel(std::uint64_t target) {
    finish_due(); // what has ended by now is no longer found
    const auto found = std::ranges::find(waiting_, target, &waiting::id);
    if (found == waiting_.end()) {
        completed_.push_back({cancel_answer_id, -ENOENT, 0});
        return;
    }
    fate& end = found->end;
    if (!end.ignored_cancels_.empty()) {
        completed_.push_back({cancel_answer_id, end.ignored_cancels_.front(), 0});
        end.ignored_cancels_.pop_front();
        return;
    }
    completed_.push_back({cancel_answer_id, end.cancel_answer_, 0});
    completed_.push_back(came(target, found->selects, end.cancelled_res_, 0));
    waiting_.erase(found);
}

/// Moves what has ended by now to the completions, in the order of its ends.
void scripted_driver::finish_due() {
    for (;;) {
        const auto first = std::ranges::min_element(waiting_, {}, &waiting::due);
        if (first == waiting_.end() || first->due > now_) return;
        completed_.push_back(came(first->id, first->selects, *first->end.res_, first->end.flags_));
        waiting_.erase(first);
    }
}

time_point scripted_driver::next_due() const noexcept {
    const auto first = std::ranges::min_element(waiting_, {}, &waiting::due);
    return first == waiting_.end() ? time_point::max() : first->due;
}

void scripted_driver::submit_and_wait(time_point deadline) noexcept {
    CORONET_ASSERT(enabled_);
    ++enters_;
    submit();
    finish_due();
    if (!completed_.empty() || deadline <= now_ || woken_.exchange(false)) return;
    const time_point next = std::min(deadline, next_due());
    if (next == time_point::max()) return wait_for_wake();
    now_ = next;
}

void scripted_driver::reap(dispatcher& sink) noexcept {
    finish_due();
    // A completion may submit again: what that brings belongs to the next turn.
    for (const auto& each : std::exchange(completed_, {})) {
        if (each.id == cancel_answer_id)
            sink.cancel_answered(each.res);
        else
            sink.deliver(each.id, each.res, each.flags);
    }
}

bool scripted_driver::wake(driver*) noexcept {
    const std::uint64_t one = 1;
    woken_.store(true);
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    return true;
}

void scripted_driver::wait_for_wake() noexcept {
    pollfd wanted{event_.get(), POLLIN, 0};
    while (!woken_.exchange(false)) {
        const int ready = ::poll(&wanted, 1, patience_ms);
        if (ready == 0)
            detail::die("the script has nothing more to tell, and nobody woke the scheduler");
        std::uint64_t count = 0;
        if (ready == 1) // else a signal handler ran
            [[maybe_unused]]
            const auto taken = ::read(event_.get(), &count, sizeof count);
    }
}

void scripted_driver::close() noexcept {
    CORONET_ASSERT(waiting_.empty());
    CORONET_ASSERT(completed_.empty());
}

} // namespace coronet
