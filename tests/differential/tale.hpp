// SPDX-License-Identifier: BSL-1.0
//
// What a script's player tells: a line for each thing that a program can see.
#pragma once

#include <coronet/net/asio/config.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coronet::differential {

using asiox::error_code;

class tale {
public:
    void say(std::string line) { lines_.push_back(std::move(line)); }
    /// Of something that completed, and has no order among its like until the next pause.
    void say_sometime(std::string line) { unordered_.push_back(std::move(line)); }
    void pause() {
        std::sort(unordered_.begin(), unordered_.end());
        for (std::string& line : unordered_)
            lines_.push_back("  " + std::move(line));
        unordered_.clear();
    }
    [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

    /// Shared by each handler: tells how many there are.
    [[nodiscard]] std::shared_ptr<int> token() const { return token_; }
    [[nodiscard]] long handlers() const { return token_.use_count() - 1; }

private:
    std::vector<std::string> lines_;
    std::vector<std::string> unordered_;
    std::shared_ptr<int> token_ = std::make_shared<int>();
};

/// A handler of any signature.
class teller {
public:
    teller(tale& told, unsigned number, std::string_view what, bool has_order)
        : told_(&told), number_(number), what_(what), has_order_(has_order), alive_(told.token()) {}

    void operator()() const { say(""); }
    void operator()(const error_code& error) const { say(error.message()); }
    template <class Number>
    requires std::integral<Number>
    void operator()(const error_code& error, Number count) const {
        say(error.message() + ", " + std::to_string(count));
    }

private:
    void say(const std::string& how) const {
        std::string line = std::to_string(number_) + ' ' + std::string{what_} + ": " + how;
        if (has_order_)
            told_->say(std::move(line));
        else
            told_->say_sometime(std::move(line));
    }

    tale* told_;
    unsigned number_;
    std::string_view what_;
    bool has_order_;
    std::shared_ptr<int> alive_;
};

} // namespace coronet::differential
