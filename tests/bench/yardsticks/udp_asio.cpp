// SPDX-License-Identifier: BSL-1.0
//
// UDP echo on Asio, one thread: 8 coroutines on one socket, each answers one datagram at a time,
// as Coronet's udp_echo has it. Usage: udp_asio PORT
#include <asio.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>

using asio::ip::udp;

static asio::awaitable<void> answer(udp::socket* socket) {
    std::array<char, 2048> buffer;
    udp::endpoint from;
    for (;;) {
        const std::size_t size =
            co_await socket->async_receive_from(asio::buffer(buffer), from, asio::use_awaitable);
        co_await socket->async_send_to(asio::buffer(buffer, size), from, asio::use_awaitable);
    }
}

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
    asio::io_context context(1);
    udp::socket socket(context, {asio::ip::address_v4::loopback(), port});
    for (int i = 0; i < 8; ++i)
        asio::co_spawn(context, answer(&socket), asio::detached);
    context.run();
}
