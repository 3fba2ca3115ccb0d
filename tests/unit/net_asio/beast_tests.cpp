// SPDX-License-Identifier: BSL-1.0
//
// Boost.Beast over Coronet's ring: its own streams with Coronet's executor, and its usual ones on a
// context with Coronet's loop. Only where Asio is Boost's.
#include "which_asio.hpp"

#if defined(CORONET_ASIO_USE_BOOST)

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

namespace coronet::asiox::beast_tests {
namespace {

using namespace std::chrono_literals;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
template <class Executor>
using stream_of = beast::basic_stream<net::ip::tcp, Executor>;
// One of Coronet's executor has the socket whose operations are the ring's.
static_assert(std::is_same_v<stream_of<executor>::socket_type, tcp::socket>);
using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

template <class Executor>
net::awaitable<void, Executor> answer_http(stream_of<Executor> peer) {
    constexpr net::use_awaitable_t<Executor> token;
    beast::flat_buffer buffer;
    request asked;
    peer.expires_after(10s);
    co_await http::async_read(peer, buffer, asked, token);
    response answer{http::status::ok, asked.version()};
    answer.body() = asked.body();
    answer.prepare_payload();
    co_await http::async_write(peer, answer, token);
}

template <class Executor>
net::awaitable<void, Executor>
ask_http(stream_of<Executor> peer, net::ip::tcp::endpoint where, std::string* told) {
    constexpr net::use_awaitable_t<Executor> token;
    peer.expires_after(10s);
    co_await peer.async_connect(where, token);
    request asked{http::verb::post, "/echo", 11};
    asked.set(http::field::host, "localhost");
    asked.body() = *told;
    asked.prepare_payload();
    told->clear();
    co_await http::async_write(peer, asked, token);
    beast::flat_buffer buffer;
    response answer;
    co_await http::async_read(peer, buffer, answer, token);
    *told = answer.body();
}

template <class Executor>
net::awaitable<void, Executor> answer_websocket(stream_of<Executor> peer) {
    constexpr net::use_awaitable_t<Executor> token;
    websocket::stream<stream_of<Executor>> talk{std::move(peer)};
    talk.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
    co_await talk.async_accept(token);
    beast::flat_buffer buffer;
    co_await talk.async_read(buffer, token);
    co_await talk.async_write(buffer.data(), token);
    // The other side ends the talk: that is an error to read, and none to us.
    boost::system::error_code ended;
    co_await talk.async_read(buffer, net::redirect_error(token, ended));
    EXPECT_EQ(ended, websocket::error::closed);
}

template <class Executor>
net::awaitable<void, Executor>
ask_websocket(stream_of<Executor> peer, net::ip::tcp::endpoint where, std::string* told) {
    constexpr net::use_awaitable_t<Executor> token;
    co_await peer.async_connect(where, token);
    websocket::stream<stream_of<Executor>> talk{std::move(peer)};
    co_await talk.async_handshake("localhost", "/", token);
    const std::string sent = std::exchange(*told, {});
    co_await talk.async_write(net::buffer(sent), token);
    beast::flat_buffer buffer;
    co_await talk.async_read(buffer, token);
    *told = beast::buffers_to_string(buffer.data());
    co_await talk.async_close(websocket::close_code::normal, token);
}

/// One connection, over a ring.
template <class Executor>
struct conversation {
    using socket = net::basic_stream_socket<net::ip::tcp, Executor>;

    template <class Answer, class Ask>
    std::string hold(Answer answer, Ask ask, std::string what) {
        const auto where = listening.local_endpoint();
        listening.async_accept([&](boost::system::error_code error, socket peer) {
            if (!error) start(answer(stream_of<Executor>{std::move(peer)}));
        });
        start(ask(stream_of<Executor>{executor}, where, &what));
        context.run_for(20s);
        EXPECT_EQ(failed, 0);
        return what;
    }
    void start(net::awaitable<void, Executor> talk) {
        net::co_spawn(executor, std::move(talk), [this](const std::exception_ptr& error) {
            if (error) ++failed;
        });
    }

    io_context context{1};
    Executor executor{context.get_executor()};
    net::basic_socket_acceptor<net::ip::tcp, Executor> listening{executor, test::any_port()};
    int failed = 0;
};

template <class Executor>
class beast_on : public testing::Test {};
struct names {
    template <class Executor>
    static std::string GetName(int) {
        return std::is_same_v<Executor, executor> ? "native" : "plain";
    }
};
using executors = testing::Types<executor, net::any_io_executor>;
TYPED_TEST_SUITE(beast_on, executors, names);

TYPED_TEST(beast_on, AN8_a_request_is_answered) {
    conversation<TypeParam> talk;
    EXPECT_EQ(talk.hold(answer_http<TypeParam>, ask_http<TypeParam>, "how are you"), "how are you");
}

TYPED_TEST(beast_on, AN8_a_websocket_gives_back_what_it_was_sent) {
    conversation<TypeParam> talk;
    const std::string message(100'000, 'w');
    EXPECT_EQ(talk.hold(answer_websocket<TypeParam>, ask_websocket<TypeParam>, message), message);
}

TYPED_TEST(beast_on, AN8_a_stream_ends_a_read_whose_time_is_over) {
    conversation<TypeParam> talk;
    stream_of<TypeParam> silent{talk.executor};
    typename conversation<TypeParam>::socket other{talk.executor};
    silent.socket().connect(talk.listening.local_endpoint());
    talk.listening.accept(other);
    silent.expires_after(5ms);
    std::array<char, 8> bytes{};
    boost::system::error_code told;
    silent.async_read_some(net::buffer(bytes), [&told](boost::system::error_code error, auto) {
        told = error;
    });
    talk.context.run_for(20s);
    EXPECT_EQ(told, beast::error::timeout);
}

} // namespace
} // namespace coronet::asiox::beast_tests

#endif
