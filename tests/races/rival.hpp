// SPDX-License-Identifier: BSL-1.0
//
// A thread that does one thing a round, at about the time at which the test does another: started
// by go(), and over when the next round may begin.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

namespace coronet::test {

class rival {
public:
    explicit rival(std::function<void(int round)> act) : act_(std::move(act)) {}
    ~rival() {
        wait();
        begun_.store(-1);
        begun_.notify_one();
        thread_.join();
    }
    rival(const rival&) = delete;
    rival& operator=(const rival&) = delete;

    /// Begins the next round.
    void go() {
        begun_.fetch_add(1);
        begun_.notify_one();
    }
    /// Returns when this round's act is over.
    void wait() {
        const int wanted = begun_.load();
        for (int done = done_.load(); done < wanted; done = done_.load())
            done_.wait(done);
    }

private:
    void run() {
        for (int round = 0;; ++round) {
            begun_.wait(round);
            if (begun_.load() < 0) return;
            act_(round);
            done_.store(round + 1);
            done_.notify_one();
        }
    }

    std::function<void(int)> act_;
    std::atomic<int> begun_{0};
    std::atomic<int> done_{0};
    std::thread thread_{[this] { run(); }};
};

} // namespace coronet::test
