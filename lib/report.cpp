// SPDX-License-Identifier: BSL-1.0
//
// What a scheduler is at, in words: for the log when its end does not come, for a watchdog, for a
// curious user.
#include "engine.hpp"

#include <array>
#include <cstdio>

namespace coronet::detail {

namespace {

constexpr std::size_t operations_told = 16;

std::string in_words(run_state::phase now) {
    constexpr std::array<const char*, 7> words{"fresh",    "starting", "running", "parked",
                                               "draining", "exited",   "failed"};
    return words.at(static_cast<std::size_t>(now));
}

std::string in_seconds(duration length) {
    std::array<char, 32> text{};
    const double seconds = std::chrono::duration<double>(length).count();
    std::snprintf(text.data(), text.size(), "%.1f s", seconds);
    return text.data();
}

std::string described(const operation& op, duration age) {
    std::string line = std::string{"  "} + std::string{op.name()};
    if (op.on().fd >= 0) line += " on descriptor " + std::to_string(op.on().fd);
    line += ", for " + in_seconds(age);
    if (op.cancel_requested()) line += ", asked to end";
    const std::source_location place = op.place();
    if (*place.file_name())
        line += ", awaited at " + std::string{place.file_name()} + ":" +
                std::to_string(place.line()) + " in " + place.function_name();
    return line + "\n";
}

std::string control_word(const run_state& state) {
    std::string text = in_words(state.current_phase());
    if (state.stop_requested()) text += ", told to stop";
    if (state.notified()) text += ", notified";
    if (state.sleeping()) text += ", sleeping";
    if (state.park_count() > 0) text += ", parkers: " + std::to_string(state.park_count());
    return text;
}

} // namespace

/// Nobody changes what this thread is about to read.
bool engine::stands_still_for_me() const noexcept {
    const thread_number here = this_thread_number();
    return owner.load() == here ||
           (state.current_phase() == run_state::phase::parked && holds_guard(here));
}

std::string engine::report() const {
    if (!stands_still_for_me()) return control_word(state) + "\n";
    std::string text = control_word(state) +
                       "; operations in flight: " + std::to_string(dispatcher_.in_flight_count()) +
                       ", tasks: " + std::to_string(resident_count) +
                       ", timers: " + std::to_string(timers.size()) + "\n";
    std::size_t told = 0;
    dispatcher_.for_each_live([&](const operation& op) {
        if (told++ < operations_told) text += described(op, dispatcher_.age_of(op));
    });
    if (told > operations_told)
        text += "  and " + std::to_string(told - operations_told) + " more\n";
    if (const worker_pool* pool = pool_if_any()) text += pool->report();
    return text;
}

} // namespace coronet::detail
