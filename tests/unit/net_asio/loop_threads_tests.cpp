// SPDX-License-Identifier: BSL-1.0
//
// Threads around a context: it adds none, waits in one system call, and may be run by several.
#include "running.hpp"
#include "thread_facts.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coronet::asiox::loop_threads_tests {
namespace {

using namespace std::chrono_literals;
using test::comes_to_wait_in;
using test::running;
using test::tcp;

/// One of each of Asio's own objects, all waiting.
struct waiting_objects {
    explicit waiting_objects(net::io_context& context)
        : timer{context, 1h},
          listening{context, test::any_port()},
          socket{context},
          signals{context, SIGUSR1},
          pipe{context} {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        pipe.assign(ends[0]);
        writing_end = ends[1];
        socket.connect(listening.local_endpoint());
        timer.async_wait([](error_code) {});
        listening.accept();
        listening.async_accept([](error_code, const tcp::socket&) {});
        socket.async_read_some(net::buffer(bytes), [](error_code, std::size_t) {});
        signals.async_wait([](error_code, int) {});
        pipe.async_wait(net::posix::stream_descriptor::wait_read, [](error_code) {});
    }
    ~waiting_objects() { ::close(writing_end); }
    waiting_objects(const waiting_objects&) = delete;
    waiting_objects& operator=(const waiting_objects&) = delete;

    net::steady_timer timer;
    tcp::acceptor listening;
    tcp::socket socket;
    net::signal_set signals;
    net::posix::stream_descriptor pipe;
    int writing_end = -1;
    std::array<char, 16> bytes{};
};

TEST(asio_threads, AL1_none_is_added_for_any_object) {
    const auto before = test::thread_count();
    io_context context;
    const waiting_objects objects{context};
    context.poll();
    EXPECT_EQ(test::thread_count(), before);
}

TEST(asio_threads_on_a_ring, AL2_the_loop_waits_in_the_ring) {
    io_context context;
    const waiting_objects objects{context};
    const running loop{context};
    EXPECT_TRUE(comes_to_wait_in(loop.thread_id(), SYS_io_uring_enter));
}

TEST(asio_threads_on_a_ring, AL3_a_context_that_waits_is_not_woken) {
    io_context context;
    const waiting_objects objects{context};
    for (int i = 0; i < 3; ++i)
        context.poll(); // what is there at the beginning: Asio's epoll set is ready once
    const running loop{context};
    ASSERT_TRUE(comes_to_wait_in(loop.thread_id(), SYS_io_uring_enter));
    const long before = test::sleeps_of(loop.thread_id());
    std::this_thread::sleep_for(1s);
    EXPECT_EQ(test::sleeps_of(loop.thread_id()), before);
}

TEST(asio_threads, AL9_a_context_of_one_thread_may_be_made_filled_and_run_by_different_ones) {
    std::optional<io_context> context;
    std::thread{[&] { context.emplace(1); }}.join();
    std::optional<net::steady_timer> timer;
    error_code told = net::error::would_block;
    std::thread{[&] {
        timer.emplace(*context, 1ms);
        timer->async_wait([&told](error_code error) { told = error; });
    }}.join();
    std::thread{[&] { EXPECT_EQ(context->run(), 1u); }}.join();
    EXPECT_FALSE(told);
    context->restart();
    net::post(*context, [] {});
    EXPECT_EQ(context->run(), 1u); // by yet another
}

// ---- echo, by several threads ----

class echoing : public std::enable_shared_from_this<echoing> {
public:
    explicit echoing(tcp::socket peer) : peer_(std::move(peer)) {}
    void read() {
        peer_.async_read_some(
            net::buffer(bytes_),
            [self = shared_from_this()](error_code error, std::size_t count) {
                if (!error) self->write(count);
            }
        );
    }

private:
    void write(std::size_t count) {
        net::async_write(
            peer_, net::buffer(bytes_, count),
            [self = shared_from_this()](error_code error, std::size_t) {
                if (!error) self->read();
            }
        );
    }
    tcp::socket peer_;
    std::array<char, 64> bytes_{};
};

void accept(tcp::acceptor& listening, std::size_t count) {
    if (count == 0) return;
    listening.async_accept([&listening, count](error_code error, tcp::socket peer) {
        if (error) return;
        std::make_shared<echoing>(std::move(peer))->read();
        accept(listening, count - 1);
    });
}

/// Sends a number, wants it back, and so on until it has been enough.
class client {
public:
    client(net::io_context& context, std::atomic<bool>& enough)
        : socket_(context), enough_(enough) {}
    void start(const tcp::endpoint& server) {
        socket_.async_connect(server, [this](error_code error) {
            if (!error) send();
        });
    }
    [[nodiscard]] unsigned long rounds() const { return sent_; }
    [[nodiscard]] bool wrong() const { return wrong_; }

private:
    void send() {
        if (enough_ && sent_ > 0) {
            socket_.close();
            return;
        }
        ++sent_;
        net::async_write(
            socket_, net::buffer(&sent_, sizeof sent_),
            [this](error_code error, std::size_t) {
                if (error)
                    wrong_ = true;
                else
                    receive();
            }
        );
    }
    void receive() {
        net::async_read(
            socket_, net::buffer(&echoed_, sizeof echoed_),
            [this](error_code error, std::size_t) {
                if (error || echoed_ != sent_)
                    wrong_ = true;
                else
                    send();
            }
        );
    }
    tcp::socket socket_;
    std::atomic<bool>& enough_;
    unsigned long sent_ = 0;
    unsigned long echoed_ = 0;
    bool wrong_ = false;
};

TEST(asio_threads, AL8_four_run_a_context_with_a_thousand_sockets) {
    constexpr std::size_t clients = 500; // and as many accepted ones
    io_context context;
    tcp::acceptor listening{context, test::any_port()};
    listening.listen(1024);
    accept(listening, clients);
    std::atomic<bool> enough{false};
    std::vector<std::unique_ptr<client>> all;
    for (std::size_t i = 0; i < clients; ++i) {
        all.push_back(std::make_unique<client>(context, enough));
        all.back()->start(listening.local_endpoint());
    }
    net::steady_timer end{context, 1s};
    end.async_wait([&enough](error_code) { enough = true; });
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&context] { context.run(); });
    }
    for (const auto& each : all) {
        EXPECT_FALSE(each->wrong());
        EXPECT_GT(each->rounds(), 0u);
    }
}

// ---- signals ----

TEST(asio_threads, AL6_a_storm_of_signals_costs_no_completion) {
    struct sigaction counted {};
    struct sigaction before {};
    counted.sa_handler = [](int) {};
    ASSERT_EQ(::sigaction(SIGUSR2, &counted, &before), 0); // no SA_RESTART
    io_context context;
    tcp::acceptor listening{context, test::any_port()};
    accept(listening, 2); // one comes, the other is waited for
    std::atomic<bool> enough{false};
    client one{context, enough};
    one.start(listening.local_endpoint());
    net::steady_timer end{context, 1s};
    end.async_wait([&](error_code error) {
        EXPECT_FALSE(error);
        enough = true;
        listening.close();
    });
    std::atomic<bool> over{false};
    std::jthread storm{[&over, target = ::pthread_self()] {
        while (!over) {
            for (int i = 0; i < 100; ++i)
                ::pthread_kill(target, SIGUSR2);
            std::this_thread::sleep_for(1ms);
        }
    }};
    EXPECT_NO_THROW(context.run());
    over = true;
    storm.join();
    EXPECT_FALSE(one.wrong());
    EXPECT_GT(one.rounds(), 0u);
    ::sigaction(SIGUSR2, &before, nullptr);
}

// ---- a submission thread ----

TEST(asio_threads_on_a_ring, AL7_works_with_a_submission_thread) {
    scheduler_options options;
    options.driver = driver_choice::io_uring;
    options.sqpoll.emplace().idle = 1ms;
    io_context context{1, options};
    tcp::acceptor listening{context, test::any_port()};
    accept(listening, 2); // one comes, the other is waited for
    std::atomic<bool> enough{false};
    client one{context, enough};
    one.start(listening.local_endpoint());
    net::steady_timer end{context, 20ms};
    end.async_wait([&](error_code) { enough = true; });
    context.run_for(100ms); // the submission thread sleeps after the last echo
    EXPECT_GT(one.rounds(), 0u);
    EXPECT_FALSE(one.wrong());
    net::steady_timer later{context, 1ms};
    bool expired = false;
    later.async_wait([&](error_code error) {
        expired = !error;
        listening.close();
    });
    context.run();
    EXPECT_TRUE(expired);
}

} // namespace
} // namespace coronet::asiox::loop_threads_tests
