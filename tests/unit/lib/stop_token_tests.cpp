// SPDX-License-Identifier: BSL-1.0
//
// The stop tokens of C++26: who calls what, where, and how often.
#include "run_until.hpp"

#include <coronet/stop_token.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace stop_token_tests {
namespace {

using coronet::inplace_stop_callback;
using coronet::inplace_stop_source;
using coronet::inplace_stop_token;
using coronet::testing::wait_until;
using callback = inplace_stop_callback<std::function<void()>>;

TEST(inplace_stop_token, made_of_nothing_is_never_stopped) {
    const inplace_stop_token token;
    EXPECT_FALSE(token.stop_possible());
    EXPECT_FALSE(token.stop_requested());
}

TEST(inplace_stop_token, tells_what_its_source_was_asked) {
    inplace_stop_source source;
    const inplace_stop_token token = source.get_token();
    EXPECT_TRUE(token.stop_possible());
    EXPECT_FALSE(token.stop_requested());
    source.request_stop();
    EXPECT_TRUE(token.stop_requested());
    EXPECT_TRUE(source.stop_requested());
}

TEST(inplace_stop_token, is_equal_to_those_of_the_same_source) {
    inplace_stop_source one, two;
    EXPECT_EQ(one.get_token(), one.get_token());
    EXPECT_NE(one.get_token(), two.get_token());
    inplace_stop_token a = one.get_token(), b;
    a.swap(b);
    EXPECT_FALSE(a.stop_possible());
    EXPECT_EQ(b, one.get_token());
}

TEST(inplace_stop_source, says_who_was_first_to_request) {
    inplace_stop_source source;
    EXPECT_TRUE(source.request_stop());
    EXPECT_FALSE(source.request_stop());
}

TEST(inplace_stop_source, has_one_first_requester_among_many_threads) {
    for (int round = 0; round < 200; ++round) {
        inplace_stop_source source;
        std::atomic<int> calls{0}, first{0};
        std::vector<std::unique_ptr<callback>> callbacks;
        for (int i = 0; i < 10; ++i)
            callbacks.push_back(std::make_unique<callback>(source.get_token(), [&] { ++calls; }));
        std::vector<std::thread> requesters;
        for (int t = 0; t < 3; ++t)
            requesters.emplace_back([&] { first += source.request_stop() ? 1 : 0; });
        for (auto& each : requesters)
            each.join();
        ASSERT_EQ(first.load(), 1);
        ASSERT_EQ(calls.load(), 10);
    }
}

TEST(inplace_stop_callback, is_called_once_on_the_requesting_thread) {
    inplace_stop_source source;
    int calls = 0;
    std::thread::id where;
    const callback noted{source.get_token(), [&] {
                             ++calls;
                             where = std::this_thread::get_id();
                         }};
    EXPECT_EQ(calls, 0);
    std::thread requester{[&] {
        source.request_stop();
        source.request_stop();
    }};
    const auto expected = requester.get_id();
    requester.join();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(where, expected);
}

TEST(inplace_stop_callback, is_called_in_its_constructor_after_the_request) {
    inplace_stop_source source;
    source.request_stop();
    bool called = false;
    const callback late{source.get_token(), [&] { called = true; }};
    EXPECT_TRUE(called);
}

TEST(inplace_stop_callback, of_a_token_of_nothing_is_never_called) {
    bool called = false;
    {
        const callback unused{inplace_stop_token{}, [&] { called = true; }};
    }
    EXPECT_FALSE(called);
}

TEST(inplace_stop_callback, is_not_called_once_it_is_destroyed) {
    inplace_stop_source source;
    bool called = false;
    {
        const callback gone{source.get_token(), [&] { called = true; }};
    }
    source.request_stop();
    EXPECT_FALSE(called);
}

TEST(inplace_stop_callback, leaves_its_neighbours_in_place) {
    inplace_stop_source source;
    int calls = 0;
    const auto note = [&calls](int number) { return [&calls, number] { calls += number; }; };
    std::optional<callback> first, middle, last;
    first.emplace(source.get_token(), note(1));
    middle.emplace(source.get_token(), note(10));
    last.emplace(source.get_token(), note(100));
    middle.reset();
    source.request_stop();
    EXPECT_EQ(calls, 101);
}

TEST(inplace_stop_callback, may_destroy_itself) {
    inplace_stop_source source;
    std::unique_ptr<callback> self; // on the heap, where a checker sees a late access
    bool others = false;
    const callback before{source.get_token(), [&] { others = true; }};
    self = std::make_unique<callback>(source.get_token(), [&] { self.reset(); });
    source.request_stop();
    EXPECT_EQ(self, nullptr);
    EXPECT_TRUE(others);
}

TEST(inplace_stop_callback, may_destroy_others_that_then_are_not_called) {
    inplace_stop_source source;
    std::optional<callback> a, b;
    int calls = 0;
    // Whichever comes first ends the other.
    a.emplace(source.get_token(), [&] { ++calls, b.reset(); });
    b.emplace(source.get_token(), [&] { ++calls, a.reset(); });
    source.request_stop();
    EXPECT_EQ(calls, 1);
}

TEST(inplace_stop_callback, may_be_destroyed_by_a_later_one_after_its_own_run) {
    inplace_stop_source source;
    std::optional<callback> a, b;
    int calls = 0;
    const auto second_ends_both = [&] {
        auto& first = a; // a closure that ends itself takes what it captured along
        auto& second = b;
        if (++calls < 2) return;
        first.reset();
        second.reset();
    };
    a.emplace(source.get_token(), second_ends_both);
    b.emplace(source.get_token(), second_ends_both);
    source.request_stop();
    EXPECT_EQ(calls, 2);
    EXPECT_FALSE(a || b);
}

TEST(inplace_stop_callback, may_register_another_that_is_called_at_once) {
    inplace_stop_source source;
    std::optional<callback> inner;
    bool called = false;
    const callback outer{source.get_token(), [&] {
                             inner.emplace(source.get_token(), [&] { called = true; });
                             EXPECT_TRUE(called);
                         }};
    source.request_stop();
    EXPECT_TRUE(called);
}

TEST(inplace_stop_callback, sees_the_request_and_may_repeat_it) {
    inplace_stop_source source;
    bool requested = false, repeated = true;
    const callback noted{source.get_token(), [&] {
                             requested = source.stop_requested();
                             repeated = source.request_stop();
                         }};
    source.request_stop();
    EXPECT_TRUE(requested);
    EXPECT_FALSE(repeated);
}

TEST(inplace_stop_callback, destructor_waits_for_a_run_on_another_thread) {
    inplace_stop_source source;
    std::atomic<bool> running{false}, may_return{false}, returned{false}, destroying{false};
    std::optional<callback> slow;
    slow.emplace(source.get_token(), [&] {
        running = true;
        EXPECT_TRUE(wait_until([&] { return may_return.load(); }));
        returned = true;
    });
    std::thread requester{[&] { source.request_stop(); }};
    ASSERT_TRUE(wait_until([&] { return running.load(); }));
    std::thread helper{[&] {
        EXPECT_TRUE(wait_until([&] { return destroying.load(); }));
        may_return = true;
    }};
    destroying = true;
    slow.reset();
    EXPECT_TRUE(returned.load());
    helper.join();
    requester.join();
}

TEST(inplace_stop_callback, destructor_does_not_wait_for_the_runs_of_others) {
    inplace_stop_source source;
    std::atomic<bool> running{false}, may_return{false};
    std::optional<callback> idle;
    int idle_calls = 0;
    idle.emplace(source.get_token(), [&] { ++idle_calls; });
    // The newest is called first.
    const callback slow{source.get_token(), [&] {
                            running = true;
                            EXPECT_TRUE(wait_until([&] { return may_return.load(); }));
                        }};
    std::thread requester{[&] { source.request_stop(); }};
    ASSERT_TRUE(wait_until([&] { return running.load(); }));
    idle.reset();
    may_return = true;
    requester.join();
    EXPECT_EQ(idle_calls, 0);
}

// Callbacks come and go on three threads while a fourth requests: each is called at most once, and
// exactly once if it still lived at the request.
TEST(inplace_stop_callback, comes_and_goes_while_stop_is_requested) {
    for (int round = 0; round < 50; ++round) {
        inplace_stop_source source;
        std::atomic<int> ready{0};
        std::vector<std::thread> users;
        for (int t = 0; t < 3; ++t)
            users.emplace_back([&] {
                ready.fetch_add(1);
                for (bool seen = false; !seen;) {
                    int calls = 0; // not atomic: the destructor orders the call before the read
                    {
                        const callback brief{source.get_token(), [&calls] { ++calls; }};
                        seen = source.stop_requested();
                    }
                    ASSERT_LE(calls, 1);
                }
            });
        ASSERT_TRUE(wait_until([&] { return ready.load() == 3; }));
        source.request_stop();
        for (auto& each : users)
            each.join();
    }
}

TEST(inplace_stop_callback, is_deduced_from_a_closure) {
    inplace_stop_source source;
    int calls = 0;
    const inplace_stop_callback deduced{source.get_token(), [&calls] { ++calls; }};
    source.request_stop();
    EXPECT_EQ(calls, 1);
}

} // namespace
} // namespace stop_token_tests
