// SPDX-License-Identifier: BSL-1.0
//
// An end that does not come explains itself: after a second the log names each operation that is
// waited for.
#include "scripted_scheduler.hpp"
#include "support/logged.hpp"

#include <gtest/gtest.h>

#include <string>

namespace coronet::testing::drain_report_tests {
namespace {

using test::logged;

TEST(drain, names_what_it_waits_for_after_a_second_without_progress) {
    using namespace std::chrono_literals;
    const logged log;
    scripted_scheduler test;
    sample_operation slow{IORING_OP_READ, {7}};
    auto& fate = test.script.on(IORING_OP_READ).after(5s).complete(3);
    for (int i = 0; i < 12; ++i)
        fate.cancel_ignored(-EALREADY);
    test.loop.start(slow);
    test.turn();
    test.loop.shutdown();
    EXPECT_EQ(slow.end(), 3); // it was waited for all the same
    EXPECT_NE(log.text().find("draining, told to stop"), std::string::npos) << log.text();
    EXPECT_NE(log.text().find("on descriptor 7, for 1."), std::string::npos) << log.text();
    EXPECT_NE(log.text().find("asked to end"), std::string::npos) << log.text();
}

TEST(drain, that_makes_progress_reports_nothing) {
    const logged log;
    scripted_scheduler test;
    sample_operation op{IORING_OP_READ, {7}};
    test.loop.start(op);
    test.turn();
    test.loop.shutdown();
    EXPECT_EQ(log.text(), "");
}

} // namespace
} // namespace coronet::testing::drain_report_tests
