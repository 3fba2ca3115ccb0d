// SPDX-License-Identifier: BSL-1.0
//
// Rounds of one operation against its cancellation, which comes by three roads in turn: a token
// from another thread, a time limit, a sibling that ends first. Every outcome is counted, and what
// must not be is named.
#pragma once

#include "rival.hpp"
#include "support/rounds.hpp"
#include "support/spin.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

namespace coronet::test {

class tally {
public:
    void note(const std::string& outcome) { ++counts_[outcome]; }
    [[nodiscard]] int of(const std::string& outcome) const {
        const auto found = counts_.find(outcome);
        return found == counts_.end() ? 0 : found->second;
    }
    void print(const char* what, const char* ring) const {
        std::printf("%-22s %-7s", what, ring);
        for (const auto& [outcome, count] : counts_)
            std::printf("  %s: %d", outcome.c_str(), count);
        std::printf("\n");
    }

private:
    std::map<std::string, int> counts_;
};

inline constexpr const char* won = "won";
inline constexpr const char* cancelled = "cancelled";
inline constexpr const char* timed_out = "timed out";

template <class Contestant>
class contest {
public:
    task<void> fight(int rounds) {
        for (int round = 0; round < rounds; ++round) {
            switch (round % 3) {
            case 0:
                co_await against_a_token();
                break;
            case 1:
                co_await against_a_limit(round);
                break;
            default:
                co_await against_a_sibling(round);
            }
        }
    }
    tally seen;

private:
    task<void> against_a_token() {
        source_ = std::make_unique<inplace_stop_source>();
        const auto token = source_->get_token();
        rival_.go();
        auto got = co_await with_stop(token, contestant_.start());
        settle(got, std::errc::operation_canceled, cancelled);
    }
    task<void> against_a_limit(int round) {
        const auto limit = pause(round);
        rival_.go();
        auto got = co_await with_timeout(limit, contestant_.start());
        settle(got, std::errc::timed_out, timed_out);
    }
    task<void> against_a_sibling(int round) {
        const auto limit = pause(round);
        rival_.go();
        auto got = co_await when_any(contestant_.start(), sleep_for(limit));
        settle(std::get<0>(got.results), std::errc::operation_canceled, cancelled);
    }

    template <class Outcome>
    void settle(Outcome& got, std::errc when_cancelled, const char* name) {
        rival_.wait();
        const bool conserved = contestant_.settled(got);
        if (!conserved)
            seen.note("LOST after " + std::string{got ? won : got.error().message().c_str()});
        else if (got)
            seen.note(won);
        else
            seen.note(got.error() == when_cancelled ? name : "WRONG: " + got.error().message());
    }

    /// The other thread, about as long after go() as the operation takes to begin; now and then so
    /// late that it is the cancellation that comes first.
    void act(int round) {
        const int turn = round / 3;
        const int late = turn % 8 == 6 ? Contestant::late : 0;
        spin(turn * 7 % 1'000);
        if (round % 3 != 0) {
            spin(late);
            return contestant_.feed();
        }
        const bool stop_first = turn % 2 == 0;
        if (stop_first) source_->request_stop();
        spin(late + turn * 11 % 700);
        contestant_.feed();
        if (!stop_first) source_->request_stop();
    }
    static duration pause(int round) { return std::chrono::microseconds{round * 3 % 50}; }

    Contestant contestant_;
    std::unique_ptr<inplace_stop_source> source_;
    rival rival_{[this](int round) { act(round); }};
};

} // namespace coronet::test
