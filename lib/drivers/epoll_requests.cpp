// SPDX-License-Identifier: BSL-1.0
//
// The epoll driver's requests: how they begin, wait, go on and end.
#include "epoll.hpp"

#include <coronet/detail/assert.hpp>

#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace coronet {

using plain_call::outcome;
using plain_call::verdict;

namespace {

request::place place_for(const io_uring_sqe& entry, verdict why) noexcept {
    if (why == verdict::when_polled) return request::place::watchers;
    if (why == verdict::when_writable) return request::place::writers;
    return entry.opcode == IORING_OP_SEND || entry.opcode == IORING_OP_SENDMSG
               ? request::place::writers
               : request::place::readers;
}

/// Whoever waits for something else has not seen that nothing is there.
bool has_found_nothing(const request_queue& queue) noexcept {
    return !queue.empty() && !plain_call::is_out_of_band(*queue.front()->entry);
}

/// Those before it would have what comes first; or nothing is there.
bool has_to_queue(const io_uring_sqe& entry, const watched_descriptor& at) noexcept {
    switch (entry.opcode) {
    case IORING_OP_RECV:
        if (at.drained && at.registered && entry.msg_flags == 0) return true;
        [[fallthrough]];
    case IORING_OP_RECVMSG:
        return has_found_nothing(at.readers) && !(entry.msg_flags & MSG_DONTWAIT) &&
               !plain_call::is_out_of_band(entry);
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
        return has_found_nothing(at.writers) && !(entry.msg_flags & MSG_DONTWAIT);
    default:
        return false;
    }
}

void note_received(
    watched_descriptor& at, const io_uring_sqe& entry, const outcome& came
) noexcept {
    if (entry.opcode == IORING_OP_RECV && came.what == verdict::ended && entry.msg_flags == 0)
        at.note_received(came.res, entry.len);
}

} // namespace

// ---- begin ----

void epoll_driver::begin(const io_uring_sqe& entry) noexcept {
    progress so_far;
    watched_descriptor* const at = descriptors_.find(entry.fd);
    outcome came{
        place_for(entry, verdict::soon) == request::place::writers ? verdict::when_writable
                                                                   : verdict::when_readable};
    if (!at || !has_to_queue(entry, *at)) {
        came = plain_call::attempt(entry, so_far);
        if (at) note_received(*at, entry, came);
    }
    if (came.what == verdict::ended) [[likely]]
        complete(entry, came.res);
    else if (came.what == verdict::on_a_worker)
        begin_job(entry, so_far);
    else
        keep(entry, so_far, came.what);
}

void epoll_driver::keep(const io_uring_sqe& entry, const progress& so_far, verdict why) noexcept {
    request* const kept = requests_.add(entry, so_far);
    if (!kept)
        complete(entry, plain_call::given_up(so_far, -ENOMEM));
    else
        settle(*kept, {why});
}

/// Also those that choose a buffer. Registered before it is tried. A new registration reports what
/// is there: a poll waits for that, so as to tell it once.
void epoll_driver::begin_multishot(const io_uring_sqe& entry) noexcept {
    const bool polls = entry.opcode == IORING_OP_POLL_ADD;
    const watched_descriptor* const before = descriptors_.find(entry.fd);
    const bool is_new = !before || !before->registered;
    request* const kept = requests_.add(entry, {});
    if (!kept) return complete(entry, -ENOMEM);
    const auto where = polls ? request::place::watchers : request::place::readers;
    const int error = descriptors_.wait(*kept, where);
    if (error == -EPERM && polls) { // a file: ready, and nothing changes that
        const outcome came = plain_call::attempt_poll(entry);
        end(*kept, came.what == verdict::ended ? came.res : -EINVAL);
    } else if (error < 0)
        end(*kept, error == -EPERM ? -ENOTSOCK : error);
    else if (!polls)
        settle(*kept, attempt(*kept));
    else if (!is_new)
        static_cast<void>(ready_.watch(entry.fd, true)); // one report, with one that is under way
}

// ---- go on ----

/// `came` of an attempt, or of what was known without one.
void epoll_driver::settle(request& asked, outcome came) noexcept {
    switch (came.what) {
    case verdict::ended:
        end(asked, came.res, came.flags);
        break;
    case verdict::soon:
        serve_soon_if_waiting(asked);
        break;
    case verdict::on_a_worker:
        move_to_worker(asked);
        break;
    default:
        if (asked.where == request::place::nowhere) wait(asked, came.what);
    }
}

void epoll_driver::serve_soon_if_waiting(request& asked) noexcept {
    const int fd = asked.entry->fd;
    if (asked.where == request::place::nowhere) wait(asked, verdict::soon); // or it ends in it
    serve_soon(fd);
}

void epoll_driver::wait(request& asked, verdict why) noexcept {
    const int error = descriptors_.wait(asked, place_for(*asked.entry, why));
    if (error == -EPERM)
        move_to_worker(asked); // a file
    else if (error < 0)
        end(asked, plain_call::given_up(asked.so_far, error));
}

void epoll_driver::end(request& asked, std::int32_t res, std::uint32_t flags) noexcept {
    descriptors_.leave(asked);
    complete(*asked.entry, res, flags);
    requests_.remove(asked);
}

void epoll_driver::move_to_worker(request& asked) noexcept {
    descriptors_.leave(asked);
    begin_job(*asked.entry, asked.so_far);
    requests_.remove(asked);
}

/// It may end at once, or arm a timer: the loop looks before it sleeps.
void epoll_driver::begin_job(const io_uring_sqe& entry, const progress& so_far) noexcept {
    job_begun_ = true;
    jobs_.begin(*loop_, entry, so_far);
}

std::int32_t epoll_driver::cancel(std::uint64_t id) noexcept {
    request* const asked = requests_.find(id);
    if (!asked) return jobs_.cancel(id) ? -EALREADY : -ENOENT;
    end(*asked, plain_call::given_up(asked->so_far, -ECANCELED));
    return 0;
}

/// They cannot hold on to the file as the kernel's would, and may not meet the next one.
void epoll_driver::end_all_on(int fd) noexcept {
    watched_descriptor* const at = descriptors_.find(fd);
    if (!at) return;
    for (request_queue* queue : {&at->readers, &at->writers, &at->watchers})
        while (request* const left = queue->front())
            end(*left, plain_call::given_up(left->so_far, -EBADF));
    descriptors_.forget(fd);
}

// ---- readiness ----

void epoll_driver::serve(int fd, std::uint32_t events) noexcept {
    constexpr std::uint32_t to_all = EPOLLERR | EPOLLHUP;
    if (watched_descriptor* const at = descriptors_.find(fd)) at->note_report(events);
    if (events & (to_all | EPOLLIN | EPOLLPRI | EPOLLRDHUP))
        serve_queue(fd, request::place::readers);
    if (events & (to_all | EPOLLOUT)) serve_queue(fd, request::place::writers);
    serve_queue(fd, request::place::watchers);
}

/// Everybody in the queue, in its order. When the first one finds nothing the others would not
/// either, unless they look elsewhere.
void epoll_driver::serve_queue(int fd, request::place which) noexcept {
    watched_descriptor* const at = descriptors_.find(fd);
    if (!at) return;
    bool empty = false;
    for (request* each = at->queue(which).front(); each;) {
        request* const next = each->next;
        if (!empty || which == request::place::watchers ||
            plain_call::is_out_of_band(*each->entry)) {
            const outcome came = attempt(*each);
            note_received(*at, *each->entry, came);
            empty = empty || (came.what != verdict::ended && came.what != verdict::on_a_worker);
            settle(*each, came);
        }
        each = next;
    }
}

outcome epoll_driver::attempt(request& asked) noexcept {
    if (plain_call::selects_buffer(*asked.entry)) return attempt_selecting(asked);
    if (plain_call::is_multishot(*asked.entry)) return attempt_multishot(asked);
    return plain_call::attempt(*asked.entry, asked.so_far);
}

/// Each success is a completion; a poll has one a report, an accept as many as there are.
outcome epoll_driver::attempt_multishot(request& asked) noexcept {
    const bool polls = asked.entry->opcode == IORING_OP_POLL_ADD;
    constexpr int budget = 64;
    for (int count = 0; count < budget; ++count) {
        if (!room_for_completion()) return {verdict::soon};
        const outcome came = plain_call::attempt(*asked.entry, asked.so_far);
        if (came.what != verdict::ended || came.res < 0) return came;
        complete(*asked.entry, came.res, IORING_CQE_F_MORE);
        if (polls) return {verdict::when_polled};
    }
    return {verdict::soon};
}

void epoll_driver::serve_soon(int fd) noexcept {
    watched_descriptor* const at = descriptors_.find(fd);
    if (!at || at->served_soon) return;
    try {
        soon_.push_back(fd);
        at->served_soon = true;
    } catch (const std::bad_alloc&) { // what is ready is reported again
        static_cast<void>(ready_.watch(fd, true));
    }
}

void epoll_driver::serve_those_interrupted() noexcept {
    if (soon_.empty()) return;
    std::swap(soon_, soon_now_);
    for (const int fd : soon_now_) {
        descriptors_.find(fd)->served_soon = false;
        serve_queue(fd, request::place::readers);
        serve_queue(fd, request::place::writers);
    }
    soon_now_.clear();
}

} // namespace coronet
