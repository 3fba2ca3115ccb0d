// SPDX-License-Identifier: BSL-1.0
//
// A keep-alive HTTP connection takes nothing from the heap once it has served its first requests.
#include "allocation_count.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/http/router.hpp>
#include <coronet/net/http/serve.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/unix_stream.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace coronet::http_tests {
namespace {

using test::allocation_count;

constexpr int warm_up = 200;
constexpr int rounds = 10'000;

void hello(http::request, http::response answer) {
    answer.send(http::status::ok, "text/plain", "Hello, World!");
}

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

task<bool> exchange(unix_stream* peer) {
    const auto bytes = std::as_bytes(std::span{get});
    const auto sent = co_await peer->write_all(bytes);
    if (!sent) co_return false;
    std::array<std::byte, 1024> room;
    const auto received = co_await peer->read_some(room);
    if (!received) co_return false;
    const std::string_view answer{reinterpret_cast<const char*>(room.data()), *received};
    co_return answer.starts_with("HTTP/1.1 200") && answer.ends_with("Hello, World!");
}
task<std::size_t> allocations_of_requests(unix_stream* peer) {
    std::size_t before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocation_count();
        const bool served = co_await exchange(peer);
        if (!served) co_return std::size_t{999'999};
    }
    const std::size_t made = allocation_count() - before;
    const auto closed = co_await peer->close();
    static_cast<void>(closed);
    co_return made;
}
task<std::size_t> both_ends(unix_stream* client, unix_stream server, http::service* serving) {
    const auto both = co_await when_all(
        allocations_of_requests(client), http::serve<unix_stream>(std::move(server), serving)
    );
    co_return std::get<0>(both);
}

TEST(steady_state, of_an_http_connection_allocates_nothing) {
    http::router routes;
    routes.on("GET", "/", hello);
    http::service serving{routes, http::service_options{}};
    auto pair = unix_stream::pair();
    ASSERT_TRUE(pair);
    EXPECT_EQ(run(both_ends(&pair->first, std::move(pair->second), &serving)), 0u);
}

} // namespace
} // namespace coronet::http_tests
