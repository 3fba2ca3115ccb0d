// SPDX-License-Identifier: BSL-1.0
//
// Names: what is found and in which order, why nothing is, and that a name server which says
// nothing holds up neither a cancel nor the end of a scheduler. The latter have a name service of
// their own, in a child process.
#include "name_service.hpp"
#include "support/child_process.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/resolver.hpp>
#include <coronet/scheduler_thread.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <netdb.h>

namespace coronet::resolver_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using endpoints = std::vector<endpoint>;

task<result<endpoints>>
resolved(resolver* names, std::string host, address_family family = address_family::any) {
    co_return co_await names->resolve(std::move(host), 80, family);
}
std::string text_of(const result<endpoints>& found) {
    if (!found) return found.error().message();
    std::string all;
    for (const endpoint& each : *found)
        all += each.to_string() + ' ';
    return all;
}

task<std::uint64_t> workers_for_numbers(resolver* names) {
    for (const char* host : {"192.0.2.1", "2001:db8::1", "::1"}) {
        const auto found = co_await names->resolve(host, 80);
        EXPECT_EQ(found->size(), 1u);
    }
    co_return scheduler::current()->pool().stats().created;
}

TEST(resolver, needs_no_thread_for_numeric_addresses) {
    resolver names;
    EXPECT_EQ(text_of(run(resolved(&names, "192.0.2.1"))), "192.0.2.1:80 ");
    EXPECT_EQ(text_of(run(resolved(&names, "2001:db8::1"))), "[2001:db8::1]:80 ");
    EXPECT_EQ(run(workers_for_numbers(&names)), 0u);
}

TEST(resolver, refuses_what_is_no_name) {
    resolver names;
    const auto found = run(resolved(&names, std::string{"local\0host", 10}));
    EXPECT_EQ(found.error(), std::errc::invalid_argument);
    EXPECT_EQ(
        run(resolved(&names, "127.0.0.1", address_family::v6)).error(), resolve_errc::host_not_found
    );
}

// ---- with a name service of our own ----

enum verdict { good = 7, not_permitted, wrong, too_slow, miscounted };

#define CORONET_EXPECT_GOOD(what)                                                                  \
    do {                                                                                           \
        const int verdict_of_child = in_a_child(what);                                             \
        if (verdict_of_child == not_permitted) GTEST_SKIP() << "mounting is not permitted";        \
        EXPECT_EQ(verdict_of_child, good);                                                         \
    } while (false)

TEST(resolver, gives_every_address_once_in_the_order_of_the_system) {
    CORONET_EXPECT_GOOD([]() -> int {
        const name_service own{"192.0.2.1 two.test\n127.0.0.3 two.test\n192.0.2.1 two.test\n"};
        if (!own.possible()) return not_permitted;
        resolver names;
        const auto found = text_of(run(resolved(&names, "two.test", address_family::v4)));
        // RFC 6724: the one of the same scope as our own address comes first, wherever it stands.
        addrinfo hints{};
        hints.ai_family = AF_INET;
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        if (::getaddrinfo("two.test", "80", &hints, &list) != 0) return wrong;
        const auto first = endpoint::from(list->ai_addr, list->ai_addrlen)->to_string() + ' ';
        ::freeaddrinfo(list);
        const bool both =
            found.find("192.0.2.1:80 ") != found.npos && found.find("127.0.0.3:80 ") != found.npos;
        return both && found.starts_with(first) && found.size() == 26 ? good : wrong;
    });
}

TEST(resolver, tells_a_name_that_is_not_there) {
    CORONET_EXPECT_GOOD([]() -> int {
        name_service own;
        if (!own.possible()) return not_permitted;
        own.know_nobody();
        resolver names;
        const auto found = run(resolved(&names, "nobody.test"));
        return found.error() == resolve_errc::host_not_found ? good : wrong;
    });
}

/// On the scheduler of a thread, whose start and end the test sees.
template <class Function>
int on_a_thread(Function what) {
    scheduler_thread thread;
    thread.start();
    const int seen = what(*thread);
    if (seen != good) return seen;
    const auto begin = clock::now();
    thread.stop();
    const auto ended = thread.join_for(2s);
    return ended && clock::now() - begin < 2s ? good : too_slow;
}

task<result<endpoints>> resolved_within(duration limit, resolver* names) {
    co_return co_await with_timeout(limit, names->resolve("silent.test", 80));
}

TEST(resolver, that_is_cancelled_ends_at_once_and_holds_up_no_end) {
    CORONET_EXPECT_GOOD([]() -> int {
        const name_service own;
        if (!own.possible()) return not_permitted;
        resolver names;
        return on_a_thread([&](scheduler& loop) -> int {
            const auto begin = clock::now();
            const auto found = sync_wait(loop, resolved_within(200ms, &names));
            if (clock::now() - begin > 1s) return too_slow;
            if (found.error() != std::errc::timed_out) return wrong;
            return own.was_asked() && names.left_behind_count() == 1 ? good : miscounted;
        });
    });
}

TEST(resolver, that_nobody_cancels_holds_up_no_end_either) {
    CORONET_EXPECT_GOOD([]() -> int {
        const name_service own;
        if (!own.possible()) return not_permitted;
        resolver names;
        std::future<result<endpoints>> waiting;
        const int ended = on_a_thread([&](scheduler& loop) -> int {
            waiting = std::async(std::launch::async, [&] {
                return sync_wait(loop, resolved(&names, "silent.test"));
            });
            return own.was_asked() ? good : wrong;
        });
        const auto error = waiting.get().error();
        const bool said_so = error == std::errc::operation_canceled || error == errc::stopped;
        return said_so ? ended : wrong;
    });
}

TEST(resolver, may_be_gone_before_what_it_left_behind) {
    CORONET_EXPECT_GOOD([]() -> int {
        const name_service own;
        if (!own.possible()) return not_permitted;
        {
            resolver names;
            const auto found = run(resolved_within(100ms, &names));
            if (found.error() != std::errc::timed_out) return wrong;
        }
        return good; // and the process ends although a thread still asks
    });
}

task<int> ask_three_times(resolver* names) {
    const auto all = co_await when_all(
        resolved_within(150ms, names), resolved_within(150ms, names), resolved_within(150ms, names)
    );
    const auto& [one, two, three] = all;
    for (const auto* each : {&one, &two, &three})
        if (each->error() != std::errc::timed_out) co_return wrong;
    co_return names->left_behind_count() == 2 ? good : miscounted;
}

TEST(resolver, counts_those_that_it_left_behind_as_running) {
    CORONET_EXPECT_GOOD([]() -> int {
        const name_service own;
        if (!own.possible()) return not_permitted;
        resolver_options options;
        options.at_once_max = 2;
        resolver names{options};
        return run(ask_three_times(&names));
    });
}

task<int> many_at_once(resolver* names) {
    std::vector<task<result<endpoints>>> all;
    for (int i = 0; i < 50; ++i)
        all.push_back(names->resolve("localhost", 80, address_family::v4));
    const auto found = co_await when_all(std::move(all));
    for (const auto& each : found)
        if (!each) co_return wrong;
    co_return names->left_behind_count() == 0 ? good : miscounted;
}

TEST(resolver, serves_more_than_may_run_at_once) {
    CORONET_EXPECT_GOOD([]() -> int {
        const name_service own;
        if (!own.possible()) return not_permitted;
        resolver_options options;
        options.at_once_max = 3;
        resolver names{options};
        return run(many_at_once(&names));
    });
}

} // namespace
} // namespace coronet::resolver_tests
