// SPDX-License-Identifier: BSL-1.0
//
// What tests of the scheduler on a real ring work with: a loop on a thread of its own, and reads
// that wait until somebody writes.
#pragma once

#include "call.hpp"
#include "run_until.hpp"
#include "sample_operation.hpp"
#include "support/temporary_directory.hpp"

#include <coronet/scheduler.hpp>
#include <coronet/unique_fd.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coronet::testing {

struct empty_pipe {
    empty_pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) == 0) {
            out.reset(ends[0]);
            in.reset(ends[1]);
        }
    }
    void write() const { EXPECT_EQ(::write(in.get(), "x", 1), 1); }
    unique_fd out, in;
};

inline sample_operation read_of(const empty_pipe& source, char& byte) {
    return sample_operation{
        [fd = source.out.get(), &byte](io_uring_sqe& sqe) {
            io_uring_prep_read(&sqe, fd, &byte, 1, 0);
        },
        operation::subject{source.out.get()}};
}

/// A loop on a thread of its own, until the end of the scope.
class running {
public:
    explicit running(scheduler& loop) : loop_(loop), thread_([this] { loop_.run(); }) {}
    ~running() { stop(); }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void stop() {
        loop_.stop();
        if (thread_.joinable()) thread_.join();
    }

private:
    scheduler& loop_;
    std::thread thread_;
};

/// Runs `function` on the loop and waits for it.
inline void on(scheduler& loop, const std::function<void()>& function) {
    std::promise<void> done;
    call item{[&] {
        function();
        done.set_value();
    }};
    ASSERT_TRUE(loop.post(item));
    ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
}

/// Four threads post; each item runs once.
inline void post_from_threads(scheduler& loop) {
    constexpr int threads = 4, items_each = 5'000;
    std::atomic<int> runs{0};
    std::vector<std::deque<call>> items(threads);
    for (auto& mine : items)
        for (int i = 0; i < items_each; ++i)
            mine.emplace_back([&runs] { runs.fetch_add(1, std::memory_order_relaxed); });
    {
        running thread{loop};
        std::vector<std::thread> posters;
        for (auto& mine : items)
            posters.emplace_back([&] {
                for (call& each : mine)
                    EXPECT_TRUE(loop.post(each));
            });
        for (auto& each : posters)
            each.join();
        EXPECT_TRUE(wait_until([&] { return runs.load() == threads * items_each; }));
    }
    EXPECT_EQ(runs.load(), threads * items_each);
}

/// Three timers, armed out of order.
inline void call_timers_in_order(scheduler& loop) {
    using std::chrono::milliseconds;
    std::vector<int> order;
    const time_point begin = clock::now();
    const auto note = [&](int n) {
        return [&order, begin, n] {
            order.push_back(n);
            EXPECT_GE(clock::now() - begin, n * milliseconds{10}) << "too early";
        };
    };
    alarm third{note(3)}, first{note(1)}, second{note(2)};
    loop.arm(third, milliseconds{30});
    loop.arm(first, milliseconds{10});
    loop.arm(second, milliseconds{20});
    run_until(loop, [&] { return order.size() == 3; });
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

/// An open of a FIFO waits in a worker for somebody who writes. Who cancels it is told that it
/// runs.
inline void cancel_an_open_that_waits(scheduler& loop) {
    const test::temporary_directory where;
    const std::string fifo = where.path("fifo");
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    sample_operation open{[&](io_uring_sqe& sqe) {
        io_uring_prep_openat(&sqe, AT_FDCWD, fifo.c_str(), O_RDONLY | O_CLOEXEC, 0);
    }};
    loop.start(open);
    loop.run_once(time_point::min());
    open.cancel();
    run_until(loop, [&] { return open.ended(); });
    EXPECT_EQ(open.results, std::vector{-ECANCELED});
    EXPECT_GE(loop.stats().cancels_running, 1U);
}

/// A splice from an empty pipe blocks a kernel worker, which answers with a raw restart request.
/// (Where there are none it is polled for.)
inline void cancel_what_blocks_a_worker(const scheduler_options& options) {
    empty_pipe from, to;
    scheduler loop{options};
    sample_operation splice{
        [&](io_uring_sqe& sqe) {
            io_uring_prep_splice(&sqe, from.out.get(), -1, to.in.get(), -1, 1, 0);
        },
        operation::subject{from.out.get(), POLLIN}};
    loop.start(splice);
    loop.run_once(
        clock::now() + std::chrono::milliseconds{20}
    ); // perhaps it is in the worker by now; either is right
    splice.cancel();
    run_until(loop, [&] { return splice.ended(); });
    EXPECT_EQ(splice.results, (std::vector{-ECANCELED}));
}

} // namespace coronet::testing
