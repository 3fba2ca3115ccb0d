// SPDX-License-Identifier: BSL-1.0
//
// What the epoll driver may wait for and what it must not: the loop sleeps only when nothing is
// under way, is not kept busy by what does not change, and is never held up by a call.
#include "ring_loop.hpp"
#include "support/temporary_directory.hpp"

#include <coronet/error.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/stats.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <string>
#include <system_error>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace epoll_waits_tests {
namespace {

using namespace coronet::testing;
using namespace std::chrono_literals;
using coronet::operation;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::unique_fd;
using coronet::test::temporary_directory;

scheduler_options on_epoll() {
    scheduler_options options;
    options.driver = coronet::driver_choice::epoll;
    return options;
}

/// Turns of the loop within `time`.
std::uint64_t turns_within(scheduler& loop, coronet::duration time) {
    const auto before = loop.stats().turns;
    const auto end = coronet::clock::now() + time;
    while (coronet::clock::now() < end)
        loop.run_once(end);
    return loop.stats().turns - before;
}

sample_operation opening(const std::string& path) {
    return sample_operation{[path = path.c_str()](io_uring_sqe& sqe) {
        io_uring_prep_openat(&sqe, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    }};
}

// ---- work that ends before the loop sleeps ----

TEST(epoll_driver, tells_at_once_that_no_worker_can_be_had) {
    auto options = on_epoll();
    options.workers.on_start = [] { throw std::system_error(EPERM, std::generic_category()); };
    scheduler loop{options};
    const std::string root = "/";
    auto op = opening(root);
    loop.start(op);
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{operation::no_worker});
}

TEST(epoll_driver, tells_at_once_that_the_pool_has_been_shut_down) {
    scheduler loop{on_epoll()};
    loop.run_once(coronet::time_point::min()); // we are its owner
    ASSERT_TRUE(loop.pool().request_shutdown());
    run_until(loop, [&] { return loop.pool().ended(); });
    const std::string root = "/";
    auto op = opening(root);
    loop.start(op);
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{operation::no_worker});
}

// ---- receivers of messages that are full ----

struct datagram_receiver {
    explicit datagram_receiver(const std::string& path) {
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        socket.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        EXPECT_EQ(::bind(socket.get(), as_address(), sizeof address), 0);
    }
    sockaddr* as_address() { return reinterpret_cast<sockaddr*>(&address); }
    void fill_from(int sender) {
        while (::sendto(sender, "x", 1, MSG_DONTWAIT, as_address(), sizeof address) == 1) {
        }
        EXPECT_EQ(errno, EAGAIN);
    }
    sockaddr_un address{};
    unique_fd socket;
};

struct message_to {
    message_to(int sender, datagram_receiver& to)
        : op{[this, sender](io_uring_sqe& sqe) { io_uring_prep_sendmsg(&sqe, sender, &header, 0); },
             operation::subject{sender, POLLOUT}} {
        header.msg_name = &to.address;
        header.msg_namelen = sizeof to.address;
        header.msg_iov = &part;
        header.msg_iovlen = 1;
    }
    char byte = 'y';
    iovec part{&byte, 1};
    msghdr header{};
    sample_operation op;
};

TEST(epoll_driver, is_not_kept_busy_by_a_receiver_that_is_full_nor_kept_from_others) {
    const temporary_directory where;
    datagram_receiver full{where.path("full")};
    datagram_receiver other{where.path("other")};
    const unique_fd sender{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    full.fill_from(sender.get());

    scheduler loop{on_epoll()};
    message_to first{sender.get(), full};
    message_to second{sender.get(), other};
    loop.start(first.op);
    loop.start(second.op);
    run_until(loop, [&] { return second.op.ended(); });
    EXPECT_EQ(second.op.results, std::vector{1});
    EXPECT_FALSE(first.op.ended());
    EXPECT_LT(turns_within(loop, 200ms), 200U);

    char byte = 0;
    ASSERT_EQ(::recv(full.socket.get(), &byte, 1, 0), 1);
    run_until(loop, [&] { return first.op.ended(); });
    EXPECT_EQ(first.op.results, std::vector{1});
}

// ---- streams of polls ----

sample_operation polling(int fd) {
    return sample_operation{
        [fd](io_uring_sqe& sqe) { io_uring_prep_poll_multishot(&sqe, fd, POLLIN); }};
}

TEST(epoll_driver, tells_a_poll_once_what_stays_as_it_is) {
    scheduler loop{on_epoll()};
    const empty_pipe source;
    auto before = polling(source.out.get());
    loop.start(before);
    source.write();
    run_until(loop, [&] { return !before.results.empty(); });
    turns_within(loop, 50ms); // old registrations are looked at
    EXPECT_EQ(before.results, std::vector{int{POLLIN}});

    auto second = polling(source.out.get()); // on a descriptor that is known
    loop.start(second);
    turns_within(loop, 50ms);
    EXPECT_EQ(second.results, std::vector{int{POLLIN}});
    before.cancel();
    second.cancel();
    run_until(loop, [&] { return before.ended() && second.ended(); });
}

TEST(epoll_driver, makes_no_room_for_a_descriptor_that_is_not_there) {
    scheduler loop{on_epoll()};
    auto op = polling(2'000'000'000);
    loop.start(op);
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{-EBADF});
}

// ---- files ----

TEST(epoll_driver, reads_on_at_the_present_position_where_memory_ends) {
    const temporary_directory where{"."}; // on a disk, perhaps
    const std::string content(std::size_t{4} << 20, 'c');
    const std::string path = where.put("file", content);
    const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    std::vector<char> buffer(content.size());
    ASSERT_EQ(::fsync(file.get()), 0);
    ASSERT_EQ(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
    ASSERT_EQ(::pread(file.get(), buffer.data(), 4096, 0), 4096); // that much is in memory

    scheduler loop{on_epoll()};
    sample_operation op{[&](io_uring_sqe& sqe) {
        io_uring_prep_read(
            &sqe, file.get(), buffer.data(), static_cast<unsigned>(buffer.size()), ~std::uint64_t{0}
        );
    }};
    loop.start(op);
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{static_cast<std::int32_t>(content.size())});
}

TEST(epoll_driver, has_a_worker_write_what_goes_to_the_disk_at_once) {
    const temporary_directory where{"."};
    const std::string path = where.path("file");
    const int flags = O_WRONLY | O_CREAT | O_DSYNC | O_NONBLOCK | O_CLOEXEC;
    const unique_fd file{::open(path.c_str(), flags, 0600)};
    ASSERT_TRUE(file);
    scheduler loop{on_epoll()};
    sample_operation op{
        [&](io_uring_sqe& sqe) { io_uring_prep_write(&sqe, file.get(), "12345", 5, 0); }};
    loop.start(op);
    run_until(loop, [&] { return op.ended(); });
    EXPECT_EQ(op.results, std::vector{5});
    EXPECT_EQ(loop.pool().stats().created, 1U);
}

// ---- splices ----

TEST(epoll_driver, holds_no_worker_with_a_splice_that_waits) {
    auto options = on_epoll();
    options.workers.unbounded_max = 1;
    scheduler loop{options};
    const empty_pipe silent, filled, to;
    filled.write();
    const auto splice = [](const empty_pipe& from, const empty_pipe& into) {
        return sample_operation{
            [from = from.out.get(), into = into.in.get()](io_uring_sqe& sqe) {
                io_uring_prep_splice(&sqe, from, -1, into, -1, 1, 0);
            },
            operation::subject{from.out.get(), POLLIN}};
    };
    auto waiting = splice(silent, to);
    auto moving = splice(filled, to);
    loop.start(waiting);
    loop.start(moving);
    run_until(loop, [&] { return moving.ended(); });
    EXPECT_EQ(moving.results, std::vector{1});
    EXPECT_FALSE(waiting.ended());
    silent.write();
    run_until(loop, [&] { return waiting.ended(); });
    EXPECT_EQ(waiting.results, std::vector{1});
}

} // namespace
} // namespace epoll_waits_tests
