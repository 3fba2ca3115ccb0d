// SPDX-License-Identifier: BSL-1.0
//
// The scan for line ends: each way to do it finds the same byte, at every place and length.
#include "../../../net/http/scan.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace coronet::http::scan_tests {
namespace {

using scan_function = const char* (*)(const char*, const char*);

std::vector<scan_function> all_scans() {
    std::vector<scan_function> all{
        find_line_stop, detail::find_line_stop_by_byte, detail::find_line_stop_by_word};
#ifdef __SSE2__
    all.push_back(detail::find_line_stop_by_vector);
#endif
    return all;
}

TEST(find_line_stop, finds_a_stop_at_every_place_and_nothing_beyond_the_end) {
    for (const scan_function scan : all_scans())
        for (std::size_t size = 0; size < 40; ++size)
            for (std::size_t place = 0; place <= size; ++place) {
                std::vector<char> text(size, '\t'); // the control byte that is no stop
                if (place < size) text[place] = '\r';
                ASSERT_EQ(scan(text.data(), text.data() + size), text.data() + place);
            }
}

TEST(find_line_stop, stops_at_control_bytes_and_del_only) {
    for (const scan_function scan : all_scans())
        for (unsigned c = 0; c < 256; ++c) {
            std::vector<char> text(24, 'x');
            text[5] = static_cast<char>(c);
            text[6] = '\x80';
            const bool stops = c != '\t' && (c < 0x20 || c == 0x7f);
            ASSERT_EQ(scan(text.data(), text.data() + 24), text.data() + (stops ? 5 : 24)) << c;
        }
}

} // namespace
} // namespace coronet::http::scan_tests
