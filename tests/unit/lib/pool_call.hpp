// SPDX-License-Identifier: BSL-1.0
//
// Items that call a function on a worker, and what a test wants to know of a pool.
#pragma once

#include "run_until.hpp"

#include <coronet/pool_item.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <semaphore>
#include <string>
#include <utility>

#include <unistd.h>

namespace coronet::testing {

/// Counts how often it was executed and completed.
class pool_call : public pool_item {
public:
    explicit pool_call(std::function<void(pool_call&)> function) : function_(std::move(function)) {}
    explicit pool_call(std::function<void()> function)
        : function_([called = std::move(function)](pool_call&) { called(); }) {}
    pool_call() : pool_call([] {}) {}

    [[nodiscard]] bool over() const noexcept { return completed > 0; }

    std::atomic<int> executed{0}; // begun
    std::atomic<pid_t> thread{0}; // where
    int completed = 0;
    outcome how = outcome::none;
    std::error_code why;
    std::function<void()> at_end;

private:
    void execute() noexcept override {
        thread = ::gettid();
        ++executed;
        function_(*this);
    }
    void complete() noexcept override {
        how = ended();
        why = error();
        ++completed;
        if (at_end) at_end();
    }

    std::function<void(pool_call&)> function_;
};

/// An item that stays on its worker until it is let go.
class held_call : public pool_call {
public:
    held_call() : pool_call([this] { hold_.acquire(); }) {}
    void let_go() { hold_.release(); }
    [[nodiscard]] bool runs() const noexcept { return executed > 0; }

private:
    std::binary_semaphore hold_{0};
};

template <class Items>
bool all_over(const Items& items) {
    return std::all_of(items.begin(), items.end(), [](const auto& each) { return each.over(); });
}

/// The names of this process's threads that begin with `beginning`.
inline std::size_t count_threads(const std::string& beginning) {
    std::size_t count = 0;
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::ifstream file{task.path() / "comm"};
        std::string name;
        std::getline(file, name);
        if (name.starts_with(beginning)) ++count;
    }
    return count;
}

} // namespace coronet::testing
