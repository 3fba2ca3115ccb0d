// SPDX-License-Identifier: BSL-1.0
//
// Which contexts a ring can be put under, and that those which refuse stay as they were.
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

namespace coronet::asiox::install_tests {
namespace {

using namespace std::chrono_literals;

scheduler_options impossible() {
    scheduler_options options;
    options.driver = driver_choice::io_uring;
    options.sqpoll.emplace().cpu = 100'000; // no process may run there
    return options;
}

/// Whether a timer of `context` expires in run().
bool works(net::io_context& context) {
    bool expired = false;
    net::steady_timer timer{context, 1ms};
    timer.async_wait([&expired](error_code error) { expired = !error; });
    context.run();
    return expired;
}

TEST(asio_install, AE11_an_io_context_is_asios_and_no_bigger) {
    static_assert(std::is_base_of_v<net::io_context, io_context>);
    static_assert(sizeof(io_context) == sizeof(net::io_context));
    io_context context;
    net::io_context& as_asio = context;
    EXPECT_EQ(&net::query(as_asio.get_executor(), net::execution::context), &context);
    EXPECT_EQ(installed(as_asio), &context.ring());
    EXPECT_TRUE(works(as_asio));
}

TEST(asio_install, AE11_an_io_context_has_all_constructors) {
    io_context with_hint{1};
    io_context unsafe{CORONET_ASIO_UNSAFE};
    io_context with_options{2, scheduler_options{}};
    EXPECT_TRUE(works(with_hint));
    EXPECT_TRUE(works(unsafe));
    EXPECT_TRUE(works(with_options));
}

class counting_service : public net::execution_context::service {
public:
    using key_type = counting_service;
    static net::execution_context::id id;
    explicit counting_service(net::execution_context& owner)
        : net::execution_context::service(owner) {}
    int count = 0;

private:
    void shutdown() override {}
};
net::execution_context::id counting_service::id;

TEST(asio_install, AE11_services_live_on_it) {
    io_context context;
    ++net::use_service<counting_service>(context).count;
    net::io_context& as_asio = context;
    EXPECT_EQ(net::use_service<counting_service>(as_asio).count, 1);
}

TEST(asio_install, AE12_works_on_a_fresh_io_context) {
    net::io_context context;
    EXPECT_EQ(installed(context), nullptr);
    scheduler& ring = install(context);
    EXPECT_EQ(installed(context), &ring);
    EXPECT_TRUE(works(context));
    EXPECT_GT(ring.stats().turns, 0u);
}

TEST(asio_install, AE12_works_on_a_thread_pool) {
    net::thread_pool pool{2};
    scheduler& ring = install(pool);
    std::promise<error_code> expired;
    net::steady_timer timer{pool, 1ms};
    timer.async_wait([&expired](error_code error) { expired.set_value(error); });
    EXPECT_FALSE(expired.get_future().get());
    pool.join();
    EXPECT_GT(ring.stats().turns, 0u);
}

TEST(asio_install, AE12_refuses_a_context_that_has_a_loop_already) {
    net::io_context context;
    const net::steady_timer first{context};
    EXPECT_THROW(install(context), net::service_already_exists);
    EXPECT_EQ(installed(context), nullptr);
    EXPECT_TRUE(works(context));
}

TEST(asio_install, AE12_refuses_to_be_installed_twice) {
    io_context context;
    scheduler* const before = &context.ring();
    EXPECT_THROW(install(context), reactor_in_use);
    EXPECT_EQ(installed(context), before);
}

TEST(asio_install, refuses_a_context_without_a_loop) {
    class bare : public net::execution_context {
    } context;
    EXPECT_THROW(install(context), std::invalid_argument);
    EXPECT_FALSE(net::has_service<net::detail::scheduler>(context)); // nor has it a thread now
}

TEST(asio_install, AL10_leaves_a_context_as_it_was_when_the_ring_cannot_be_made) {
    net::io_context context;
    EXPECT_THROW(install(context, impossible()), std::system_error);
    EXPECT_EQ(installed(context), nullptr);
    EXPECT_TRUE(works(context));
}

TEST(asio_install, AL10_an_io_context_that_cannot_have_a_ring_is_not_made) {
    EXPECT_THROW((io_context{1, impossible()}), std::system_error);
}

TEST(asio_install, AL10_can_be_tried_again) {
    net::io_context context;
    EXPECT_THROW(install(context, impossible()), std::system_error);
    install(context);
    EXPECT_NE(installed(context), nullptr);
    EXPECT_TRUE(works(context));
}

TEST(asio_install, AL10_works_on_the_other_driver) {
    scheduler_options options;
    options.driver = driver_choice::epoll;
    io_context context{1, options};
    EXPECT_TRUE(works(context));
}

} // namespace
} // namespace coronet::asiox::install_tests
