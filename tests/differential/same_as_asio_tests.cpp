// SPDX-License-Identifier: BSL-1.0
//
// Random scripts tell the same on Coronet's loop, and with Coronet's objects, as on Asio's own.
#include "player.hpp"
#include "script.hpp"
#include "support/rounds.hpp"

#include <coronet/net/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace coronet::differential {
namespace {

/// The first of two tales' lines that differ, with those before.
std::string
difference(const std::vector<std::string>& wanted, const std::vector<std::string>& came) {
    std::size_t same = 0;
    while (same < wanted.size() && same < came.size() && wanted[same] == came[same])
        ++same;
    std::string shown;
    for (std::size_t i = 0; i < same; ++i)
        shown += "  " + wanted[i] + '\n';
    const auto line = [same](const std::vector<std::string>& of) {
        return same < of.size() ? of[same] : std::string{"(nothing more)"};
    };
    return shown + "asio:    " + line(wanted) + "\ncoronet: " + line(came) + '\n';
}

std::uint64_t first_seed() {
    if (const char* wanted = std::getenv("CORONET_SEED")) return std::strtoull(wanted, nullptr, 0);
    return std::random_device{}();
}
int how_many() {
    return std::getenv("CORONET_SEED") ? 1 : test::rounds(500, 10'000);
}

/// The kernel may take its time to deliver what was sent: a tale that differs is told once more,
/// with pauses that are long enough. That must be seldom.
template <class Kind>
void tells_as_asio_does() {
    const std::uint64_t first = first_seed();
    const int scripts = how_many();
    int repeated = 0;
    for (std::uint64_t seed = first; seed < first + static_cast<unsigned>(scripts); ++seed) {
        const script all = random_script(seed);
        if (play<as_it_is>(all, false) == play<Kind>(all, false)) continue;
        ++repeated;
        const auto wanted = play<as_it_is>(all, true);
        const auto came = play<Kind>(all, true);
        ASSERT_EQ(wanted, came) << "CORONET_SEED=" << seed << '\n' << difference(wanted, came);
    }
    EXPECT_LE(repeated, 5 + scripts / 50) << "CORONET_SEED=" << first;
}

TEST(same_as_asio, with_coronets_loop_below) {
    tells_as_asio_does<loop_below>();
}
TEST(same_as_asio, with_coronets_objects) {
    tells_as_asio_does<native_objects>();
}

} // namespace
} // namespace coronet::differential
