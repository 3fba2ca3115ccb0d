// SPDX-License-Identifier: BSL-1.0
//
// A stop from another thread that meets the end of with_stop(), at each place where that matters:
// the group ends only after the callback has returned and its message has been read.
#ifdef CORONET_HOOKS

#include "support/script.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/stop.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace coronet::stop_order_tests {
namespace {

using test::point;
using test::script;

struct scene {
    inplace_stop_source source;
    std::atomic<bool> begun{false}; // the callback is registered
    std::atomic<bool> go_on{false}; // the task may end
    std::atomic<bool> ended{false}; // with_stop() has ended
};

/// Ends by itself when it is told to: nothing that a stop would touch.
task<int> ends_by_itself(scene* on) {
    on->begun = true;
    on->begun.notify_one();
    on->go_on.wait(false);
    co_return 7;
}
task<int> stopped_as_it_ends(scene* on) {
    const int value = co_await with_stop(on->source.get_token(), ends_by_itself(on));
    on->ended = true;
    const auto turn = co_await async::nop(); // the group is gone: a message to it must be, too
    co_return turn ? value : 0;
}

/// The stop is requested once the callback is there, on a thread of its own.
class stopper {
public:
    explicit stopper(scene& of) : scene_(of) {}
    ~stopper() { thread_.join(); }

private:
    scene& scene_;
    std::thread thread_{[this] {
        scene_.begun.wait(false);
        scene_.source.request_stop();
    }};
};
void let_the_task_end(scene& of) {
    of.go_on = true;
    of.go_on.notify_one();
}

TEST(request_stop, C8_that_has_not_posted_yet_holds_back_the_end_of_its_scope) {
    scene on;
    script play;
    auto& sending = play.hold(point::stop_sending);
    auto& ending = play.hold(point::group_ending);
    bool ended_before = true;
    const stopper stops{on};
    std::thread director{[&] {
        sending.wait(); // in the callback, with nothing posted
        let_the_task_end(on);
        ending.wait(); // nothing is left in the group
        ending.release();
        ended_before = on.ended;
        sending.release();
    }};
    EXPECT_EQ(run(stopped_as_it_ends(&on)), 7);
    director.join();
    EXPECT_FALSE(ended_before);
}

TEST(request_stop, C8_whose_message_was_not_read_yet_is_read_before_its_scope_ends) {
    scene on;
    script play;
    auto& sent = play.hold(point::stop_sent);
    auto& ending = play.hold(point::group_ending);
    const stopper stops{on};
    std::thread director{[&] {
        sent.wait(); // posted; the owner is in the task and has not read it
        let_the_task_end(on);
        ending.wait();
        sent.release();
        ending.release();
    }};
    // A group that ends before its message is destroyed with the message in the mailbox: aborts.
    EXPECT_EQ(run(stopped_as_it_ends(&on)), 7);
    director.join();
}

TEST(request_stop, C8_that_comes_after_the_callback_was_taken_back_finds_nobody) {
    scene on;
    script play;
    auto& ending = play.hold(point::group_ending);
    std::thread director{[&] {
        let_the_task_end(on);
        ending.wait();
        ending.release();
        while (!on.ended)
            std::this_thread::yield();
        on.source.request_stop();
    }};
    EXPECT_EQ(run(stopped_as_it_ends(&on)), 7);
    director.join();
}

} // namespace
} // namespace coronet::stop_order_tests

#endif
