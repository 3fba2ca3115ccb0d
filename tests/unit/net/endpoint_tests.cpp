// SPDX-License-Identifier: BSL-1.0
//
// The endpoint as a value: which texts are addresses and which are not, that text and value are two
// forms of one thing, and that the kernel agrees about both.
#include <coronet/net/endpoint.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include <arpa/inet.h>
#include <net/if.h>
#include <unistd.h>

namespace endpoint_tests {
namespace {

using namespace std::string_literals;
using coronet::address_errc;
using coronet::endpoint;

endpoint parsed(std::string_view text) {
    auto made = endpoint::parse(text);
    EXPECT_TRUE(made) << text << ": " << made.error().message();
    return made ? *made : endpoint{};
}

// A socket bound to an endpoint, for what only the kernel can tell.
class bound_socket {
public:
    explicit bound_socket(const endpoint& where)
        : fd_{::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)},
          failure_{::bind(fd_, where.data(), where.size()) < 0 ? errno : 0} {}
    bound_socket(const bound_socket&) = delete;
    bound_socket& operator=(const bound_socket&) = delete;
    ~bound_socket() { ::close(fd_); }

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] int failure() const { return failure_; }

private:
    int fd_;
    int failure_;
};

class temporary_directory {
public:
    temporary_directory() { EXPECT_NE(::mkdtemp(name_.data()), nullptr); }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory() { ::rmdir(name_.c_str()); }

    [[nodiscard]] const std::string& name() const { return name_; }

private:
    std::string name_ = "/tmp/coronet-XXXXXX";
};

struct accepted_case {
    std::string text;
    int family;
    std::uint16_t port;
    std::string printed; // empty: the same as text
};

TEST(endpoint, parses_and_prints_every_form) {
    const std::vector<accepted_case> cases{
        {"127.0.0.1:8080", AF_INET, 8080, ""},
        {"0.0.0.0:0", AF_INET, 0, ""},
        {"255.255.255.255:65535", AF_INET, 65535, ""},
        {"[::1]:8080", AF_INET6, 8080, ""},
        {"[::]:0", AF_INET6, 0, ""},
        {"[fe80::1%2]:80", AF_INET6, 80, ""},
        {"[fe80::1%4294967295]:80", AF_INET6, 80, ""},
        {"[2001:DB8:0:0:0:0:0:1]:443", AF_INET6, 443, "[2001:db8::1]:443"},
        {"[::ffff:1.2.3.4]:1", AF_INET6, 1, ""},
        {"unix:/run/app.sock", AF_UNIX, 0, ""},
        {"unix:relative.sock", AF_UNIX, 0, ""},
        {"unix:@name", AF_UNIX, 0, ""},
        {"unix:@", AF_UNIX, 0, ""},
        {"unix:@with\0nul"s, AF_UNIX, 0, ""},
        {"unix:", AF_UNIX, 0, ""},
        {"unix:" + std::string(108, 'p'), AF_UNIX, 0, ""},
        {"unix:@" + std::string(107, 'a'), AF_UNIX, 0, ""},
    };
    for (const auto& each : cases) {
        const endpoint made = parsed(each.text);
        EXPECT_EQ(made.family(), each.family) << each.text;
        EXPECT_EQ(made.port(), each.port) << each.text;
        EXPECT_EQ(made.to_string(), each.printed.empty() ? each.text : each.printed);
        EXPECT_EQ(parsed(made.to_string()), made) << each.text;
    }
}

struct refused_case {
    std::string text;
    address_errc reason;
};

TEST(endpoint, refuses_what_is_ambiguous_and_says_why) {
    const std::vector<refused_case> cases{
        {"", address_errc::malformed},
        {"localhost:80", address_errc::host_not_numeric},
        {"example.org", address_errc::host_not_numeric},
        {"8080", address_errc::host_not_numeric},
        {":8080", address_errc::host_not_numeric},
        {" 127.0.0.1:80", address_errc::host_not_numeric},
        {"127.1:80", address_errc::host_not_numeric},
        {"2130706433:80", address_errc::host_not_numeric},
        {"0177.0.0.1:80", address_errc::host_not_numeric},
        {"127.0.0.01:80", address_errc::host_not_numeric},
        {"0x7f.0.0.1:80", address_errc::host_not_numeric},
        {"256.0.0.1:80", address_errc::host_not_numeric},
        {"1.2.3:80", address_errc::host_not_numeric},
        {"1.2.3.4.5:80", address_errc::host_not_numeric},
        {"1.2.3.4\0:80"s, address_errc::host_not_numeric},
        {std::string(200, '1') + ":80", address_errc::host_not_numeric},
        {"127.0.0.1", address_errc::port_missing},
        {"127.0.0.1:", address_errc::port_invalid},
        {"127.0.0.1:080", address_errc::port_invalid},
        {"127.0.0.1:00", address_errc::port_invalid},
        {"127.0.0.1:+80", address_errc::port_invalid},
        {"127.0.0.1:-1", address_errc::port_invalid},
        {"127.0.0.1: 80", address_errc::port_invalid},
        {"127.0.0.1:80 ", address_errc::port_invalid},
        {"127.0.0.1:80x", address_errc::port_invalid},
        {"127.0.0.1:0x50", address_errc::port_invalid},
        {"127.0.0.1:65536", address_errc::port_invalid},
        {"127.0.0.1:99999999999999999999", address_errc::port_invalid},
        {"127.0.0.1:80\0"s, address_errc::port_invalid},
        {"127.0.0.1:80:90", address_errc::brackets_missing},
        {"::1:8080", address_errc::brackets_missing},
        {"::1", address_errc::brackets_missing},
        {"[::1", address_errc::malformed},
        {"[]:80", address_errc::host_not_numeric},
        {"[::1]", address_errc::port_missing},
        {"[::1]80", address_errc::malformed},
        {"[::1] :80", address_errc::malformed},
        {"[::1]:", address_errc::port_invalid},
        {"[127.0.0.1]:80", address_errc::host_not_numeric},
        {"[::1::]:80", address_errc::host_not_numeric},
        {"[12345::]:80", address_errc::host_not_numeric},
        {"[::1\0]:80"s, address_errc::host_not_numeric},
        {"[::1%]:80", address_errc::scope_unknown},
        {"[::1%0]:80", address_errc::scope_unknown},
        {"[::1%02]:80", address_errc::scope_unknown},
        {"[::1%4294967296]:80", address_errc::scope_unknown},
        {"[::1%no-such-if]:80", address_errc::scope_unknown},
        {"[::1%lo\0]:80"s, address_errc::scope_unknown},
        {"[::1%an-interface-name-that-is-too-long]:80", address_errc::scope_unknown},
        {"unix:/a\0b"s, address_errc::path_has_nul},
    };
    for (const auto& each : cases) {
        const auto made = endpoint::parse(each.text);
        ASSERT_FALSE(made) << each.text;
        EXPECT_EQ(made.error(), make_error_code(each.reason)) << each.text;
        EXPECT_EQ(made.error(), std::errc::invalid_argument) << each.text;
        EXPECT_NE(made.error().message(), "unknown address error") << each.text;
    }
}

TEST(endpoint, refuses_unix_names_that_do_not_fit) {
    for (const auto& text : {"unix:" + std::string(109, 'p'), "unix:@" + std::string(108, 'a')}) {
        const auto made = endpoint::parse(text);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error(), std::errc::filename_too_long);
    }
}

TEST(endpoint, tells_a_user_that_names_are_not_resolved) {
    const auto made = endpoint::parse("localhost:80");
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message().find("names are not resolved"), std::string::npos);
}

TEST(endpoint, takes_an_interface_name_as_scope) {
    const unsigned loopback = ::if_nametoindex("lo");
    if (loopback == 0) GTEST_SKIP() << "this machine has no interface named lo";
    EXPECT_EQ(
        parsed("[fe80::1%lo]:80").to_string(), "[fe80::1%" + std::to_string(loopback) + "]:80"
    );
}

TEST(endpoint, has_factories_for_the_usual_places) {
    EXPECT_EQ(endpoint::v4_loopback(80), parsed("127.0.0.1:80"));
    EXPECT_EQ(endpoint::v6_loopback(80), parsed("[::1]:80"));
    EXPECT_EQ(endpoint::any_v4(80), parsed("0.0.0.0:80"));
    EXPECT_EQ(endpoint::any_v6(80), parsed("[::]:80"));
}

TEST(endpoint, changes_its_port_and_nothing_else) {
    EXPECT_EQ(parsed("127.0.0.1:1").with_port(65535), parsed("127.0.0.1:65535"));
    EXPECT_EQ(parsed("[fe80::1%7]:1").with_port(2), parsed("[fe80::1%7]:2"));
    EXPECT_EQ(parsed("unix:/x").with_port(2), parsed("unix:/x"));
}

TEST(endpoint, gives_the_path_of_a_unix_file_only) {
    EXPECT_EQ(parsed("unix:/run/app.sock").path(), "/run/app.sock");
    EXPECT_EQ(parsed("unix:@name").path(), "");
    EXPECT_EQ(parsed("unix:").path(), "");
    EXPECT_EQ(parsed("127.0.0.1:1").path(), "");
}

TEST(endpoint, prints_a_path_that_looks_abstract_as_a_path) {
    const auto made = endpoint::unix_path("@file");
    ASSERT_TRUE(made);
    EXPECT_EQ(made->to_string(), "unix:./@file");
    EXPECT_EQ(parsed(made->to_string()).path(), "./@file");
}

TEST(endpoint, is_unspecified_until_given_an_address) {
    const endpoint none;
    EXPECT_EQ(none.family(), AF_UNSPEC);
    EXPECT_EQ(none.port(), 0);
    EXPECT_EQ(none.to_string(), "unspecified");
    EXPECT_EQ(endpoint::from(none.data(), none.size()).value(), none);
}

TEST(endpoint, takes_no_truncated_or_foreign_address) {
    const endpoint v4 = endpoint::v4_loopback(80);
    const endpoint v6 = endpoint::v6_loopback(80);
    EXPECT_EQ(endpoint::from(v4.data(), v4.size() - 1).error(), std::errc::invalid_argument);
    EXPECT_EQ(endpoint::from(v6.data(), v6.size() - 1).error(), std::errc::invalid_argument);
    EXPECT_EQ(endpoint::from(v4.data(), 1).error(), std::errc::invalid_argument);
    EXPECT_EQ(endpoint::from(v4.data(), 0).error(), std::errc::invalid_argument);
    sockaddr foreign{};
    foreign.sa_family = AF_PACKET;
    EXPECT_EQ(
        endpoint::from(&foreign, sizeof(foreign)).error(), std::errc::address_family_not_supported
    );
}

TEST(endpoint, ignores_padding_and_flow_label_of_the_kernel) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(80);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::memset(v4.sin_zero, 0xff, sizeof(v4.sin_zero));
    EXPECT_EQ(
        endpoint::from(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4)).value(),
        endpoint::v4_loopback(80)
    );
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(80);
    v6.sin6_flowinfo = 0x12345;
    v6.sin6_addr = in6addr_loopback;
    EXPECT_EQ(
        endpoint::from(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6)).value(),
        endpoint::v6_loopback(80)
    );
}

TEST(endpoint, compares_and_hashes_as_a_value) {
    const std::vector<std::string> texts{
        "127.0.0.1:1", "127.0.0.1:2", "127.0.0.2:1", "[::1]:1", "[::1%1]:1",
        "unix:/a",     "unix:@a",     "unix:@a\0"s,  "unix:",   "[::127.0.0.1]:1"};
    std::map<endpoint, std::string> ordered;
    std::unordered_set<endpoint> hashed;
    for (const auto& text : texts) {
        ordered[parsed(text)] = text;
        hashed.insert(parsed(text));
        hashed.insert(parsed(text));
    }
    EXPECT_EQ(ordered.size(), texts.size());
    EXPECT_EQ(hashed.size(), texts.size());
    for (const auto& text : texts)
        EXPECT_EQ(ordered[parsed(text)], text);
}

TEST(endpoint, is_understood_by_the_kernel) {
    for (const endpoint& any_port : {endpoint::v4_loopback(0), endpoint::v6_loopback(0)}) {
        const bound_socket socket{any_port};
        if (socket.failure() == EADDRNOTAVAIL) continue; // a machine without IPv6
        ASSERT_EQ(socket.failure(), 0) << any_port.to_string();
        const auto where = coronet::local_endpoint(socket.fd());
        ASSERT_TRUE(where);
        EXPECT_NE(where->port(), 0);
        EXPECT_EQ(where->with_port(0), any_port);
    }
}

TEST(endpoint, names_unix_sockets_as_the_kernel_does) {
    const temporary_directory directory;
    const std::string stem = directory.name() + "/";
    std::vector<endpoint> places{
        parsed("unix:" + stem + "s"),
        parsed("unix:" + stem + std::string(107 - stem.size(), 'n')),
        parsed("unix:" + stem + std::string(108 - stem.size(), 'n')),
        parsed("unix:@coronet-test-" + std::to_string(::getpid())),
        parsed("unix:@coronet\0test-"s + std::to_string(::getpid())),
    };
    for (const endpoint& place : places) {
        const bound_socket socket{place};
        ASSERT_EQ(socket.failure(), 0) << place.to_string();
        EXPECT_EQ(coronet::local_endpoint(socket.fd()).value(), place) << place.to_string();
        if (!place.path().empty()) {
            EXPECT_EQ(::unlink(std::string{place.path()}.c_str()), 0) << place.to_string();
        }
    }
}

TEST(endpoint, lets_bind_choose_a_unix_name) {
    const bound_socket socket{parsed("unix:")};
    ASSERT_EQ(socket.failure(), 0);
    const auto chosen = coronet::local_endpoint(socket.fd());
    ASSERT_TRUE(chosen);
    EXPECT_TRUE(chosen->to_string().starts_with("unix:@")) << chosen->to_string();
}

TEST(endpoint, reports_both_ends_of_a_pair_as_unnamed) {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    EXPECT_EQ(coronet::local_endpoint(pair[0]).value(), parsed("unix:"));
    EXPECT_EQ(coronet::remote_endpoint(pair[0]).value(), parsed("unix:"));
    ::close(pair[0]);
    ::close(pair[1]);
    EXPECT_EQ(coronet::remote_endpoint(pair[0]).error(), std::errc::bad_file_descriptor);
}

// A drawn address of any kind; equal seeds draw equal addresses.
class drawing {
public:
    explicit drawing(std::uint32_t seed) : random_{seed} {}

    std::uint32_t number() { return static_cast<std::uint32_t>(random_()); }
    std::uint32_t number(std::uint32_t below) { return number() % below; }

    endpoint address() {
        switch (number(4)) {
        case 0:
            return v4();
        case 1:
            return v6();
        case 2:
            return endpoint::unix_path("/" + bytes(number(107), 1)).value();
        default:
            return endpoint::unix_abstract(bytes(number(108), 0)).value();
        }
    }

    std::string text() {
        static constexpr std::string_view letters = "0123456789abcdef:::...[]%%@/unix \n";
        std::string drawn;
        for (auto left = number(40); left > 0; --left) {
            drawn += letters[number(static_cast<std::uint32_t>(letters.size()))];
        }
        return drawn;
    }

private:
    endpoint v4() {
        sockaddr_in raw{};
        raw.sin_family = AF_INET;
        raw.sin_port = static_cast<in_port_t>(number(65536));
        raw.sin_addr.s_addr = number();
        return endpoint::from(reinterpret_cast<const sockaddr*>(&raw), sizeof(raw)).value();
    }

    // Runs of zeros are what makes the text of IPv6 hard: every other group is one.
    endpoint v6() {
        sockaddr_in6 raw{};
        raw.sin6_family = AF_INET6;
        raw.sin6_port = static_cast<in_port_t>(number(65536));
        raw.sin6_scope_id = number(2) == 0 ? 0 : number();
        for (std::size_t group = 0; group < 16; group += 2) {
            if (number(2) == 0) continue;
            raw.sin6_addr.s6_addr[group] = static_cast<std::uint8_t>(number(256));
            raw.sin6_addr.s6_addr[group + 1] = static_cast<std::uint8_t>(number(256));
        }
        return endpoint::from(reinterpret_cast<const sockaddr*>(&raw), sizeof(raw)).value();
    }

    std::string bytes(std::uint32_t count, std::uint32_t lowest) {
        std::string drawn;
        while (drawn.size() < count)
            drawn += static_cast<char>(lowest + number(256 - lowest));
        return drawn;
    }

    std::mt19937 random_;
};

TEST(endpoint, comes_back_from_text_for_any_address) {
    for (std::uint32_t seed = 0; seed < 20'000; ++seed) {
        const endpoint drawn = drawing{seed}.address();
        const auto back = endpoint::parse(drawn.to_string());
        ASSERT_TRUE(back) << "seed " << seed << ": " << drawn.to_string();
        ASSERT_EQ(*back, drawn) << "seed " << seed << ": " << drawn.to_string();
        ASSERT_EQ(endpoint::from(drawn.data(), drawn.size()).value(), drawn) << "seed " << seed;
    }
}

TEST(endpoint, accepts_of_any_text_only_what_it_can_print_again) {
    for (std::uint32_t seed = 0; seed < 200'000; ++seed) {
        const std::string drawn = drawing{seed}.text();
        const auto made = endpoint::parse(drawn);
        if (!made) continue;
        ASSERT_EQ(endpoint::parse(made->to_string()).value(), *made)
            << "seed " << seed << ": " << drawn;
    }
}

} // namespace
} // namespace endpoint_tests
