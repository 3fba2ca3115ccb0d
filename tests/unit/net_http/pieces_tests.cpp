// SPDX-License-Identifier: BSL-1.0
//
// Connections that receive in pieces: the answers are the same wherever one piece ends and the next
// begins, no buffer of the scheduler's is held while somebody is waited for, and too few buffers
// make nobody wait for ever.
#include "support/schedulers.hpp"

#include <coronet/coro/event.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/detail/buffer_pool.hpp>
#include <coronet/net/http/router.hpp>
#include <coronet/net/http/serve.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/unix_stream.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/ioctl.h>

namespace coronet::http::pieces_tests {
namespace {

using namespace std::chrono_literals;

using pieces_of_input = std::vector<std::string>;

void hello(request, response answer) {
    answer.send(status::ok, "text/plain", "Hello");
}

task<void> give_back(request asked, response answer) {
    std::string all;
    while (true) {
        auto piece = co_await asked.read_body();
        if (!piece) co_return;
        if (piece->empty()) break;
        all.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    }
    answer.send(status::ok, "text/plain", all);
}

// What more comes meanwhile must not disturb the head, which is looked at afterwards.
task<void> think(request asked, response answer) {
    const auto slept = co_await sleep_for(20ms);
    if (slept) answer.send(status::ok, "text/plain", asked.query());
}

task<void> wait_for(event* coming) {
    const auto came = co_await coming->wait();
    static_cast<void>(came);
}

router test_routes() {
    router routes;
    routes.on("GET", "/", hello);
    routes.on("POST", "/plain", hello);
    routes.on("POST", "/echo", give_back);
    routes.on("GET", "/think", think);
    return routes;
}

run_options with_buffers(unsigned count, unsigned max) {
    run_options options;
    options.handle_signals = false;
    options.scheduler.receive_buffers.count = count;
    options.scheduler.receive_buffers.max = max;
    return options;
}
run_options quiet() {
    return with_buffers(256, 4096);
}

// True when the kernel has nothing of what was sent left: it lies in buffers of the server's.
task<bool> all_taken(int fd) {
    const time_point deadline = clock::now() + 20s;
    int left = 1;
    while (::ioctl(fd, FIONREAD, &left) == 0 && left > 0) {
        if (clock::now() > deadline) co_return false;
        const auto turn = co_await sleep_for(20us);
        static_cast<void>(turn);
    }
    co_return left == 0;
}

task<std::string> read_until(unix_stream* stream, std::string_view end) {
    std::string all;
    std::array<std::byte, 4096> room;
    while (!all.ends_with(end) || end.empty()) {
        auto count = co_await with_timeout(20s, stream->read_some(std::span<std::byte>(room)));
        if (!count) co_return all + "(" + count.error().message() + ")";
        if (*count == 0) break;
        all.append(reinterpret_cast<const char*>(room.data()), *count);
    }
    co_return all;
}

task<bool> send_all(unix_stream* stream, std::string_view text) {
    const auto bytes = std::as_bytes(std::span{text});
    const auto sent = co_await stream->write_all(bytes);
    co_return static_cast<bool>(sent);
}

// ---- what is sent in pieces ----

// A connection, and a peer that sends `input`, each element as a piece of its own, then finishes
// (or waits for the connection to end).
struct exchange {
    pieces_of_input input;
    bool finishes = true;
    std::string output{};
};

task<void> send_pieces(scope children, service* shared, exchange* asked) {
    auto [server_end, client_end] = unix_stream::pair().value();
    const int fd = server_end.native_handle();
    children.spawn(serve<unix_stream>, std::move(server_end), shared);
    unix_stream client = std::move(client_end);
    for (const std::string& each : asked->input) {
        const bool sent = co_await send_all(&client, each);
        const bool taken = co_await all_taken(fd);
        if (!sent || !taken) break;
    }
    if (asked->finishes) {
        const auto ended = co_await client.shutdown(shutdown_of::sending);
        static_cast<void>(ended);
    }
    asked->output = co_await read_until(&client, "");
}

std::size_t buffers_out() {
    const auto& pool = scheduler::current()->receive_buffers();
    return pool.block_count() - pool.available();
}

task<std::size_t> send_each(service* shared, std::vector<exchange>* all) {
    for (exchange& each : *all) {
        auto one = with_scope(send_pieces, shared, &each);
        co_await std::move(one);
    }
    co_return buffers_out();
}

// Without the dates, so that two runs can be compared.
std::string without_dates(std::string text) {
    for (std::size_t at = 0; (at = text.find("Date: ", at)) != text.npos;)
        text.erase(at, text.find("\r\n", at) + 2 - at);
    return text;
}

void answer_each(std::vector<exchange>& all, const service_options& options = {}) {
    const router routes = test_routes();
    service shared{routes, options};
    EXPECT_EQ(run(send_each(&shared, &all), quiet()), 0u);
    for (exchange& each : all)
        each.output = without_dates(each.output);
}

// Whatever `input` is cut into, its answers are those to the whole.
void expect_the_same_at_each_cut(const std::string& input, const std::string& end) {
    std::vector<exchange> all;
    all.push_back({{input}});
    for (std::size_t cut = 1; cut < input.size(); ++cut)
        all.push_back({{input.substr(0, cut), input.substr(cut)}});
    all.push_back({});
    for (const char each : input)
        all.back().input.emplace_back(1, each);
    answer_each(all);
    EXPECT_TRUE(all.front().output.ends_with(end)) << all.front().output;
    for (const exchange& each : all)
        EXPECT_EQ(each.output, all.front().output) << each.input.front();
}

const std::string get = "GET /?a HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string length = " HTTP/1.1\r\nHost: a\r\nContent-Length: ";
const std::string chunked = " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST(http_pieces, a_head_may_be_cut_anywhere) {
    expect_the_same_at_each_cut(get, "\r\n\r\nHello");
}

TEST(http_pieces, an_empty_line_before_a_request_counts_wherever_it_is_cut) {
    expect_the_same_at_each_cut("\r\n" + get, "\r\n\r\nHello");
    expect_the_same_at_each_cut("\r\n\r\n" + get, "before the request\n");
}

TEST(http_pieces, pipelined_requests_may_be_cut_anywhere) {
    expect_the_same_at_each_cut(get + "GET /no HTTP/1.1\r\nHost: a\r\n\r\n" + get, "\r\n\r\nHello");
}

TEST(http_pieces, a_body_with_a_length_may_be_cut_anywhere_and_a_request_follows_it) {
    expect_the_same_at_each_cut("POST /echo" + length + "5\r\n\r\nhello" + get, "\r\n\r\nHello");
    expect_the_same_at_each_cut("POST /plain" + length + "5\r\n\r\nhello" + get, "\r\n\r\nHello");
}

TEST(http_pieces, a_body_in_chunks_may_be_cut_anywhere_and_a_request_follows_it) {
    const std::string chunks = "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    expect_the_same_at_each_cut("POST /echo" + chunked + chunks + get, "\r\n\r\nHello");
    expect_the_same_at_each_cut("POST /plain" + chunked + chunks + get, "\r\n\r\nHello");
}

TEST(http_pieces, what_comes_while_a_handler_waits_is_answered_after_it) {
    std::vector<exchange> all;
    all.push_back(
        {{"GET /think?one HTTP/1.1\r\nHost: a\r\n\r\n", get, "GET /think?t",
          "wo HTTP/1.1\r\nHost: a\r\n\r\n"}}
    );
    answer_each(all);
    const std::string& output = all.front().output;
    EXPECT_NE(output.find("\r\n\r\noneHTTP/1.1 200 OK\r\n"), output.npos) << output;
    EXPECT_NE(output.find("\r\n\r\nHelloHTTP/1.1 200 OK\r\n"), output.npos) << output;
    EXPECT_TRUE(output.ends_with("\r\n\r\ntwo")) << output;
}

TEST(http_pieces, a_head_and_a_body_that_do_not_come_in_time_are_refused) {
    service_options impatient;
    impatient.timeouts.head = impatient.timeouts.body = impatient.timeouts.linger = 20ms;
    std::vector<exchange> all;
    all.push_back({{"GET / HTTP"}, false});
    all.push_back({{"POST /echo" + length + "5\r\n\r\nhel"}, false});
    all.push_back({{"POST /echo" + chunked + "5\r\nhel"}, false});
    all.push_back({{get + "G"}, false});
    answer_each(all, impatient);
    for (const exchange& each : all)
        EXPECT_NE(each.output.find("HTTP/1.1 408 "), std::string::npos) << each.output;
}

// ---- bulk ----

struct upload {
    std::string head;
    std::string body;
    std::string answer{};
    std::string last_answer{};
};

task<void> send_upload(unix_stream* client, const upload* given) {
    const bool head = co_await send_all(client, given->head);
    const bool body = co_await send_all(client, given->body);
    const bool next = co_await send_all(client, get);
    EXPECT_TRUE(head && body && next);
}

task<void> upload_and_ask(scope children, service* shared, upload* given) {
    auto [server_end, client_end] = unix_stream::pair().value();
    children.spawn(serve<unix_stream>, std::move(server_end), shared);
    unix_stream client = std::move(client_end);
    children.spawn(send_upload, &client, given);
    given->answer = co_await read_until(&client, "\r\n\r\nHello");
    // And once more: pieces come again after the body.
    const bool sent = co_await send_all(&client, get);
    if (sent) given->last_answer = co_await read_until(&client, "\r\n\r\nHello");
    const auto ended = co_await client.shutdown(shutdown_of::sending);
    static_cast<void>(ended);
    co_await children.join();
}

task<void> upload_in_scope(service* shared, upload* given) {
    co_await with_scope(upload_and_ask, shared, given);
}

std::string long_text(std::size_t size) {
    std::string text;
    while (text.size() < size)
        text += std::to_string(text.size()) + ' ';
    text.resize(size);
    return text;
}

void expect_uploaded(upload given, const std::string& body) {
    const router routes = test_routes();
    service shared{routes, {}};
    run(upload_in_scope(&shared, &given), quiet());
    const std::size_t begin = given.answer.find("\r\n\r\n") + 4;
    EXPECT_TRUE(given.answer.substr(begin).starts_with(body + "HTTP/1.1 200 OK\r\n"))
        << given.answer.substr(0, 300);
    EXPECT_TRUE(given.last_answer.starts_with("HTTP/1.1 200 OK\r\n")) << given.last_answer;
}

TEST(http_pieces, a_body_is_whole_whether_or_not_it_is_so_long_that_it_is_received_directly) {
    for (const std::size_t size :
         {1u, 1'000u, 4'097u, 16'384u, 16'500u, 65'536u, 65'537u, 130'000u, 5'000'000u}) {
        const std::string body = long_text(size);
        expect_uploaded({"POST /echo" + length + std::to_string(size) + "\r\n\r\n", body}, body);
    }
}

TEST(http_pieces, a_long_body_in_chunks_is_whole) {
    std::string body;
    std::string chunks;
    for (const std::size_t size : {5u, 100'000u, 1u, 70'000u, 300'000u}) {
        const std::string part = long_text(size);
        std::array<char, 16> digits{};
        std::snprintf(digits.data(), digits.size(), "%zx\r\n", size);
        chunks += digits.data() + part + "\r\n";
        body += part;
    }
    expect_uploaded({"POST /echo" + chunked, chunks + "0\r\n\r\n"}, body);
}

// ---- buffers ----

task<void> ask_again_and_again(service* shared, int count, int* answered) {
    for (int i = 0; i < count; ++i) {
        std::vector<exchange> asked;
        asked.push_back({{get.substr(0, 7), get.substr(7), get}});
        auto sending = with_scope(send_pieces, shared, asked.data());
        co_await std::move(sending);
        if (asked.front().output.ends_with("\r\n\r\nHello")) ++*answered;
    }
}

task<void> fifty_connections(scope children, service* shared, int* answered) {
    for (int i = 0; i < 50; ++i)
        children.spawn(ask_again_and_again, shared, 10, answered);
    co_await children.join();
}

task<std::size_t> fifty_in_scope(service* shared, int* answered) {
    auto all = with_scope(fifty_connections, shared, answered);
    co_await std::move(all);
    co_return buffers_out();
}

TEST(http_pieces, four_buffers_are_enough_for_fifty_connections) {
    const router routes = test_routes();
    service shared{routes, {}};
    int answered = 0;
    EXPECT_EQ(run(fifty_in_scope(&shared, &answered), with_buffers(4, 4)), 0u);
    EXPECT_EQ(answered, 500);
}

// How many buffers are out while so many connections wait: idle after an answer, in the middle of a
// head, in a handler that thinks, in a handler that waits for its body.
task<std::size_t> wait_in_each_way(scope children, service* shared) {
    const std::array<std::string, 4> inputs{
        get, get + get.substr(0, 9), "GET /block HTTP/1.1\r\nHost: a\r\n\r\n" + get,
        "POST /echo" + length + "5\r\n\r\nhel"};
    std::vector<unix_stream> clients;
    for (int i = 0; i < 10; ++i) {
        for (const std::string& each : inputs) {
            auto [server_end, client_end] = unix_stream::pair().value();
            const int fd = server_end.native_handle();
            children.spawn(serve<unix_stream>, std::move(server_end), shared);
            clients.push_back(std::move(client_end));
            const bool sent = co_await send_all(&clients.back(), each);
            const bool taken = co_await all_taken(fd);
            EXPECT_TRUE(sent && taken);
            if (!each.starts_with("GET /?")) continue;
            const std::string answer = co_await read_until(&clients.back(), "\r\n\r\nHello");
            EXPECT_FALSE(answer.empty());
        }
    }
    co_await test::pause();
    const std::size_t out = buffers_out();
    children.request_stop();
    co_await children.join();
    co_return out;
}

task<std::size_t> wait_in_scope(service* shared) {
    co_return co_await with_scope(wait_in_each_way, shared);
}

TEST(http_pieces, no_buffer_is_held_while_somebody_is_waited_for) {
    router routes = test_routes();
    event never;
    routes.on("GET", "/block", [&never](request, response) { return wait_for(&never); });
    service shared{routes, {}};
    EXPECT_EQ(run(wait_in_scope(&shared), quiet()), 0u);
}

} // namespace
} // namespace coronet::http::pieces_tests
