// SPDX-License-Identifier: BSL-1.0
//
// Many operations on the ring's sockets at once: more than its queues hold, beside Asio's own, by
// several threads.
#include "native_pair.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <sys/resource.h>

namespace coronet::asiox::native_load_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;

scheduler_options tiny() {
    scheduler_options options;
    options.queue_depth = 8;
    return options;
}

TEST(asio_native_load, AL4_ten_thousand_operations_of_one_handler_end_on_a_ring_of_eight) {
    constexpr std::size_t count = 10'000;
    io_context context{1, tiny()};
    test::native_pair pair{context};
    std::vector<char> bytes(count);
    std::size_t ended = 0;
    std::size_t failed = 0;
    std::size_t read = 0;
    net::post(context, [&] {
        for (std::size_t i = 0; i < count; ++i)
            pair.one.async_read_some(buffer(&bytes[i], 1), [&](error_code error, std::size_t n) {
                ++ended;
                if (error) ++failed;
                read += n;
            });
        net::async_write(pair.other, net::const_buffer(bytes.data(), count / 2), net::detached);
    });
    while (read < count / 2 && context.run_one_for(10s) > 0) {
    }
    EXPECT_EQ(failed, 0u);
    pair.one.cancel();
    test::run_to_the_end(context);
    EXPECT_EQ(ended, count);
    EXPECT_EQ(failed, count - count / 2); // asked to end, each of them
}

TEST(asio_native_load, AL5_a_handler_that_dawdles_loses_no_completion) {
    constexpr std::size_t count = 10'000;
    io_context context{1, tiny()};
    test::native_pair pair{context};
    std::vector<char> bytes(count);
    std::size_t read = 0;
    for (std::size_t i = 0; i < count; ++i)
        pair.one.async_read_some(buffer(&bytes[i], 1), [&](error_code, std::size_t n) {
            if (read == 0) std::this_thread::sleep_for(100ms); // completions gather meanwhile
            read += n;
        });
    context.poll();
    std::jthread writer{[&] { net::write(pair.other, buffer(bytes)); }};
    test::run_to_the_end(context);
    EXPECT_EQ(read, count);
}

TEST(asio_native_load, AN9_a_thousand_connections_are_accepted) {
    constexpr int count = 1000;
    io_context context;
    const asiox::executor executor{context.get_executor()};
    asiox::tcp::acceptor listening{executor};
    listening.open(test::tcp::v4());
    listening.bind(test::any_port());
    listening.listen(count);
    const auto where = listening.local_endpoint();
    net::io_context others;
    std::vector<test::tcp::socket> clients;
    for (int i = 0; i < count; ++i) {
        clients.emplace_back(others);
        clients.back().open(test::tcp::v4());
        clients.back().native_non_blocking(true);
        error_code begun;
        clients.back().connect(where, begun);
    }
    std::vector<asiox::tcp::socket> accepted;
    std::function<void()> next = [&] {
        listening.async_accept([&](error_code error, asiox::tcp::socket peer) {
            if (error) return;
            accepted.push_back(std::move(peer));
            if (accepted.size() < count) next();
        });
    };
    next();
    test::run_to_the_end(context);
    EXPECT_EQ(accepted.size(), std::size_t{count});
}

TEST(asio_native_load, AN9_an_acceptor_goes_on_after_descriptors_had_run_out) {
    io_context context;
    const asiox::executor executor{context.get_executor()};
    asiox::tcp::acceptor listening{executor, test::any_port()};
    test::tcp::socket client{context};
    client.connect(listening.local_endpoint());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 3; // all that are open are above
    error_code refused;
    listening.async_accept([&refused](error_code error, const asiox::tcp::socket&) {
        refused = error;
    });
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    test::run_to_the_end(context);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(refused, net::error::no_descriptors);
    bool came = false;
    listening.async_accept([&came](error_code error, const asiox::tcp::socket&) { came = !error; });
    test::run_to_the_end(context);
    EXPECT_TRUE(came);
}

/// Sends a byte to and fro until it has been enough.
template <class Socket>
class ball {
public:
    ball(Socket& one, Socket& other, const bool& enough) : ends_{&one, &other}, enough_(enough) {
        hit();
    }
    [[nodiscard]] long count() const { return count_; }

private:
    void hit() {
        if (enough_) return;
        Socket& from = *ends_[static_cast<std::size_t>(count_ % 2)];
        Socket& to = *ends_[static_cast<std::size_t>((count_ + 1) % 2)];
        from.async_write_some(buffer("x", 1), net::detached);
        to.async_read_some(buffer(byte_), [this](error_code error, std::size_t) {
            if (error) return;
            ++count_;
            hit();
        });
    }
    std::array<Socket*, 2> ends_;
    const bool& enough_;
    std::array<char, 1> byte_{};
    long count_ = 0;
};

TEST(asio_native_load, AN14_sockets_of_the_ring_and_of_asio_take_turns) {
    io_context context{1};
    test::native_pair pair{context};
    test::tcp::acceptor listening{context, test::any_port()};
    test::tcp::socket one{context};
    test::tcp::socket other{context};
    one.connect(listening.local_endpoint());
    listening.accept(other);
    bool enough = false;
    ball<asiox::tcp::socket> native{pair.one, pair.other, enough};
    ball<test::tcp::socket> of_asio{one, other, enough};
    net::steady_timer end{context, 200ms};
    end.async_wait([&enough](error_code) { enough = true; });
    test::run_to_the_end(context);
    EXPECT_GT(native.count(), 0);
    EXPECT_GT(of_asio.count(), 0);
    EXPECT_LT(native.count(), 20 * of_asio.count());
    EXPECT_LT(of_asio.count(), 20 * native.count());
}

TEST(asio_native_load, AL8_four_threads_run_a_context_with_a_thousand_sockets) {
    constexpr int pairs = 500;
    io_context context;
    std::atomic<bool> enough{false};
    struct strung {
        explicit strung(io_context& context)
            : pair{context}, strand{net::make_strand(pair.executor)} {}
        void hit(const std::atomic<bool>* enough) {
            if (*enough) return;
            net::async_write(
                pair.one, buffer(&sent, sizeof sent),
                net::bind_executor(strand, [](error_code, std::size_t) {})
            );
            net::async_read(
                pair.other, buffer(&came, sizeof came),
                net::bind_executor(
                    strand,
                    [this, enough](error_code error, std::size_t) {
                        if (error || came != sent) {
                            wrong = true;
                            return;
                        }
                        ++sent;
                        hit(enough);
                    }
                )
            );
        }
        test::native_pair pair;
        net::strand<asiox::executor> strand;
        unsigned long sent = 1;
        unsigned long came = 0;
        bool wrong = false;
    };
    std::vector<std::unique_ptr<strung>> all;
    for (int i = 0; i < pairs; ++i) {
        all.push_back(std::make_unique<strung>(context));
        strung* each = all.back().get();
        net::post(each->strand, [each, &enough] { each->hit(&enough); });
    }
    net::steady_timer end{context, 1s};
    end.async_wait([&enough](error_code) { enough = true; });
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&context] { context.run(); });
    }
    for (const auto& each : all) {
        EXPECT_FALSE(each->wrong);
        EXPECT_GT(each->sent, 1u);
    }
}

} // namespace
} // namespace coronet::asiox::native_load_tests
