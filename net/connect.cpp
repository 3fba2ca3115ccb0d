// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/event.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/connect.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace coronet {

namespace {

/// Families take turns, beginning with that of the best address (RFC 8305, section 4).
std::vector<endpoint> interleaved(const std::vector<endpoint>& peers) {
    std::vector<endpoint> first, other, mixed;
    for (const endpoint& each : peers)
        (each.family() == peers.front().family() ? first : other).push_back(each);
    for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
        if (i < first.size()) mixed.push_back(first[i]);
        if (i < other.size()) mixed.push_back(other[i]);
    }
    return mixed;
}

/// The more somebody who is asked for help can make of it, the more.
int telling(std::error_code error) noexcept {
    constexpr std::array by_worth{
        std::errc::operation_canceled,    std::errc::address_family_not_supported,
        std::errc::address_not_available, std::errc::network_unreachable,
        std::errc::host_unreachable,      std::errc::timed_out,
    };
    const auto found = std::ranges::find_if(by_worth, [&](auto each) { return error == each; });
    return static_cast<int>(found - by_worth.begin()); // the others are answers, or our own limits
}

struct race {
    explicit race(std::vector<endpoint> all) : peers(std::move(all)) {}

    std::vector<endpoint> peers;
    std::size_t begun = 0;
    std::size_t running = 0;
    std::optional<tcp_stream> winner;
    std::error_code failure;
    event ended; // an attempt has

    [[nodiscard]] bool all_begun() const noexcept { return begun == peers.size(); }
    [[nodiscard]] bool over() const noexcept { return winner || (all_begun() && running == 0); }
    void note(std::error_code error) noexcept {
        if (!failure || telling(error) > telling(failure)) failure = error;
    }
};

task<void> attempt(race* all, endpoint peer) {
    auto stream = co_await tcp_stream::connect(peer);
    --all->running;
    if (!stream) all->note(stream.error());
    if (stream && !all->winner) all->winner = std::move(*stream);
    all->ended.set();
}

/// Until an attempt has ended or, if there is another to begin, the delay has passed. False when it
/// was cancelled.
task<bool> wait_for_news(race* all, duration delay) {
    if (all->all_begun()) {
        const auto news = co_await all->ended.wait();
        co_return news.has_value();
    }
    const auto news = co_await with_timeout(delay, all->ended.wait());
    co_return news || news.error() == std::errc::timed_out;
}

/// Ends the others when one has won; with_scope() waits for them.
task<bool> run_race(scope attempts, race* all, duration delay) {
    while (!all->over()) {
        if (!all->all_begun()) {
            all->ended.reset();
            ++all->running;
            attempts.spawn(attempt, all, all->peers[all->begun++]);
        }
        const bool go_on = co_await wait_for_news(all, delay);
        if (!go_on) co_return false;
        if (all->all_begun()) all->ended.reset();
    }
    attempts.request_stop();
    co_return true;
}

} // namespace

task<result<tcp_stream>> connect_to_any(std::vector<endpoint> peers, connect_options options) {
    if (peers.empty()) co_return std::errc::invalid_argument;
    race all{interleaved(peers)};
    const bool finished = co_await with_scope(run_race, &all, options.attempt_delay);
    if (all.winner) co_return std::move(*all.winner);
    if (!finished) co_return std::errc::operation_canceled;
    co_return all.failure;
}

task<result<tcp_stream>>
connect(resolver* names, std::string host, std::uint16_t port, connect_options options) {
    auto found = co_await names->resolve(std::move(host), port, options.family);
    if (!found) co_return found.error();
    co_return co_await connect_to_any(std::move(*found), options);
}

} // namespace coronet
