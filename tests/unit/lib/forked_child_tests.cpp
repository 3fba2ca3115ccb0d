// SPDX-License-Identifier: BSL-1.0
//
// A child that is forked in a loop and goes on: it leaves the loop at once, and its parent does not
// notice.
#include "ring_loop.hpp"

#include <coronet/error.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace forked_child_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::clock;
using coronet::scheduler;
using coronet::scheduler_options;

constexpr unsigned depth = 8;

/// Each enters the kernel in its own way.
std::vector<scheduler_options> all_profiles() {
    std::vector<scheduler_options> all(4);
    for (auto& each : all)
        each.queue_depth = depth;
    all[1].movable_owner = true;
    all[2].sqpoll.emplace().idle = 1ms;
    all[3].sqpoll.emplace().idle = 1ms;
    all[3].movable_owner = true;
    return all;
}

enum verdict { left = 7, left_otherwise, returned };

/// Runs the loop. Result, in the child: how it left.
verdict verdict_of(const std::function<void()>& loop) {
    try {
        loop();
    } catch (const std::system_error& thrown) {
        const bool says = std::string(thrown.what()).find("_exit") != std::string::npos;
        return says && thrown.code() == coronet::errc::stopped ? left : left_otherwise;
    }
    return returned;
}

/// A process that forks in one item and has another behind it. Both then start more operations than
/// the ring has room for; each writes what it is.
class forking {
public:
    explicit forking(const scheduler_options& options) : loop(options) {
        EXPECT_TRUE(loop.post(fork_));
        EXPECT_TRUE(loop.post(behind_));
    }
    /// In the child `loop_it` is the end. Result: the child's verdict.
    int run(const std::function<void(scheduler&)>& loop_it) {
        const verdict mine = verdict_of([&] { loop_it(loop); });
        if (child_ == 0) ::_exit(mine);
        EXPECT_EQ(mine, returned);
        return verdict_of_child_;
    }
    [[nodiscard]] std::string written() const {
        std::string all(256, '?');
        const auto size = ::read(written_.out.get(), all.data(), all.size());
        all.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return all;
    }

    scheduler loop;
    static constexpr std::size_t writes = std::size_t{3} * depth;

private:
    void fork_here() {
        start_write(); // filled, and not yet submitted: the child would submit it as well
        child_ = ::fork();
        if (child_ == 0) {
            ::alarm(20);
            name_ = 'c';
        } else {
            int status = 0;
            EXPECT_EQ(::waitpid(child_, &status, 0), child_);
            verdict_of_child_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        }
        while (writes_.size() < writes)
            start_write();
    }
    void start_write() {
        loop.start(writes_.emplace_back([this](io_uring_sqe& sqe) {
            io_uring_prep_write(&sqe, written_.in.get(), &name_, 1, 0);
        }));
        writes_.back().at_end = [this] {
            if (++ended_ == writes) loop.stop();
        };
    }
    void run_behind() {
        const char once = child_ == 0 ? 'C' : 'P';
        EXPECT_EQ(::write(written_.in.get(), &once, 1), 1);
    }

    empty_pipe written_;
    char name_ = 'p';
    pid_t child_ = -1;
    int verdict_of_child_ = -1;
    std::deque<sample_operation> writes_;
    std::size_t ended_ = 0;
    call fork_{[this] { fork_here(); }};
    call behind_{[this] { run_behind(); }};
};

void expect_only_the_parent_s(std::string all) {
    EXPECT_EQ(std::erase(all, 'P'), 1U); // once, and not in the child
    EXPECT_EQ(all, std::string(forking::writes, 'p'));
}

TEST(fork, L11_a_child_that_goes_on_leaves_run_and_touches_nothing) {
    for (const auto& options : all_profiles()) {
        forking parent{options};
        EXPECT_EQ(parent.run([](scheduler& loop) { loop.run(); }), left);
        expect_only_the_parent_s(parent.written());
    }
}

TEST(fork, L11_a_child_that_goes_on_leaves_run_once_and_touches_nothing) {
    for (const auto& options : all_profiles()) {
        forking parent{options};
        const auto turns = [](scheduler& loop) {
            while (!loop.stop_requested())
                loop.run_once(clock::now() + 20ms);
            loop.shutdown();
        };
        EXPECT_EQ(parent.run(turns), left);
        expect_only_the_parent_s(parent.written());
    }
}

/// Keeps a scheduler from its end until it is dismissed.
struct guest final : coronet::resident {
    void cancel_all() noexcept override {}
};

/// What runs while the loop ends forks. Result: the child's verdict.
int fork_at_the_end(const scheduler_options& options, bool last_round) {
    scheduler loop{options};
    empty_pipe quiet;
    char byte = 0;
    sample_operation reading = read_of(quiet, byte);
    guest staying;
    pid_t child = -1;
    call forks{[&] {
        child = ::fork();
        if (child == 0) ::alarm(5);
        if (child != 0 || last_round) loop.dismiss(staying);
    }};
    reading.at_end = [&] { loop.ready(forks); };
    loop.admit(staying);
    loop.start(reading);
    loop.stop();
    const verdict mine = verdict_of([&] { loop.run(); });
    if (child == 0) ::_exit(mine);
    EXPECT_EQ(mine, returned);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(fork, L11_a_child_that_goes_on_leaves_the_end_of_a_loop) {
    for (const auto& options : all_profiles())
        for (const bool last_round : {false, true})
            EXPECT_EQ(fork_at_the_end(options, last_round), left) << last_round;
}

} // namespace
} // namespace forked_child_tests
