// SPDX-License-Identifier: BSL-1.0
//
// Minimal HTTP/1.1 on Asio, one thread: keep-alive, pipelining, a fixed 13-byte body. "coro" is
// co_spawn with use_awaitable, "callback" is a handler chain. Not a server for anything but
// benchmarks.
#include <asio.hpp>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

using asio::ip::tcp;

static const std::string& answer() {
    static std::string text;
    static std::time_t made = 0;
    timespec ts;
    clock_gettime(CLOCK_REALTIME_COARSE, &ts);
    if (ts.tv_sec != made) {
        char date[32];
        tm parts;
        made = ts.tv_sec;
        gmtime_r(&ts.tv_sec, &parts);
        std::strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        text = std::string("HTTP/1.1 200 OK\r\nServer: yardstick\r\nDate: ") + date +
               "\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
    }
    return text;
}

// Input not yet answered, and the answers being sent.
struct exchange {
    char in[4096];
    std::size_t have = 0;
    std::string out;

    // Take in n more bytes; false if one request does not fit.
    bool feed(std::size_t n) {
        std::size_t from = have > 3 ? have - 3 : 0, done = 0;
        have += n;
        out.clear();
        std::string_view all(in, have);
        for (std::size_t at; (at = all.find("\r\n\r\n", from)) != all.npos; from = done) {
            done = at + 4;
            out += answer();
        }
        have -= done;
        std::memmove(in, in + done, have);
        return have < sizeof(in);
    }
};

static asio::awaitable<void> session_coro(tcp::socket socket) {
    exchange x;
    try {
        for (;;) {
            std::size_t n = co_await socket.async_read_some(
                asio::buffer(x.in + x.have, sizeof(x.in) - x.have), asio::use_awaitable
            );
            if (!x.feed(n)) co_return;
            if (!x.out.empty())
                co_await asio::async_write(socket, asio::buffer(x.out), asio::use_awaitable);
        }
    } catch (const std::exception&) {
    }
}

static asio::awaitable<void> listen_coro(tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        socket.set_option(tcp::no_delay(true));
        asio::co_spawn(acceptor.get_executor(), session_coro(std::move(socket)), asio::detached);
    }
}

class session : public std::enable_shared_from_this<session> {
public:
    explicit session(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        socket_.async_read_some(
            asio::buffer(x_.in + x_.have, sizeof(x_.in) - x_.have),
            [self = shared_from_this()](std::error_code ec, std::size_t n) {
                if (ec || !self->x_.feed(n)) return;
                if (self->x_.out.empty())
                    self->read();
                else
                    self->write();
            }
        );
    }

private:
    void write() {
        asio::async_write(
            socket_, asio::buffer(x_.out),
            [self = shared_from_this()](std::error_code ec, std::size_t) {
                if (!ec) self->read();
            }
        );
    }

    tcp::socket socket_;
    exchange x_;
};

static void accept_next(tcp::acceptor& acceptor) {
    acceptor.async_accept([&](std::error_code ec, tcp::socket socket) {
        if (!ec) {
            socket.set_option(tcp::no_delay(true));
            std::make_shared<session>(std::move(socket))->read();
        }
        accept_next(acceptor);
    });
}

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s PORT coro|callback\n", argv[0]);
        return 2;
    }
    asio::io_context ctx(1);
    tcp::acceptor acceptor(
        ctx, {asio::ip::address_v4::loopback(), static_cast<unsigned short>(std::atoi(argv[1]))}
    );
    acceptor.listen(4096);
    if (std::strcmp(argv[2], "coro") == 0)
        asio::co_spawn(ctx, listen_coro(std::move(acceptor)), asio::detached);
    else
        accept_next(acceptor);
    ctx.run();
}
