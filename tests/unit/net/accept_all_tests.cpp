// SPDX-License-Identifier: BSL-1.0
//
// Servers that run out of descriptors: nobody is refused, nothing turns for nothing, and all are
// served once there are descriptors again.
#include "connected.hpp"
#include "support/logged.hpp"
#include "support/open_files.hpp"
#include "support/quiet.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/accept_all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>

namespace coronet::accept_all_tests {
namespace {

using namespace std::chrono_literals;
using test::client_of;
using test::free_endpoint;
using test::logged;
using test::quiet;

// ---- what the tests are made of ----

/// While it lives, only so many descriptors can be opened.
class descriptors_left {
public:
    explicit descriptors_left(std::size_t count) {
        std::vector<unique_fd> free;
        while (free.size() <= count)
            free.emplace_back(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit few = before_;
        few.rlim_cur = static_cast<rlim_t>(free.back().get());
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    ~descriptors_left() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    descriptors_left(const descriptors_left&) = delete;
    descriptors_left& operator=(const descriptors_left&) = delete;

private:
    rlimit before_{};
};

/// Counts the attempts to accept.
template <class Stream>
struct counted {
    explicit counted(basic_listener<Stream>* listener) noexcept : from(listener) {}
    [[nodiscard]] auto accept() noexcept {
        ++attempts;
        return from->accept();
    }
    basic_listener<Stream>* from;
    std::atomic<int> attempts = 0;
};

/// Answers by a script, then says that it was cancelled.
struct scripted_listener {
    explicit scripted_listener(std::deque<std::errc> errors) : answers(std::move(errors)) {}
    task<result<tcp_stream>> accept() {
        ++attempts;
        auto answer = std::errc::operation_canceled;
        if (!answers.empty()) {
            answer = answers.front();
            answers.pop_front();
        }
        co_return answer;
    }
    std::deque<std::errc> answers;
    int attempts = 0;
};

task<void> nothing(tcp_stream) {
    co_return;
}
task<std::error_code> accept_from(scope children, scripted_listener* from) {
    auto accepting = accept_all(children, from, nothing);
    co_return co_await std::move(accepting);
}
std::error_code end_of(scripted_listener& from) {
    return run(with_scope(accept_from, &from), quiet());
}

class accept_backoff_case {
protected:
    // UBSan opens a pipe when it first meets a type with virtual functions: it meets all of them
    // while there are descriptors.
    accept_backoff_case() {
        scripted_listener shortage{
            {std::errc::too_many_files_open, std::errc::too_many_files_open}};
        static_cast<void>(end_of(shortage));
    }
};

template <class Stream>
task<void> answer(Stream peer, int* served) {
    std::array<std::byte, 1> byte{std::byte{1}};
    const auto sent = co_await peer.write_all(byte);
    if (!sent) co_return;
    const auto finished = co_await peer.read_some(byte);
    if (finished && *finished == 0) ++*served;
    const auto closed = co_await peer.close();
    closed.value();
}

/// Whether each got an answer. They keep their descriptors.
bool all_answered(const std::vector<unique_fd>& clients) {
    for (const unique_fd& each : clients) {
        char byte = 0;
        if (::recv(each.get(), &byte, 1, 0) != 1) return false;
        ::shutdown(each.get(), SHUT_WR);
    }
    return true;
}

template <class Stream>
struct server {
    explicit server(basic_listener<Stream>* listener) noexcept : from(listener) {}
    counted<Stream> from;
    inplace_stop_source stop;
    int served = 0;
};
template <class Stream>
task<std::error_code> serve(scope children, server<Stream>* here) {
    auto accepting = accept_all(children, &here->from, answer<Stream>, &here->served);
    co_return co_await with_stop(here->stop.get_token(), std::move(accepting));
}

// ---- with the real thing ----

template <class Stream>
class accept_all_of : public ::testing::Test, private accept_backoff_case {};
using streams = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(accept_all_of, streams, test::stream_names);

template <class Stream>
task<bool> serve_with_few_descriptors(server<Stream>* here, std::vector<unique_fd>* clients) {
    const descriptors_left few{3};
    bool answered = false;
    std::thread peers{[&] {
        answered = all_answered(*clients);
        here->stop.request_stop();
    }};
    const auto ended = co_await with_scope(serve<Stream>, here);
    peers.join();
    co_return answered&& ended == std::errc::operation_canceled;
}

TYPED_TEST(accept_all_of, serves_all_one_after_the_other_where_there_are_few_descriptors) {
    const logged log;
    basic_listener<TypeParam> listener{free_endpoint<TypeParam>()};
    std::vector<unique_fd> clients;
    for (int i = 0; i < 60; ++i)
        clients.push_back(client_of(listener));
    server<TypeParam> here{&listener};
    EXPECT_TRUE(run(serve_with_few_descriptors(&here, &clients), quiet()));
    EXPECT_EQ(here.served, 60);
    EXPECT_LE(here.from.attempts, 60 * 3 + 10); // one that fails a descriptor that came free
    EXPECT_EQ(log.count("accept: Too many open files"), 1);
}

template <class Stream>
task<std::error_code> serve_for(duration limit, server<Stream>* here) {
    const descriptors_left none{0};
    co_return co_await with_timeout(limit, with_scope(serve<Stream>, here));
}

TYPED_TEST(accept_all_of, does_not_turn_in_a_loop_while_there_is_no_descriptor) {
    basic_listener<TypeParam> listener{free_endpoint<TypeParam>()};
    const unique_fd client = client_of(listener);
    server<TypeParam> here{&listener};
    EXPECT_EQ(run(serve_for(400ms, &here), quiet()), std::errc::timed_out);
    EXPECT_GE(here.from.attempts, 3);
    EXPECT_LE(here.from.attempts, 5); // at once, once more, after 50, 150, 350 ms
    EXPECT_EQ(here.served, 0);
}

template <class Stream>
task<std::error_code> serve_while_others_lift(server<Stream>* here, std::vector<unique_fd>* one) {
    auto none = std::make_unique<descriptors_left>(0);
    std::thread peer{[&] {
        while (here->from.attempts < 4) // the next one comes in 200 ms
            std::this_thread::yield();
        none.reset(); // no descriptor is closed
        static_cast<void>(all_answered(*one));
        here->stop.request_stop();
    }};
    const auto ended = co_await with_scope(serve<Stream>, here);
    peer.join();
    co_return ended;
}

TYPED_TEST(accept_all_of, finds_descriptors_that_came_free_without_the_library) {
    basic_listener<TypeParam> listener{free_endpoint<TypeParam>()};
    std::vector<unique_fd> one;
    one.push_back(client_of(listener));
    server<TypeParam> here{&listener};
    EXPECT_EQ(run(serve_while_others_lift(&here, &one), quiet()), std::errc::operation_canceled);
    EXPECT_EQ(here.served, 1);
    EXPECT_GE(here.from.attempts, 5);
}

struct waking {
    explicit waking(unique_fd kept) noexcept : in_use(std::move(kept)) {}
    unique_fd in_use;
    clock::time_point closed;
    clock::time_point answered;
    std::thread peer;
};
/// Once the pause has become 800 ms.
template <class Stream>
task<void> close_one_later(server<Stream>* here, waking* seen, std::vector<unique_fd>* one) {
    while (here->from.attempts < 6) {
        const auto slept = co_await sleep_for(5ms);
        slept.value();
    }
    seen->peer = std::thread{[=] {
        seen->closed = clock::now();
        seen->in_use.reset();
        static_cast<void>(all_answered(*one));
        seen->answered = clock::now();
        here->stop.request_stop();
    }};
}
template <class Stream>
task<void>
serve_and_close(scope children, server<Stream>* here, waking* seen, std::vector<unique_fd>* one) {
    const descriptors_left none{0};
    children.spawn(close_one_later<Stream>, here, seen, one);
    const auto ended = co_await with_scope(serve<Stream>, here);
    static_cast<void>(ended);
}

TYPED_TEST(accept_all_of, goes_on_at_once_when_a_descriptor_is_closed) {
    basic_listener<TypeParam> listener{free_endpoint<TypeParam>()};
    std::vector<unique_fd> one;
    one.push_back(client_of(listener));
    waking seen{unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}};
    server<TypeParam> here{&listener};
    run(with_scope(serve_and_close<TypeParam>, &here, &seen, &one), quiet());
    seen.peer.join();
    EXPECT_EQ(here.served, 1);
    EXPECT_LT(seen.answered - seen.closed, 600ms); // the pause is 800 ms
}

// ---- kinds of errors ----

TEST(accept_all, tries_again_at_once_after_an_error_of_one_connection) {
    std::deque<std::errc> errors;
    for (int i = 0; i < 5; ++i) {
        errors.push_back(std::errc::connection_aborted);
        errors.push_back(std::errc::protocol_error);
        errors.push_back(std::errc::host_unreachable);
    }
    scripted_listener from{errors};
    const auto begin = clock::now();
    EXPECT_EQ(end_of(from), std::errc::operation_canceled);
    EXPECT_EQ(from.attempts, 16);
    EXPECT_LT(clock::now() - begin, 1s); // 15 pauses would be 10 s
}

TEST(accept_all, ends_where_no_attempt_can_succeed_any_more) {
    for (const std::errc error :
         {std::errc::bad_file_descriptor, std::errc::invalid_argument,
          std::errc::operation_canceled}) {
        scripted_listener from{{error, std::errc::too_many_files_open}};
        EXPECT_EQ(end_of(from), error);
        EXPECT_EQ(from.attempts, 1);
    }
}

TEST(accept_all, pauses_after_an_error_that_it_does_not_know) {
    scripted_listener from{
        {std::errc::permission_denied, std::errc::permission_denied, std::errc::permission_denied}};
    const auto begin = clock::now();
    EXPECT_EQ(end_of(from), std::errc::operation_canceled);
    EXPECT_EQ(from.attempts, 4);
    EXPECT_GE(clock::now() - begin, 150ms); // none, 50 ms, 100 ms
}

struct one_in_two {
    /// As if there were no memory for the task.
    task<void> operator()(tcp_stream, std::shared_ptr<int> calls) const {
        if (++*calls % 2 == 1) throw std::bad_alloc{};
        return nothing(tcp_stream{});
    }
};
task<std::error_code> accept_three(scope children, tcp_listener* from, std::shared_ptr<int> calls) {
    auto accepting = accept_all(children, from, one_in_two{}, calls);
    co_return co_await with_timeout(50ms, std::move(accepting));
}

TEST(accept_all, closes_a_connection_for_which_there_is_no_memory_and_goes_on) {
    tcp_listener from{endpoint::v4_loopback(0)};
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(client_of(from));
    const auto before = test::open_file_count();
    const auto calls = std::make_shared<int>(0);
    EXPECT_EQ(run(with_scope(accept_three, &from, calls), quiet()), std::errc::timed_out);
    EXPECT_EQ(*calls, 3);
    EXPECT_EQ(test::open_file_count(), before);
}

} // namespace
} // namespace coronet::accept_all_tests
