// SPDX-License-Identifier: BSL-1.0
//
// Socket options against the kernel: what is set is what is read back, and what the kernel refuses
// is an error and not a crash.
#include <coronet/net/socket_options.hpp>

#include <gtest/gtest.h>

#include <chrono>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace socket_options_tests {
namespace {

using namespace std::chrono_literals;
using coronet::get_option;
using coronet::set_option;

class open_socket {
public:
    explicit open_socket(int family = AF_INET, int type = SOCK_STREAM)
        : fd_{::socket(family, type | SOCK_CLOEXEC, 0)} {}
    open_socket(const open_socket&) = delete;
    open_socket& operator=(const open_socket&) = delete;
    ~open_socket() { ::close(fd_); }

    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

template <class Option>
void expect_kept(int fd, const Option& option) {
    const auto set = set_option(fd, option);
    ASSERT_TRUE(set) << set.error().message();
    const auto got = get_option<Option>(fd);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->value(), option.value());
}

template <class Flag>
void expect_switchable(int fd) {
    expect_kept(fd, Flag{true});
    expect_kept(fd, Flag{false});
}

TEST(socket_options, flags_are_read_back_as_they_were_set) {
    const open_socket tcp;
    expect_switchable<coronet::reuse_address>(tcp.fd());
    expect_switchable<coronet::reuse_port>(tcp.fd());
    expect_switchable<coronet::no_delay>(tcp.fd());
    expect_switchable<coronet::keep_alive>(tcp.fd());
    const open_socket tcp6{AF_INET6};
    if (tcp6.fd() >= 0) expect_switchable<coronet::v6_only>(tcp6.fd());
    const open_socket udp{AF_INET, SOCK_DGRAM};
    expect_switchable<coronet::broadcast>(udp.fd());
}

TEST(socket_options, quick_ack_can_be_set_on_a_fresh_socket) {
    const open_socket tcp;
    expect_switchable<coronet::quick_ack>(tcp.fd());
}

TEST(socket_options, numbers_and_times_are_read_back_as_they_were_set) {
    const open_socket tcp;
    expect_kept(tcp.fd(), coronet::keep_idle{77s});
    expect_kept(tcp.fd(), coronet::keep_interval{11s});
    expect_kept(tcp.fd(), coronet::keep_count{5});
    expect_kept(tcp.fd(), coronet::user_timeout{1234ms});
    expect_kept(tcp.fd(), coronet::fast_open{16});
}

TEST(socket_options, defer_accept_is_rounded_up_to_a_retransmission) {
    const open_socket tcp;
    ASSERT_TRUE(set_option(tcp.fd(), coronet::defer_accept{5s}));
    const auto got = get_option<coronet::defer_accept>(tcp.fd());
    ASSERT_TRUE(got);
    EXPECT_GE(got->value(), 5s);
}

TEST(socket_options, buffer_sizes_read_back_doubled) {
    const open_socket tcp;
    ASSERT_TRUE(set_option(tcp.fd(), coronet::receive_buffer_size{8192}));
    ASSERT_TRUE(set_option(tcp.fd(), coronet::send_buffer_size{8192}));
    EXPECT_EQ(get_option<coronet::receive_buffer_size>(tcp.fd()).value().value(), 16384);
    EXPECT_EQ(get_option<coronet::send_buffer_size>(tcp.fd()).value().value(), 16384);
}

TEST(socket_options, linger_is_off_or_has_a_time) {
    const open_socket tcp;
    EXPECT_EQ(get_option<coronet::linger>(tcp.fd()).value().value(), std::nullopt);
    expect_kept(tcp.fd(), coronet::linger{0s});
    expect_kept(tcp.fd(), coronet::linger{7s});
    expect_kept(tcp.fd(), coronet::linger{});
}

TEST(socket_options, incoming_cpu_can_be_chosen) {
    const open_socket tcp;
    expect_kept(tcp.fd(), coronet::incoming_cpu{0});
}

TEST(socket_options, pending_error_is_none_on_a_fresh_socket) {
    const open_socket tcp;
    EXPECT_FALSE(get_option<coronet::pending_error>(tcp.fd()).value().value());
}

// Linux reports an ICMP answer to a datagram at once on loopback: the port was free a moment ago.
TEST(socket_options, pending_error_tells_what_happened_and_is_cleared) {
    const open_socket gone{AF_INET, SOCK_DGRAM};
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(where);
    auto* address = reinterpret_cast<sockaddr*>(&where);
    {
        const open_socket listener{AF_INET, SOCK_DGRAM};
        ASSERT_EQ(::bind(listener.fd(), address, size), 0);
        ASSERT_EQ(::getsockname(listener.fd(), address, &size), 0);
        ASSERT_EQ(::connect(gone.fd(), address, size), 0);
    }
    ASSERT_EQ(::send(gone.fd(), "x", 1, 0), 1);
    EXPECT_EQ(
        get_option<coronet::pending_error>(gone.fd()).value().value(), std::errc::connection_refused
    );
    EXPECT_FALSE(get_option<coronet::pending_error>(gone.fd()).value().value());
}

TEST(socket_options, failures_are_errors) {
    EXPECT_EQ(set_option(-1, coronet::no_delay{true}).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(get_option<coronet::no_delay>(-1).error(), std::errc::bad_file_descriptor);
    const open_socket local{AF_UNIX};
    EXPECT_FALSE(set_option(local.fd(), coronet::no_delay{true}));
    const open_socket tcp;
    EXPECT_EQ(set_option(tcp.fd(), coronet::keep_count{-1}).error(), std::errc::invalid_argument);
}

} // namespace
} // namespace socket_options_tests
