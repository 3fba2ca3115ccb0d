// SPDX-License-Identifier: BSL-1.0
#include "descriptor_table.hpp"

#include <coronet/detail/assert.hpp>
#include <coronet/detail/closed_descriptors.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <new>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace coronet {

namespace {
// Turns after which a wait on an old registration has become a long one.
constexpr std::uint32_t long_wait = 64;

int option(int fd, int level, int which) noexcept {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, level, which, &value, &size) == 0 ? value : -1;
}
bool has_upper_layer(int fd) noexcept {
    std::array<char, 16> name{};
    socklen_t size = name.size();
    return ::getsockopt(fd, IPPROTO_TCP, TCP_ULP, name.data(), &size) == 0 && size > 0;
}
/// A receive takes all there is: there are no records (kTLS), and no amount to wait for.
bool is_plain_tcp(int fd) noexcept {
    return option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP &&
           option(fd, SOL_SOCKET, SO_RCVLOWAT) == 1 && !has_upper_layer(fd);
}
} // namespace

// ---- one queue ----

void request_queue::push(request& added) noexcept {
    added.previous = last_;
    added.next = nullptr;
    *(last_ ? &last_->next : &first_) = &added;
    last_ = &added;
}

void request_queue::erase(request& gone) noexcept {
    *(gone.previous ? &gone.previous->next : &first_) = gone.next;
    *(gone.next ? &gone.next->previous : &last_) = gone.previous;
    gone.previous = gone.next = nullptr;
}

request_queue& watched_descriptor::queue(request::place where) noexcept {
    CORONET_ASSERT(where != request::place::nowhere);
    if (where == request::place::readers) return readers;
    return where == request::place::writers ? writers : watchers;
}

// ---- all of them ----

int descriptor_table::wait(request& waiting, request::place where) noexcept {
    const int fd = waiting.entry->fd;
    if (fd < 0) return -EBADF;
    const auto index = static_cast<std::size_t>(fd);
    try {
        if (index >= all_.size() && ::fcntl(fd, F_GETFD) < 0) return -EBADF;
        if (index >= all_.size()) all_.resize(std::max({index + 1, 2 * all_.size(), {64}}));
        watched_descriptor& at = all_[index];
        if (at.registered && at.closings == detail::closed_descriptors::count(fd))
            trust(fd, at);
        else if (const int error = watch(fd, at); error < 0)
            return error;
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
    waiting.where = where;
    all_[index].queue(where).push(waiting);
    return 0;
}

void descriptor_table::leave(request& waiting) noexcept {
    if (waiting.where == request::place::nowhere) return;
    all_[static_cast<std::size_t>(waiting.entry->fd)].queue(waiting.where).erase(waiting);
    waiting.where = request::place::nowhere;
}

void descriptor_table::forget(int fd) noexcept {
    watched_descriptor* const at = find(fd);
    if (!at) return;
    CORONET_ASSERT(!at->waited_on());
    if (at->registered) set_.forget(fd); // another holder of the file would be reported for ever
    at->registered = false;
}

int descriptor_table::watch(int fd, watched_descriptor& at) noexcept {
    const std::uint32_t closings = detail::closed_descriptors::count(fd);
    const int error = set_.watch(fd, at.registered);
    at.registered = error == 0;
    at.closings = closings;
    at.is_plain_tcp = at.registered && is_plain_tcp(fd);
    at.calm = at.drained = false;
    return error;
}

// ---- the audit ----

/// Registered long ago, under this number: true, unless somebody has closed it behind our back.
void descriptor_table::trust(int fd, watched_descriptor& at) noexcept {
    at.trusted_since = turn_;
    if (!at.in_audit) remember(fd, at);
}

/// Without memory for it nobody looks: it is for those who close behind our back.
void descriptor_table::remember(int fd, watched_descriptor& at) noexcept {
    try {
        audited_.push_back({fd, turn_});
        at.in_audit = true;
    } catch (const std::bad_alloc&) {
    }
}

void descriptor_table::audit_old() noexcept {
    while (first_audited_ < audited_.size() && turn_ - audited_[first_audited_].turn >= long_wait) {
        const int fd = audited_[first_audited_++].fd;
        watched_descriptor& at = all_[static_cast<std::size_t>(fd)];
        at.in_audit = false;
        if (at.waited_on() && turn_ - at.trusted_since >= long_wait)
            check(fd);
        else if (at.waited_on())
            remember(fd, at);
    }
    if (2 * first_audited_ <= audited_.size()) return;
    audited_.erase(
        audited_.begin(), audited_.begin() + static_cast<std::ptrdiff_t>(first_audited_)
    );
    first_audited_ = 0;
}

void descriptor_table::audit_all() noexcept {
    for (; first_audited_ < audited_.size(); ++first_audited_) {
        const int fd = audited_[first_audited_].fd;
        all_[static_cast<std::size_t>(fd)].in_audit = false;
        check(fd);
    }
    audited_.clear();
    first_audited_ = 0;
}

/// What waits there is tried again if it is ready: a report follows.
void descriptor_table::check(int fd) noexcept {
    watched_descriptor& at = all_[static_cast<std::size_t>(fd)];
    if (!at.waited_on() || set_.is_watched(fd)) return;
    static_cast<void>(watch(fd, at));
}

} // namespace coronet
