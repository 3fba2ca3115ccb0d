// SPDX-License-Identifier: BSL-1.0
//
// Files that are sent: what arrives is what the result says, whatever becomes of the file, the peer
// or the wish to send it meanwhile.
#include "connected.hpp"
#include "support/child_process.hpp"
#include "support/open_files.hpp"
#include "support/temporary_directory.hpp"
#include "support/text.hpp"

#include <coronet/coro/event.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/send_file.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coronet::send_file_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr std::size_t small = 1'000;
constexpr std::size_t large = 5'000'000; // more than a socket takes before its peer reads

std::string content_of(std::size_t size) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        content[i] = static_cast<char>('a' + i / 7 % 26);
    return content;
}

file opened(const std::string& path, int flags = O_RDONLY) {
    return file{unique_fd{::open(path.c_str(), flags | O_CLOEXEC)}};
}

task<std::string> read_to_the_end(tcp_stream* from) {
    std::string all;
    std::vector<std::byte> buffer(100'000);
    for (;;) {
        const auto read = co_await from->read_some(buffer);
        if (!read || *read == 0) co_return all;
        all += text_of(std::span{buffer}.first(*read));
    }
}
task<transfer> send_and_finish(tcp_stream* to, file* from, file_part what, std::string header) {
    const auto sent = co_await send_file(to, from, what, bytes_of(header));
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    static_cast<void>(finished);
    co_return sent;
}

struct exchange {
    transfer sent;
    std::string arrived;
};
task<exchange> exchanged(file* from, file_part what, std::string header) {
    connected<tcp_stream> pair;
    auto both = co_await when_all(
        send_and_finish(&pair.here, from, what, header), read_to_the_end(&pair.there)
    );
    co_return exchange{std::get<0>(both), std::move(std::get<1>(both))};
}

TEST(send_file, sends_the_header_and_then_the_file) {
    const temporary_directory where;
    const auto before = open_file_count();
    for (const std::size_t size : {std::size_t{0}, small, std::size_t{65'536}, large}) {
        const auto content = content_of(size);
        file from = opened(where.put("file", content));
        const auto done = run(exchanged(&from, {}, "a header\n"));
        EXPECT_TRUE(done.sent) << done.sent.error.message();
        EXPECT_EQ(done.sent.bytes, size + 9);
        EXPECT_TRUE(done.arrived == "a header\n" + content) << size;
    }
    EXPECT_EQ(open_file_count(), before);
}

TEST(send_file, sends_a_part_and_needs_no_header) {
    const temporary_directory where;
    const auto content = content_of(large);
    file from = opened(where.put("file", content));
    for (const file_part part : {file_part{5, 10}, file_part{100'000, 1'000'000}}) {
        const auto done = run(exchanged(&from, part, ""));
        EXPECT_TRUE(done.sent);
        EXPECT_TRUE(done.arrived == content.substr(part.offset, part.length));
    }
    EXPECT_TRUE(run(exchanged(&from, {large + 5}, "only")).arrived == "only");
}

TEST(send_file, sends_what_is_there_of_a_file_that_is_too_short) {
    const temporary_directory where;
    for (const std::size_t size : {std::size_t{0}, small, std::size_t{200'000}}) {
        const auto content = content_of(size);
        file from = opened(where.put("file", content));
        for (const std::string header : {"", "a header\n"}) {
            for (const std::uint64_t promised : {60'000U, 300'000U}) { // read and sent, or spliced
                if (promised <= size) continue;
                const auto done = run(exchanged(&from, {0, promised}, header));
                EXPECT_EQ(done.sent.error, errc::end_of_stream);
                EXPECT_EQ(done.sent.bytes, header.size() + size);
                EXPECT_TRUE(done.arrived == header + content) << size << ' ' << promised;
            }
        }
    }
}

TEST(send_file, sends_what_is_made_up_when_it_is_read) {
    std::ifstream version{"/proc/version"};
    const std::string content{std::istreambuf_iterator<char>{version}, {}};
    file from = opened("/proc/version");
    const auto done = run(exchanged(&from, {}, "a header\n"));
    EXPECT_TRUE(done.sent) << done.sent.error.message();
    EXPECT_TRUE(done.arrived == "a header\n" + content);
    EXPECT_EQ(done.sent.bytes, done.arrived.size());
}

// ---- what happens while the peer does not read ----

const std::string header_of_stuck = "header";

/// poll(2) tells of fewer bytes than these only at the end of the stream.
void set_low_watermark(int socket, int bytes) {
    EXPECT_EQ(::setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes), 0);
}
/// Until all that could begin has begun and waits.
task<void> until_nothing_moves() {
    std::uint64_t before = 0;
    for (;;) {
        const auto now = scheduler::current()->stats().operations;
        if (now == before) co_return;
        before = now;
        const auto waited = co_await sleep_for(20ms);
        static_cast<void>(waited);
    }
}

/// Until so many bytes can be read from a socket; they stay there.
task<void> until_arrived(std::size_t bytes, const tcp_stream* at) {
    const int fd = at->native_handle();
    set_low_watermark(fd, static_cast<int>(bytes));
    const auto readable = co_await async::poll(fd, POLLIN);
    EXPECT_TRUE(readable);
    set_low_watermark(fd, 1);
}
/// When the file is on its way: its size has been asked for and its first byte has arrived.
template <class Function>
task<void> act_when_stuck(Function act, event* done, const tcp_stream* at) {
    co_await until_arrived(header_of_stuck.size() + 1, at);
    co_await until_nothing_moves();
    act();
    done->set();
}
task<std::string> read_after(event* done, tcp_stream* from) {
    const auto waited = co_await done->wait();
    static_cast<void>(waited);
    co_return co_await read_to_the_end(from);
}
/// Sends to a peer that begins to read when `act` has been called.
template <class Function>
task<exchange> meanwhile(file* from, file_part what, Function act) {
    connected<tcp_stream> pair;
    event acted;
    auto all = co_await when_all(
        send_and_finish(&pair.here, from, what, header_of_stuck), read_after(&acted, &pair.there),
        act_when_stuck(act, &acted, &pair.there)
    );
    co_return exchange{std::get<0>(all), std::move(std::get<1>(all))};
}

TEST(send_file, does_not_send_what_was_added_meanwhile) {
    const temporary_directory where;
    const auto content = content_of(large);
    const auto path = where.put("file", content);
    file from = opened(path);
    const auto done = run(meanwhile(&from, {}, [&] {
        std::ofstream{path, std::ios::app} << "more";
    }));
    EXPECT_TRUE(done.sent);
    EXPECT_TRUE(done.arrived == "header" + content);
}

TEST(send_file, ends_with_an_error_where_the_file_was_cut_off_meanwhile) {
    const temporary_directory where;
    const auto path = where.put("file", content_of(3 * large));
    file from = opened(path);
    const auto done = run(meanwhile(&from, {}, [&] { std::filesystem::resize_file(path, 10); }));
    EXPECT_EQ(done.sent.error, errc::end_of_stream);
    EXPECT_LT(done.sent.bytes, 3 * large);
    EXPECT_EQ(done.arrived.size(), done.sent.bytes);
}

task<exchange> cancelled(file* from) {
    connected<tcp_stream> pair;
    const auto header = bytes_of("header");
    const file_part all;
    const auto sent = co_await with_timeout(30ms, send_file(&pair.here, from, all, header));
    EXPECT_FALSE(::fcntl(pair.here.native_handle(), F_GETFL) & O_NONBLOCK);
    const auto finished = co_await pair.here.shutdown(shutdown_of::sending);
    static_cast<void>(finished);
    auto arrived = co_await read_to_the_end(&pair.there);
    co_return exchange{sent, std::move(arrived)};
}

TEST(send_file, that_is_cancelled_has_sent_what_it_says) {
    const temporary_directory where;
    const auto content = content_of(3 * large);
    file from = opened(where.put("file", content));
    const auto before = open_file_count();
    const auto done = run(cancelled(&from));
    EXPECT_EQ(done.sent.error, std::errc::timed_out);
    EXPECT_GT(done.sent.bytes, 0u);
    EXPECT_LT(done.sent.bytes, 3 * large);
    EXPECT_TRUE(done.arrived == ("header" + content).substr(0, done.sent.bytes));
    EXPECT_EQ(open_file_count(), before);
}

// ---- peers ----

std::size_t kernel_worker_count() {
    std::size_t count = 0;
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::ifstream name_of{task.path() / "comm"};
        std::string name;
        if (std::getline(name_of, name) && name.starts_with("iou-wrk-")) ++count;
    }
    return count;
}

task<void> send_in_vain(tcp_stream* to, file* from) {
    const auto sent = co_await send_file(to, from);
    EXPECT_EQ(sent.error, std::errc::operation_canceled);
}
task<std::size_t> send_to_many(scope all, std::deque<connected<tcp_stream>>* peers, file* from) {
    for (auto& each : *peers)
        all.spawn(send_in_vain, &each.here, from);
    co_await until_nothing_moves();
    const auto workers = kernel_worker_count();
    const auto busy = scheduler::current()->in_flight_count();
    EXPECT_GE(busy, peers->size());
    all.request_stop();
    co_return workers;
}

TEST(send_file, holds_no_thread_while_peers_are_slow) {
    const temporary_directory where;
    file from = opened(where.put("file", content_of(2 * large)));
    std::deque<connected<tcp_stream>> peers(24);
    run_options options;
    options.scheduler.kernel_workers_unbounded = 64;
    const auto held = run(with_scope(send_to_many, &peers, &from), options);
    // Idle ones go after seconds; a splice takes a moment: some were made, but not one for each.
    EXPECT_LT(held, peers.size());
}

task<transfer> send_to_nobody(file* from) {
    connected<tcp_stream> pair;
    const auto gone = co_await pair.there.close();
    static_cast<void>(gone);
    co_return co_await send_file(&pair.here, from);
}

TEST(send_file, to_a_peer_that_has_gone_is_an_error_and_no_signal) {
    const temporary_directory where;
    file from = opened(where.put("file", content_of(3 * large)));
    const auto sent = run(send_to_nobody(&from));
    EXPECT_TRUE(sent.error == std::errc::connection_reset || sent.error == std::errc::broken_pipe)
        << sent.error.message();
}

TEST(send_file, reads_and_sends_where_there_are_no_kernel_workers) {
    const temporary_directory where;
    const auto content = content_of(large);
    file from = opened(where.put("file", content));
    EXPECT_EQ(7, in_a_child([&]() -> int {
                  rlimit limit{};
                  ::getrlimit(RLIMIT_NPROC, &limit);
                  limit.rlim_cur = 0;
                  ::setrlimit(RLIMIT_NPROC, &limit);
                  run_options options;
                  options.scheduler.allow_no_kernel_workers = true;
                  const auto done = run(exchanged(&from, {}, "header"), options);
                  return done.sent && done.arrived == "header" + content ? 7 : 8;
              }));
}

} // namespace
} // namespace coronet::send_file_tests
