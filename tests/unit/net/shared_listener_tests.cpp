// SPDX-License-Identifier: BSL-1.0
//
// One listener for several schedulers: each connection is served by exactly one of them, in turn,
// and none is lost when one of them ends, or all.
#include "connected.hpp"
#include "support/open_files.hpp"
#include "support/quiet.hpp"
#include "support/schedulers.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/accept_all.hpp>
#include <coronet/net/shared_listener.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>

namespace coronet::shared_listener_tests {
namespace {

using namespace std::chrono_literals;
using test::client_of;
using test::free_endpoint;
using test::quiet;

template <class Stream>
class shared_listener_of : public ::testing::Test {};
using streams = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(shared_listener_of, streams, test::stream_names);

constexpr int closed = -1;
constexpr int elsewhere = 99;
constexpr int silent = 100;

/// Which share has served it.
int asked(const unique_fd& client) {
    char byte = 0;
    const auto received = ::recv(client.get(), &byte, 1, 0);
    if (received == 1) return byte;
    return received == 0 || errno == ECONNRESET ? closed : silent;
}

// ---- on several threads ----

template <class Stream>
task<void> tell_where(Stream peer, scheduler* expected, int number) {
    const int seen = scheduler::current() == expected ? number : elsewhere;
    std::array<std::byte, 1> byte{static_cast<std::byte>(seen)};
    const auto sent = co_await peer.write_all(byte);
    static_cast<void>(sent);
}
template <class Stream>
task<void>
accept_there(scope children, listener_share<Stream> share, scheduler* where, int number) {
    auto accepting = accept_all(children, &share, tell_where<Stream>, where, number);
    const auto ended = co_await std::move(accepting);
    static_cast<void>(ended);
}
template <class Stream>
task<void> serve_there(listener_share<Stream> share, scheduler* where, int number) {
    co_await with_scope(accept_there<Stream>, std::move(share), where, number);
}
template <class Stream>
task<void> serve_at(scheduler* where, listener_share<Stream> share, int number) {
    const auto served =
        co_await run_on(*where, serve_there<Stream>, std::move(share), where, number);
    static_cast<void>(served); // errc::stopped: not begun
}

template <class Stream>
struct service {
    service(std::size_t count, endpoint where) : threads(test::threads(count)), at(where) {}
    runtime threads;
    inplace_stop_source stop;
    endpoint at;
    std::error_code ended;
};
template <class Stream>
task<void> serve(scope servers, service<Stream>* all, basic_listener<Stream> listener) {
    shared_listener<basic_listener<Stream>> door{std::move(listener)};
    for (std::size_t i = 0; i < all->threads.size(); ++i)
        servers.spawn(serve_at<Stream>, &all->threads.at(i), door.add_share(), static_cast<int>(i));
    auto accepting = door.run();
    all->ended = co_await with_stop(all->stop.get_token(), std::move(accepting));
}

/// What `clients` does, while `count` schedulers serve.
template <class Stream>
std::error_code
with_service(std::size_t count, const std::function<void(service<Stream>&)>& clients) {
    basic_listener<Stream> listener{free_endpoint<Stream>()};
    service<Stream> all{count, *listener.local_endpoint()};
    std::thread peers{[&] {
        clients(all);
        all.stop.request_stop();
    }};
    run(with_scope(serve<Stream>, &all, std::move(listener)), quiet());
    peers.join();
    return all.ended;
}

TYPED_TEST(shared_listener_of, gives_each_connection_to_the_next_scheduler_in_turn) {
    std::vector<int> seen;
    const auto ended = with_service<TypeParam>(3, [&](auto& all) {
        for (int i = 0; i < 200; ++i)
            seen.push_back(asked(client_of(all.at)));
    });
    EXPECT_EQ(ended, std::errc::operation_canceled);
    ASSERT_EQ(seen.size(), 200U);
    for (std::size_t i = 0; i < seen.size(); ++i)
        ASSERT_EQ(seen[i], static_cast<int>(i % 3)) << "connection " << i;
}

TYPED_TEST(shared_listener_of, serves_all_of_a_burst) {
    std::vector<int> seen;
    with_service<TypeParam>(2, [&](auto& all) {
        std::vector<unique_fd> clients;
        for (int i = 0; i < 200; ++i)
            clients.push_back(client_of(all.at));
        for (const unique_fd& each : clients)
            seen.push_back(asked(each));
    });
    const auto zeros = std::count(seen.begin(), seen.end(), 0);
    const auto ones = std::count(seen.begin(), seen.end(), 1);
    EXPECT_EQ(zeros + ones, 200);
    EXPECT_GT(zeros, 0);
    EXPECT_GT(ones, 0);
}

template <class Stream>
std::vector<int> one_ends_in_the_middle() {
    std::vector<int> seen;
    with_service<Stream>(2, [&](auto& all) {
        std::vector<unique_fd> clients;
        for (int i = 0; i < 100; ++i)
            clients.push_back(client_of(all.at));
        all.threads.at(0).stop();
        for (const unique_fd& each : clients)
            seen.push_back(asked(each));
        all.threads.at(0).join().value();
        for (int i = 0; i < 100; ++i)
            seen.push_back(asked(client_of(all.at)));
    });
    return seen;
}

TYPED_TEST(shared_listener_of, goes_on_with_the_others_when_a_scheduler_ends) {
    static_cast<void>(one_ends_in_the_middle<TypeParam>()); // what is opened once is open
    const auto before = test::open_file_count();
    const auto seen = one_ends_in_the_middle<TypeParam>();
    ASSERT_EQ(seen.size(), 200U);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), silent), 0);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), elsewhere), 0);
    EXPECT_EQ(std::count(seen.begin() + 100, seen.end(), 1), 100);
    EXPECT_EQ(test::open_file_count(), before);
}

template <class Stream>
int all_end_in_the_middle(int connections) {
    int answered = 0;
    with_service<Stream>(2, [&](auto& all) {
        std::vector<unique_fd> clients;
        for (int i = 0; i < connections; ++i)
            clients.push_back(client_of(all.at));
        all.threads.stop();
        all.stop.request_stop();
        for (const unique_fd& each : clients) {
            pollfd waiting{each.get(), POLLIN, 0};
            if (::poll(&waiting, 1, 10'000) != 1) break;
            if (asked(each) != silent) ++answered;
        }
    });
    return answered;
}

TYPED_TEST(shared_listener_of, loses_no_descriptor_when_all_schedulers_end) {
    static_cast<void>(all_end_in_the_middle<TypeParam>(50));
    const auto before = test::open_file_count();
    for (int round = 0; round < 20; ++round)
        ASSERT_EQ(all_end_in_the_middle<TypeParam>(50), 50) << "round " << round;
    EXPECT_EQ(test::open_file_count(), before);
}

// ---- on one thread ----

template <class Stream>
struct door_and_shares {
    explicit door_and_shares(std::size_t inbox = 16)
        : door(basic_listener<Stream>{free_endpoint<Stream>()}, inbox),
          at(*door.listener().local_endpoint()) {}
    void connect(int count) {
        for (int i = 0; i < count; ++i)
            clients.push_back(client_of(at));
    }
    shared_listener<basic_listener<Stream>> door;
    endpoint at;
    std::vector<unique_fd> clients;
    std::optional<std::error_code> ended;
};
template <class Stream>
task<void> run_door(door_and_shares<Stream>* test) {
    auto accepting = test->door.run();
    test->ended = co_await std::move(accepting);
}
/// Lets the door take what has come.
template <class Stream>
task<void> settle(door_and_shares<Stream>* test) {
    for (int turn = 0; turn < 200; ++turn) {
        const auto went = co_await async::nop();
        static_cast<void>(went);
    }
    static_cast<void>(test);
}
/// How many connections it gives: waits for those that are expected, and a little for one more.
template <class Stream>
task<int> accepted_from(listener_share<Stream>* share, int expected) {
    for (int count = 0;; ++count) {
        const duration limit = count < expected ? duration{10s} : duration{20ms};
        const auto accepted = co_await with_timeout(limit, share->accept());
        if (!accepted) co_return count;
    }
}

template <class Stream>
task<std::pair<int, int>> drop_a_share(scope children, door_and_shares<Stream>* test) {
    std::optional<listener_share<Stream>> first{test->door.add_share()};
    auto second = test->door.add_share();
    test->connect(10);
    children.spawn(run_door<Stream>, test);
    co_await settle(test);
    first.reset();
    const int count = co_await accepted_from(&second, 10);
    children.request_stop();
    const auto ended = co_await children.join();
    ended.value();
    const int late = co_await accepted_from(&second, 0);
    co_return std::pair{count, late};
}

TYPED_TEST(shared_listener_of, gives_what_a_share_held_to_the_others_when_that_ends) {
    door_and_shares<TypeParam> test;
    const auto before = test::open_file_count();
    EXPECT_EQ(run(with_scope(drop_a_share<TypeParam>, &test), quiet()), (std::pair{10, 0}));
    EXPECT_EQ(test.ended, std::errc::operation_canceled);
    test.clients.clear();
    EXPECT_EQ(test::open_file_count(), before);
}

template <class Stream>
task<std::pair<int, std::error_code>> stop_the_door(scope children, door_and_shares<Stream>* test) {
    auto share = test->door.add_share();
    test->connect(5);
    children.spawn(run_door<Stream>, test);
    co_await settle(test);
    children.request_stop();
    const auto ended = co_await children.join();
    ended.value();
    const int count = co_await accepted_from(&share, 5);
    const auto none = co_await share.accept();
    co_return std::pair{count, none.error()};
}

TYPED_TEST(shared_listener_of, gives_what_it_holds_when_the_listener_has_stopped) {
    door_and_shares<TypeParam> test;
    const auto [count, end] = run(with_scope(stop_the_door<TypeParam>, &test), quiet());
    EXPECT_EQ(count, 5);
    EXPECT_EQ(end, errc::closed);
}

template <class Stream>
task<int> fill_all(scope children, door_and_shares<Stream>* test) {
    auto first = test->door.add_share();
    auto second = test->door.add_share();
    test->connect(20);
    children.spawn(run_door<Stream>, test);
    co_await settle(test);
    // The second is not asked: the first gets all that does not fit there.
    const int count = co_await accepted_from(&first, 19);
    children.request_stop();
    co_return count;
}

TYPED_TEST(shared_listener_of, waits_for_room_and_leaves_out_a_share_that_is_full) {
    door_and_shares<TypeParam> test{1};
    EXPECT_EQ(run(with_scope(fill_all<TypeParam>, &test), quiet()), 19);
}

template <class Stream>
task<void> leave_it_alone(scope children, door_and_shares<Stream>* test) {
    {
        auto share = test->door.add_share();
        children.spawn(run_door<Stream>, test);
        test->connect(1);
        const auto first = co_await share.accept();
        EXPECT_TRUE(first);
    }
    test->connect(1);
    const auto ended = co_await children.join();
    ended.value();
}

TYPED_TEST(shared_listener_of, ends_when_nobody_is_left_to_serve) {
    door_and_shares<TypeParam> test;
    run(with_scope(leave_it_alone<TypeParam>, &test), quiet());
    EXPECT_EQ(test.ended, errc::closed);
    EXPECT_EQ(asked(test.clients.back()), closed);
}

template <class Stream>
task<void> leave_it_full(scope children, door_and_shares<Stream>* test) {
    std::optional<listener_share<Stream>> share{test->door.add_share()};
    test->connect(4);
    children.spawn(run_door<Stream>, test);
    co_await settle(test);
    share.reset(); // while the door waits for room
    const auto ended = co_await with_timeout(10s, children.join());
    ended.value();
}

TYPED_TEST(shared_listener_of, waits_no_longer_when_the_share_that_was_full_has_gone) {
    door_and_shares<TypeParam> test{1};
    run(with_scope(leave_it_full<TypeParam>, &test), quiet());
    EXPECT_EQ(test.ended, errc::closed);
}

} // namespace
} // namespace coronet::shared_listener_tests
