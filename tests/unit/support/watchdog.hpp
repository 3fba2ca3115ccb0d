// SPDX-License-Identifier: BSL-1.0
//
// A deadline for a test of threads that might hang: when it passes, `report` tells what they are
// at, and the program aborts.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace coronet::test {

class watchdog {
public:
    explicit watchdog(
        std::function<std::string()> report, std::chrono::seconds limit = std::chrono::seconds{10}
    )
        : report_(std::move(report)), limit_(limit) {}
    ~watchdog() {
        {
            const std::scoped_lock lock{mutex_};
            over_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

    /// Something has been achieved: the time begins anew.
    void pat() {
        {
            const std::scoped_lock lock{mutex_};
            ++pats_;
        }
        changed_.notify_one();
    }

private:
    void watch() {
        std::unique_lock lock{mutex_};
        for (unsigned seen = pats_; !over_; seen = pats_) {
            if (changed_.wait_for(lock, limit_, [&] { return over_ || pats_ != seen; })) continue;
            std::fprintf(
                stderr, "watchdog: nothing happened for %ld s\n%s\n",
                static_cast<long>(limit_.count()), report_().c_str()
            );
            std::abort();
        }
    }

    std::function<std::string()> report_;
    std::chrono::seconds limit_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    unsigned pats_ = 0;
    std::thread thread_{[this] { watch(); }};
};

} // namespace coronet::test
