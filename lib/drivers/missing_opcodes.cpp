// SPDX-License-Identifier: BSL-1.0
#include "missing_opcodes.hpp"

#include "../dispatcher.hpp"
#include "plain_call.hpp"

#include <coronet/detail/opcodes.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace coronet {

namespace {

// Those that a plain call or a worker can stand in for, without a poll.
constexpr auto replaceable = std::to_array<unsigned>(
    {IORING_OP_FSYNC, IORING_OP_FALLOCATE, IORING_OP_OPENAT, IORING_OP_CLOSE, IORING_OP_STATX,
     IORING_OP_FADVISE, IORING_OP_MADVISE, IORING_OP_SYNC_FILE_RANGE, IORING_OP_SPLICE,
     IORING_OP_TEE, IORING_OP_SHUTDOWN, IORING_OP_RENAMEAT, IORING_OP_UNLINKAT, IORING_OP_MKDIRAT,
     IORING_OP_SYMLINKAT, IORING_OP_LINKAT, IORING_OP_SOCKET, detail::op_ftruncate}
);

bool is_by_reference(const io_uring_sqe& entry) noexcept {
    return entry.opcode == IORING_OP_SEND_ZC || entry.opcode == IORING_OP_SENDMSG_ZC;
}

} // namespace

missing_opcodes::missing_opcodes(const ring& kernel) noexcept
    : any_(!std::ranges::all_of(replaceable, [&](unsigned each) { return kernel.knows(each); })),
      copies_sends_(!kernel.knows(IORING_OP_SEND_ZC) || !kernel.knows(IORING_OP_SENDMSG_ZC)),
      seen_(kernel.consumed()) {
    any_ = any_ || copies_sends_;
}

bool missing_opcodes::executed_here(const ring& kernel, const io_uring_sqe& entry) const noexcept {
    return !kernel.knows(entry.opcode) &&
           std::ranges::find(replaceable, entry.opcode) != replaceable.end();
}

bool missing_opcodes::execute(const ring& kernel, const io_uring_sqe& entry, scheduler& home) {
    if (entry.opcode == IORING_OP_ASYNC_CANCEL) {
        const bool found = jobs_.cancel(entry.addr);
        if (found) cancel_answers_.push_back(-EALREADY);
        return found;
    }
    if (!executed_here(kernel, entry)) return false;
    progress so_far;
    const auto came = plain_call::attempt(entry, so_far);
    if (came.what == plain_call::verdict::ended)
        ended_.push_back({entry.user_data, came.res, 0});
    else
        jobs_.begin(home, entry, so_far);
    return true;
}

void missing_opcodes::take_over(
    const ring& kernel, unsigned tail, std::uint64_t nop_id, scheduler& home
) {
    for (; seen_ != tail; ++seen_) {
        io_uring_sqe& entry = kernel.entries()[seen_ & (kernel.entry_count() - 1)];
        if (copies_sends_ && is_by_reference(entry)) plain_call::send_with_copy(entry);
        if (!execute(kernel, entry, home)) continue;
        io_uring_prep_nop(&entry);
        entry.user_data = nop_id;
    }
}

void missing_opcodes::deliver(dispatcher& sink) noexcept {
    std::swap(ended_, delivering_); // a completion may lead to new ones
    for (const completion& each : delivering_)
        sink.deliver(each.id, each.res, each.flags);
    delivering_.clear();
    for (const std::int32_t answer : std::exchange(cancel_answers_, {}))
        sink.cancel_answered(answer);
}

} // namespace coronet
