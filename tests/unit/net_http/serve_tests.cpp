// SPDX-License-Identifier: BSL-1.0
//
// A connection on a real stream (one half of a socket pair, to show that any stream will do), and
// what it allocates once it is under way: nothing.
#include "support/schedulers.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/net/http/router.hpp>
#include <coronet/net/http/serve.hpp>
#include <coronet/net/unix_stream.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <sys/ioctl.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CORONET_TEST_COUNTS false
#elif defined(__has_feature)
#define CORONET_TEST_COUNTS (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define CORONET_TEST_COUNTS true
#endif

namespace {

std::atomic<std::size_t> allocation_count{0};

} // namespace

// Everything comes through malloc: operator new, and the frames of coroutines. The sanitizers have
// a malloc of their own, which is left alone.
#if CORONET_TEST_COUNTS
extern "C" void* __libc_malloc(std::size_t size) noexcept;
extern "C" void* malloc(std::size_t size) noexcept {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    return __libc_malloc(size);
}
#endif

namespace coronet::http::serve_tests {
namespace {

task<void> hello_slowly(request asked, response answer) {
    auto body = co_await asked.read_body();
    if (body) answer.send(status::ok, "text/plain", "Hello");
}

router test_routes() {
    router routes;
    routes.on("GET", "/", [](request, response answer) {
        answer.send(status::ok, "text/plain", "Hello");
    });
    routes.on("POST", "/task", hello_slowly);
    return routes;
}

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view post = "POST /task HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

// Sends `request` and waits for an answer that ends in "Hello"; false if none comes.
task<bool> ask(unix_stream* stream, std::string_view request) {
    const auto bytes = std::as_bytes(std::span{request});
    auto sent = co_await stream->write_all(bytes);
    if (!sent) co_return false;
    std::array<std::byte, 1024> room;
    std::size_t size = 0;
    while (true) {
        const auto rest = std::span{room}.subspan(size);
        auto received = co_await stream->read_some(rest);
        if (!received || *received == 0) co_return false;
        size += *received;
        const std::string_view text{reinterpret_cast<const char*>(room.data()), size};
        if (text.ends_with("Hello")) co_return text.starts_with("HTTP/1.1 200 OK\r\n");
    }
}

// A stream that gives no pieces.
class plain_stream {
public:
    explicit plain_stream(unix_stream whole) noexcept : whole_{std::move(whole)} {}
    auto read_some(std::span<std::byte> room) noexcept { return whole_.read_some(room); }
    auto write_some(std::span<const std::byte> data) noexcept { return whole_.write_some(data); }
    auto shutdown(shutdown_of what) noexcept { return whole_.shutdown(what); }
    int native_handle() const noexcept { return whole_.native_handle(); }

private:
    unix_stream whole_;
};
static_assert(!detail::gives_pieces<plain_stream>);
static_assert(detail::gives_pieces<unix_stream>);

struct counted {
    bool answered = true;
    std::size_t allocation_count = 0;
};

template <class Stream>
task<counted> ask_many(scope children, service* shared, std::string_view request) {
    auto [server_end, client_end] = unix_stream::pair().value();
    children.spawn(serve<Stream>, Stream{std::move(server_end)}, shared);
    unix_stream client = std::move(client_end);
    counted seen;
    for (int i = 0; i < 10'100 && seen.answered; ++i) {
        if (i == 100) seen.allocation_count = allocation_count.load();
        seen.answered = co_await ask(&client, request);
    }
    seen.allocation_count = allocation_count.load() - seen.allocation_count;
    co_return seen; // closing the client's end has the connection end
}

template <class Stream>
task<counted> in_scope(service* shared, std::string_view request) {
    co_return co_await with_scope(ask_many<Stream>, shared, request);
}

template <class Stream = unix_stream>
counted answers_and_allocations(std::string_view request) {
    const router routes = test_routes();
    service shared{routes, {}};
    run_options plain;
    plain.handle_signals = false;
    return run(in_scope<Stream>(&shared, request), plain);
}

TEST(http_serve, answers_10000_requests_on_a_connection_without_an_allocation) {
    const counted seen = answers_and_allocations(get);
    EXPECT_TRUE(seen.answered);
    EXPECT_EQ(seen.allocation_count, 0u);
    EXPECT_EQ(allocation_count.load() > 0, CORONET_TEST_COUNTS);
}

TEST(http_serve, answers_10000_requests_by_a_coroutine_without_an_allocation) {
    const counted seen = answers_and_allocations(post);
    EXPECT_TRUE(seen.answered);
    EXPECT_EQ(seen.allocation_count, 0u);
    EXPECT_EQ(allocation_count.load() > 0, CORONET_TEST_COUNTS);
}

TEST(http_serve, answers_10000_requests_on_a_stream_without_pieces_without_an_allocation) {
    for (const std::string_view request : {get, post}) {
        const counted seen = answers_and_allocations<plain_stream>(request);
        EXPECT_TRUE(seen.answered);
        EXPECT_EQ(seen.allocation_count, 0u);
    }
}

// Of two connections that wait, one after an answer and one for its first request, and one in the
// middle of a head, which goes on.
template <class Stream>
task<bool> end_those_that_wait(scope children, service* shared) {
    std::array<unix_stream, 3> clients;
    for (unix_stream& each : clients) {
        auto [server_end, client_end] = unix_stream::pair().value();
        children.spawn(serve<Stream>, Stream{std::move(server_end)}, shared);
        each = std::move(client_end);
    }
    const bool asked = co_await ask(&clients[0], get);
    const bool asked_too = co_await ask(&clients[2], get);
    const auto begin = std::as_bytes(std::span{get.substr(0, 5)});
    auto sent = co_await clients[2].write_all(begin);
    for (int left = 1; left > 0 && !sent.error;) { // until the kernel has given it to the server
        co_await test::pause();
        if (::ioctl(clients[2].native_handle(), TIOCOUTQ, &left) < 0) co_return false;
    }
    const bool seen = co_await ask(&clients[0], get); // what came before this has been looked at
    shared->end_idle_connections();
    std::array<std::byte, 64> room;
    const std::span<std::byte> all_of_it{room};
    for (const std::size_t i : {0U, 1U}) {
        unix_stream& client = clients[i];
        const auto count = co_await client.read_some(all_of_it);
        if (!count || *count != 0) co_return false;
    }
    const bool went_on = co_await ask(&clients[2], get.substr(5));
    EXPECT_TRUE(asked && asked_too && seen && went_on);
    co_return true;
}

template <class Stream>
task<bool> end_in_scope(service* shared) {
    co_return co_await with_scope(end_those_that_wait<Stream>, shared);
}

TEST(http_serve, ends_idle_connections_when_asked_and_no_others) {
    const router routes = test_routes();
    service shared{routes, {}};
    run_options plain;
    plain.handle_signals = false;
    EXPECT_TRUE(run(end_in_scope<unix_stream>(&shared), plain));
    EXPECT_TRUE(run(end_in_scope<plain_stream>(&shared), plain));
}

task<result<std::size_t>> close_after(scope children, service* shared, std::string_view request) {
    auto [server_end, client_end] = unix_stream::pair().value();
    children.spawn(serve<unix_stream>, std::move(server_end), shared);
    unix_stream client = std::move(client_end);
    const auto bytes = std::as_bytes(std::span{request});
    auto sent = co_await client.write_all(bytes);
    if (!sent) co_return sent.error;
    std::array<std::byte, 1024> room;
    std::size_t size = 0;
    while (true) {
        auto received = co_await client.read_some(std::span<std::byte>(room));
        if (!received) co_return received.error();
        if (*received == 0) co_return size;
        size += *received;
    }
}

task<result<std::size_t>> close_after_in_scope(service* shared, std::string_view request) {
    co_return co_await with_scope(close_after, shared, request);
}

TEST(http_serve, ends_the_connection_after_an_error_answer_and_after_idling) {
    const router routes = test_routes();
    service_options options;
    options.timeouts.idle = std::chrono::milliseconds{20};
    run_options plain;
    plain.handle_signals = false;
    for (const auto& [request, at_least] :
         {std::pair<std::string_view, std::size_t>{"bad\r\n\r\n", 50}, {get, 50}, {"\r\n", 0}}) {
        service shared{routes, options};
        const auto received = run(close_after_in_scope(&shared, request), plain);
        ASSERT_TRUE(received.has_value()) << received.error().message();
        EXPECT_GE(*received, at_least);
    }
}

} // namespace
} // namespace coronet::http::serve_tests
