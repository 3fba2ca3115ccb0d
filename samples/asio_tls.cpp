// SPDX-License-Identifier: BSL-1.0
//
// TLS by Asio's ssl::stream over sockets on the ring: an echo server, and a client that sends what
// it reads from its standard input and prints what comes back.
//
//     openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext
//     subjectAltName=DNS:localhost
//         -keyout key.pem -out certificate.pem
//     asio_tls serve --certificate certificate.pem --key key.pem
//     echo hello | asio_tls send --trust certificate.pem
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <CLI/CLI.hpp>
#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/ssl.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

namespace {

using asio::use_awaitable;
using coronet::asiox::tcp;
using tls_stream = asio::ssl::stream<tcp::socket>;
using namespace asio::experimental::awaitable_operators;

asio::awaitable<void> echo(tls_stream peer) try {
    co_await peer.async_handshake(tls_stream::server, use_awaitable);
    std::array<char, 16384> buffer;
    asio::error_code end;
    for (;;) {
        auto reading = asio::redirect_error(use_awaitable, end);
        auto count = co_await peer.async_read_some(asio::buffer(buffer), reading);
        if (end) break;
        co_await asio::async_write(peer, asio::buffer(buffer, count), use_awaitable);
    }
    if (end == asio::error::eof) co_await peer.async_shutdown(use_awaitable);
} catch (const std::system_error& error) { // the peer has gone, or never spoke TLS
    std::fprintf(stderr, "asio_tls: a connection ended: %s\n", error.what());
}

/// `tls` is main()'s.
asio::awaitable<void> serve(tcp::acceptor listening, asio::ssl::context* tls) {
    for (;;) {
        auto peer = co_await listening.async_accept(use_awaitable);
        tls_stream stream{std::move(peer), *tls};
        asio::co_spawn(listening.get_executor(), echo(std::move(stream)), asio::detached);
    }
}

asio::awaitable<void> send(tls_stream server, tcp::endpoint to, std::string text) {
    co_await server.next_layer().async_connect(to, use_awaitable);
    co_await server.async_handshake(tls_stream::client, use_awaitable);
    std::string answer(text.size(), '\0');
    co_await (
        asio::async_write(server, asio::buffer(text), use_awaitable) &&
        asio::async_read(server, asio::buffer(answer), use_awaitable)
    );
    std::fwrite(answer.data(), 1, answer.size(), stdout);
    asio::error_code cut; // a server may close its end of the connection without a word
    co_await server.async_shutdown(asio::redirect_error(use_awaitable, cut));
}

void rethrow(std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
}

} // namespace

int main(int argc, char** argv) try {
    unsigned short port = 8443;
    std::string certificate;
    std::string key;
    std::string trust;
    std::string host = "localhost";
    CLI::App app{"TLS over Coronet's sockets, on 127.0.0.1"};
    app.require_subcommand(1);
    auto* serving = app.add_subcommand("serve", "echo what clients send");
    serving->add_option("--certificate", certificate, "a chain, in PEM")->required();
    serving->add_option("--key", key, "its private key, in PEM")->required();
    auto* sending = app.add_subcommand("send", "send standard input, and print the echo");
    sending->add_option("--trust", trust, "certificates of authorities, in PEM")->required();
    sending->add_option("--host", host, "that the certificate must name")->capture_default_str();
    for (auto* each : {serving, sending})
        each->add_option("--port", port, "0 picks one")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    spdlog::set_default_logger(spdlog::stderr_color_mt("asio_tls")); // the echo goes to stdout
    coronet::asiox::io_context context{1};
    const coronet::asiox::executor executor{context.get_executor()};
    const tcp::endpoint local{asio::ip::address_v4::loopback(), port};
    asio::ssl::context tls{
        serving->parsed() ? asio::ssl::context::tls_server : asio::ssl::context::tls_client};
    if (serving->parsed()) {
        tls.use_certificate_chain_file(certificate);
        tls.use_private_key_file(key, asio::ssl::context::pem);
        tcp::acceptor listening{executor, local};
        std::printf("listening on 127.0.0.1:%d\n", listening.local_endpoint().port());
        std::fflush(stdout);
        asio::co_spawn(executor, serve(std::move(listening), &tls), rethrow);
    } else {
        tls.load_verify_file(trust);
        tls.set_verify_mode(asio::ssl::verify_peer);
        tls.set_verify_callback(asio::ssl::host_name_verification{host});
        std::string text{std::istreambuf_iterator<char>{std::cin}, {}};
        asio::co_spawn(executor, send({executor, tls}, local, std::move(text)), rethrow);
    }
    asio::signal_set ending{context};
    if (serving->parsed()) {
        ending.add(SIGINT);
        ending.add(SIGTERM);
        ending.async_wait([&context](auto, auto) { context.stop(); });
    }
    context.run();
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "asio_tls: %s\n", error.what());
    return 1;
}
