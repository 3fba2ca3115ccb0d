// SPDX-License-Identifier: BSL-1.0
//
// What waits on which descriptor, by its number. Owner thread only.
//
//   unknown     never waited on, or closed by an entry of this driver
//   registered  in the epoll set for everything, edge-triggered, once: it stays there whoever waits
//
// Each has three queues, in the order of arrival: those who take data or connections away
// (readers), those who need room (writers), and those who only look (watchers: polls).
//
// A number may be closed and opened again where we do not see it, and is not in the set any more
// then. What this library closes is counted (closed_descriptors), and who waits after that looks
// again. What others close is found by an audit: whoever has waited for long on a registration that
// nobody has seen work since is registered anew, once.
#pragma once

#include "readiness.hpp"
#include "request_table.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace coronet {

class request_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] request* front() const noexcept { return first_; }
    void push(request& added) noexcept;
    void erase(request& gone) noexcept;

private:
    request* first_ = nullptr;
    request* last_ = nullptr;
};

struct watched_descriptor {
    request_queue readers;
    request_queue writers;
    request_queue watchers;
    std::uint32_t closings = 0;      // those of its number when it was registered
    std::uint32_t trusted_since = 0; // the turn in which the last one began to wait
    bool registered = false;
    bool in_audit = false;
    bool served_soon = false; // in the driver's list of those that have more to do
    bool is_plain_tcp = false;
    bool calm = false;    // the last report told of nothing but data and room
    bool drained = false; // there is nothing to receive until the next report

    /// A receive of TCP that was given less than it had room for has taken all there was; what
    /// comes later is reported, as everything is that comes after a report. Not where the report
    /// told of an end, an error or urgent data: those stop a receive too. (Nor on other sockets: a
    /// unix one stops at descriptors, a TLS one at records.)
    void note_received(std::int64_t size, std::int64_t room) noexcept {
        drained = registered && is_plain_tcp && calm && size > 0 && size < room;
    }
    void note_report(std::uint32_t events) noexcept {
        drained = false;
        calm = (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLPRI)) == 0;
    }

    [[nodiscard]] bool waited_on() const noexcept {
        return !readers.empty() || !writers.empty() || !watchers.empty();
    }
    [[nodiscard]] request_queue& queue(request::place where) noexcept;
};

class descriptor_table {
public:
    explicit descriptor_table(readiness& set) noexcept : set_(set) {}

    /// Null if nobody has ever waited on it.
    [[nodiscard]] watched_descriptor* find(int fd) noexcept {
        const auto index = static_cast<std::size_t>(fd);
        return index < all_.size() ? &all_[index] : nullptr;
    }
    /// `waiting` waits on its descriptor, or the result is a negated errno (-EPERM: a file).
    [[nodiscard]] int wait(request& waiting, request::place where) noexcept;
    void leave(request& waiting) noexcept;
    /// The number is about to mean nothing.
    void forget(int fd) noexcept;

    /// Once a turn.
    void next_turn() noexcept {
        ++turn_;
        if (!audited_.empty()) audit_old();
    }
    /// Whether there are registrations to be looked at when it is quiet.
    [[nodiscard]] bool wants_audit() const noexcept { return !audited_.empty(); }
    void audit_all() noexcept;

private:
    struct audited {
        int fd;
        std::uint32_t turn;
    };
    int watch(int fd, watched_descriptor& at) noexcept;
    void trust(int fd, watched_descriptor& at) noexcept;
    void remember(int fd, watched_descriptor& at) noexcept;
    void audit_old() noexcept;
    void check(int fd) noexcept;

    readiness& set_;
    std::vector<watched_descriptor> all_;
    std::vector<audited> audited_; // from first_audited_ on, the oldest first
    std::size_t first_audited_ = 0;
    std::uint32_t turn_ = 0;
};

} // namespace coronet
