// SPDX-License-Identifier: BSL-1.0
//
// Work and timers that call a function, for tests of whatever runs them.
#pragma once

#include <coronet/timer.hpp>
#include <coronet/work.hpp>

#include <functional>
#include <utility>

namespace coronet::testing {

/// Work that calls a function each time it is run.
class call final : public work {
public:
    explicit call(std::function<void()> function) : function_(std::move(function)) {}
    void run() noexcept override { function_(); }

private:
    std::function<void()> function_;
};

/// A timer that calls a function when it expires.
class alarm final : public timer {
public:
    explicit alarm(std::function<void()> function) : function_(std::move(function)) {}
    void expire() noexcept override { function_(); }

private:
    std::function<void()> function_;
};

} // namespace coronet::testing
