// SPDX-License-Identifier: BSL-1.0
//
// Runs the fuzz target's checks over the seed corpus, and over each seed with every byte replaced
// by some that matter to the grammar. For compilers without libFuzzer, and for every test run.
#include "http_request_parser_fuzz.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

std::vector<std::string> seeds() {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator{CORONET_SEED_CORPUS}) {
        std::ifstream file{entry.path(), std::ios::binary};
        all.emplace_back(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{});
    }
    return all;
}

void check(const std::string& input) {
    coronet::http::check_request_stream(
        reinterpret_cast<const std::uint8_t*>(input.data()), input.size()
    );
}

TEST(request_stream, keeps_its_properties_for_every_seed) {
    ASSERT_GE(seeds().size(), 10u);
    for (const std::string& seed : seeds())
        check(seed);
}

TEST(request_stream, keeps_its_properties_with_any_byte_replaced) {
    const std::string replacements{"\0\t\n\r \";:,=0aZ\x7f\x80", 16};
    for (const std::string& seed : seeds())
        for (std::size_t at = 0; at < seed.size(); ++at)
            for (const char each : replacements) {
                std::string changed = seed;
                changed[at] = each;
                check(changed);
            }
}

TEST(request_stream, keeps_its_properties_with_any_byte_missing_or_doubled) {
    for (const std::string& seed : seeds())
        for (std::size_t at = 1; at < seed.size(); ++at) {
            check(seed.substr(0, at) + seed.substr(at + 1));
            check(seed.substr(0, at) + seed.substr(at - 1));
            check(seed.substr(0, at));
        }
}

} // namespace
