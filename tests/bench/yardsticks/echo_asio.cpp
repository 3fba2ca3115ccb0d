// SPDX-License-Identifier: BSL-1.0
//
// TCP echo on Asio, one thread: what users have today. "coro" is co_spawn with use_awaitable,
// "callback" is a handler chain. With ECHO_ON_CORONET the context is Coronet's, with ECHO_NATIVE
// the sockets are as well: all else is the same. There "stream" is "coro" with one request for many
// results.
#include <asio.hpp>
#if defined(ECHO_ON_CORONET)
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>
#endif
#if defined(ECHO_NATIVE)
#include <coronet/net/asio/accept_stream.hpp>
#include <coronet/net/asio/receive_stream.hpp>
#endif

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#if defined(ECHO_ON_CORONET)
using context_type = coronet::asiox::io_context;
#else
using context_type = asio::io_context;
#endif
#if defined(ECHO_NATIVE)
using tcp = coronet::asiox::tcp;
#else
using tcp = asio::ip::tcp;
#endif
using no_delay = asio::ip::tcp::no_delay;

static std::size_t buffer_size = 2048;

static asio::awaitable<void> session_coro(tcp::socket socket) {
    std::vector<char> data(buffer_size);
    try {
        for (;;) {
            std::size_t n =
                co_await socket.async_read_some(asio::buffer(data), asio::use_awaitable);
            co_await asio::async_write(socket, asio::buffer(data, n), asio::use_awaitable);
        }
    } catch (const std::exception&) {
    }
}

static asio::awaitable<void> listen_coro(tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        socket.set_option(no_delay(true));
        asio::co_spawn(acceptor.get_executor(), session_coro(std::move(socket)), asio::detached);
    }
}

#if defined(ECHO_NATIVE)
static asio::awaitable<void> session_stream(tcp::socket socket) {
    coronet::asiox::receive_stream incoming(socket);
    try {
        for (;;) {
            auto piece = co_await incoming.async_receive(asio::use_awaitable);
            auto bytes = asio::buffer(piece.data(), piece.size());
            co_await asio::async_write(socket, bytes, asio::use_awaitable);
        }
    } catch (const std::exception&) {
    }
}

static asio::awaitable<void> listen_stream(tcp::acceptor acceptor) {
    coronet::asiox::accept_stream connections(acceptor);
    for (;;) {
        tcp::socket socket = co_await connections.async_accept(asio::use_awaitable);
        socket.set_option(no_delay(true));
        asio::co_spawn(acceptor.get_executor(), session_stream(std::move(socket)), asio::detached);
    }
}
#endif

class session : public std::enable_shared_from_this<session> {
public:
    explicit session(tcp::socket socket) : socket_(std::move(socket)), data_(buffer_size) {}

    void read() {
        socket_.async_read_some(
            asio::buffer(data_),
            [self = shared_from_this()](std::error_code ec, std::size_t n) {
                if (!ec) self->write(n);
            }
        );
    }

private:
    void write(std::size_t n) {
        asio::async_write(
            socket_, asio::buffer(data_, n),
            [self = shared_from_this()](std::error_code ec, std::size_t) {
                if (!ec) self->read();
            }
        );
    }

    tcp::socket socket_;
    std::vector<char> data_;
};

static void accept_next(tcp::acceptor& acceptor) {
    acceptor.async_accept([&](std::error_code ec, tcp::socket socket) {
        if (!ec) {
            socket.set_option(no_delay(true));
            std::make_shared<session>(std::move(socket))->read();
        }
        accept_next(acceptor);
    });
}

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s PORT coro|callback|stream [BUFFER]\n", argv[0]);
        return 2;
    }
    if (argc > 3) buffer_size = std::strtoul(argv[3], nullptr, 10);
    context_type ctx(1);
    tcp::acceptor acceptor(
        ctx.get_executor(),
        {asio::ip::address_v4::loopback(), static_cast<unsigned short>(std::atoi(argv[1]))}
    );
    acceptor.listen(4096);
    if (std::strcmp(argv[2], "coro") == 0)
        asio::co_spawn(ctx, listen_coro(std::move(acceptor)), asio::detached);
#if defined(ECHO_NATIVE)
    else if (std::strcmp(argv[2], "stream") == 0)
        asio::co_spawn(ctx, listen_stream(std::move(acceptor)), asio::detached);
#endif
    else
        accept_next(acceptor);
    ctx.run();
}
