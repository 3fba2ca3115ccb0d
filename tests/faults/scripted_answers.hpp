// SPDX-License-Identifier: BSL-1.0
//
// What a wrapped function of the system answers: a list, one a call, then always the same. Any
// thread.
#pragma once

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace coronet::test {

class scripted_answers {
public:
    static constexpr int ask_the_system = 0;

    /// The answers from now on; the count of calls begins anew.
    void play(std::vector<int> first, int afterwards = ask_the_system) {
        const std::scoped_lock lock{mutex_};
        first_ = std::move(first);
        afterwards_ = afterwards;
        calls_ = 0;
    }
    [[nodiscard]] int next() {
        const std::scoped_lock lock{mutex_};
        const std::size_t call = calls_++;
        return call < first_.size() ? first_[call] : afterwards_;
    }
    [[nodiscard]] std::size_t calls() const {
        const std::scoped_lock lock{mutex_};
        return calls_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<int> first_;
    int afterwards_ = ask_the_system;
    std::size_t calls_ = 0;
};

} // namespace coronet::test
