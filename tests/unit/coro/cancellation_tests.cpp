// SPDX-License-Identifier: BSL-1.0
//
// Every operation that waits can be ended before it begins, while it waits and after it has ended:
// by a time limit, a token from another thread, a sibling that was first and a request for its
// descriptor. It ends once, leaks no descriptor and takes nothing with it.
#include "support/open_files.hpp"
#include "waiting_kinds.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <semaphore>
#include <thread>

namespace coronet::cancellation_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

template <class Kind>
class waiting_operation : public ::testing::Test {
protected:
    void SetUp() override { before_ = open_file_count(); }
    void TearDown() override {
        kind_.reset();
        EXPECT_LE(open_file_count(), before_);
    }
    Kind* make() { return &kind_.emplace(); }

private:
    std::optional<Kind> kind_;
    std::size_t before_ = 0;
};

using kinds = ::testing::Types<
    waiting_read, waiting_readv, waiting_poll, waiting_recv, waiting_recvmsg, waiting_splice,
    waiting_write, waiting_writev, waiting_send, waiting_sendmsg, waiting_accept>;

struct kind_name {
    template <class Kind>
    static std::string GetName(int) {
        if constexpr (std::is_same_v<Kind, waiting_read>) return "read";
        if constexpr (std::is_same_v<Kind, waiting_readv>) return "readv";
        if constexpr (std::is_same_v<Kind, waiting_poll>) return "poll";
        if constexpr (std::is_same_v<Kind, waiting_recv>) return "recv";
        if constexpr (std::is_same_v<Kind, waiting_recvmsg>) return "recvmsg";
        if constexpr (std::is_same_v<Kind, waiting_splice>) return "splice";
        if constexpr (std::is_same_v<Kind, waiting_write>) return "write";
        if constexpr (std::is_same_v<Kind, waiting_writev>) return "writev";
        if constexpr (std::is_same_v<Kind, waiting_send>) return "send";
        if constexpr (std::is_same_v<Kind, waiting_sendmsg>) return "sendmsg";
        return "accept";
    }
};
TYPED_TEST_SUITE(waiting_operation, kinds, kind_name);

template <class Kind>
task<std::error_code> plain(Kind* kind) {
    const auto ended = co_await kind->start();
    co_return ended.error();
}

template <class Kind>
task<std::error_code> limited(Kind* kind, duration limit) {
    const auto ended = co_await with_timeout(limit, kind->start());
    co_return ended.error();
}

template <class Kind>
task<std::error_code> stoppable(Kind* kind, inplace_stop_token token) {
    const auto ended = co_await with_stop(token, kind->start());
    co_return ended.error();
}

TYPED_TEST(waiting_operation, succeeds_when_there_is_something_to_do) {
    auto* kind = this->make();
    kind->feed();
    EXPECT_EQ(run(plain(kind)), std::error_code{});
}

TYPED_TEST(waiting_operation, never_begins_in_a_stopped_branch) {
    auto* kind = this->make();
    kind->feed();
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(run(stoppable(kind, source.get_token())), std::errc::operation_canceled);
    EXPECT_EQ(run(plain(kind)), std::error_code{}) << "what was there has been taken";
}

TYPED_TEST(waiting_operation, ends_when_its_time_limit_has_passed) {
    auto* kind = this->make();
    EXPECT_EQ(run(limited(kind, 5ms)), std::errc::timed_out);
    kind->feed();
    EXPECT_EQ(run(plain(kind)), std::error_code{}) << "it took something with it";
}

TYPED_TEST(waiting_operation, takes_nothing_with_it_when_it_is_cancelled) {
    auto* kind = this->make();
    EXPECT_EQ(run(limited(kind, 5ms)), std::errc::timed_out);
    kind->feed();
    EXPECT_TRUE(kind->kept());
}

template <class Kind>
task<std::error_code> stopped_by_another_thread(Kind* kind) {
    inplace_stop_source source;
    std::thread stopper{[&source] { source.request_stop(); }};
    const auto ended = co_await with_stop(source.get_token(), kind->start());
    stopper.join();
    co_return ended.error();
}

TYPED_TEST(waiting_operation, ends_when_another_thread_stops_it) {
    auto* kind = this->make();
    for (int round = 0; round < 20; ++round)
        EXPECT_EQ(run(stopped_by_another_thread(kind)), std::errc::operation_canceled);
    kind->feed();
    EXPECT_EQ(run(plain(kind)), std::error_code{});
}

template <class Kind>
task<std::error_code> beaten_by_a_sibling(Kind* kind) {
    const auto first = co_await when_any(sleep_for(1ms), kind->start());
    if (first.index != 0) co_return std::make_error_code(std::errc::state_not_recoverable);
    co_return std::get<1>(first.results).error();
}

TYPED_TEST(waiting_operation, ends_when_a_sibling_was_first) {
    auto* kind = this->make();
    EXPECT_EQ(run(beaten_by_a_sibling(kind)), std::errc::operation_canceled);
}

template <class Kind>
task<std::error_code> stopped_too_late(Kind* kind) {
    inplace_stop_source source;
    const auto ended = co_await with_stop(source.get_token(), kind->start());
    source.request_stop();
    co_return ended.error();
}

TYPED_TEST(waiting_operation, is_not_touched_by_a_stop_after_its_end) {
    auto* kind = this->make();
    kind->feed();
    EXPECT_EQ(run(stopped_too_late(kind)), std::error_code{});
}

template <class Kind>
task<void> keep_outcome(Kind* kind, std::error_code* outcome) {
    const auto ended = co_await kind->start();
    *outcome = ended.error();
}
template <class Kind>
task<std::size_t> cancelled_by_descriptor(scope children, Kind* kind, std::error_code* outcome) {
    children.spawn(keep_outcome<Kind>, kind, outcome);
    const auto turn = co_await async::nop(); // it has been submitted meanwhile
    static_cast<void>(turn);
    const int fd = [kind] {
        if constexpr (requires { kind->listener; })
            return kind->listener.fd.get();
        else if constexpr (requires { kind->full; } && requires { kind->pair.writer; })
            return kind->pair.writer.get();
        else if constexpr (requires { kind->pair.reader; })
            return kind->pair.reader.get();
        else
            return kind->pair.here.get();
    }();
    const auto asked = co_await async::cancel(fd);
    const auto again = co_await async::cancel(fd);
    co_return *asked * 10 + *again;
}
template <class Kind>
task<std::size_t> with_a_reader(Kind* kind, std::error_code* outcome) {
    co_return co_await with_scope(cancelled_by_descriptor<Kind>, kind, outcome);
}

TYPED_TEST(waiting_operation, ends_when_everything_on_its_descriptor_is_cancelled) {
    auto* kind = this->make();
    std::error_code outcome;
    EXPECT_EQ(run(with_a_reader(kind, &outcome)) / 10, 1u);
    EXPECT_EQ(outcome, std::errc::operation_canceled);
}

template <class Kind>
task<void> end_scheduler(Kind* kind, std::error_code* outcome) {
    scheduler::current()->stop();
    const auto ended = co_await kind->start();
    *outcome = ended.error();
}

TYPED_TEST(waiting_operation, ends_when_its_scheduler_is_stopped) {
    auto* kind = this->make();
    std::error_code outcome;
    run(end_scheduler(kind, &outcome));
    EXPECT_EQ(outcome, std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::cancellation_tests
