// SPDX-License-Identifier: BSL-1.0
//
// The Date field's value.
#include "../../../net/http/date.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include <time.h>

namespace coronet::http::date_tests {
namespace {

TEST(http_date, is_the_time_now_in_the_form_of_rfc_9110) {
    const std::string text{date_now()};
    tm parts{};
    const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    ASSERT_NE(end, nullptr) << text;
    EXPECT_EQ(*end, '\0');
    EXPECT_EQ(text.size(), 29u);
    EXPECT_LE(std::abs(::timegm(&parts) - ::time(nullptr)), 2);
}

} // namespace
} // namespace coronet::http::date_tests
