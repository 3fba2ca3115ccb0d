// SPDX-License-Identifier: BSL-1.0
//
// A process with a name service of its own: /etc/hosts and /etc/resolv.conf are ours, and so is the
// name server, which is silent or knows nobody, in a network of its own. Only in a process that
// exists for that.
#pragma once

#include "support/temporary_directory.hpp"

#include <coronet/unique_fd.hpp>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

namespace coronet::test {

class name_service {
public:
    explicit name_service(std::string_view hosts = "127.0.0.1 localhost\n") {
        const auto own_hosts = files_.put("hosts", hosts);
        const auto resolv =
            files_.put("resolv.conf", "nameserver 127.0.0.77\noptions timeout:30 attempts:5\n");
        possible_ = ::unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 && switch_loopback_on() &&
                    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                    ::mount(own_hosts.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) == 0 &&
                    ::mount(resolv.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0 &&
                    listen();
    }
    ~name_service() {
        over_ = true;
        if (thread_.joinable()) thread_.join();
    }
    name_service(const name_service&) = delete;
    name_service& operator=(const name_service&) = delete;

    /// False: this process may not do such things.
    [[nodiscard]] bool possible() const { return possible_; }

    /// From here on every question is answered: there is no such name.
    void know_nobody() {
        thread_ = std::thread{[this] { answer(); }};
    }
    /// Whether somebody has asked, and waits. (Nobody reads the question.)
    [[nodiscard]] bool was_asked() const {
        pollfd waiting{socket_.get(), POLLIN, 0};
        return ::poll(&waiting, 1, 10'000) == 1;
    }

private:
    static bool switch_loopback_on() {
        const unique_fd any{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        ifreq loopback{};
        std::strcpy(loopback.ifr_name, "lo");
        loopback.ifr_flags = IFF_UP;
        return ::ioctl(any.get(), SIOCSIFFLAGS, &loopback) == 0;
    }
    bool listen() {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(53);
        ::inet_pton(AF_INET, "127.0.0.77", &at.sin_addr);
        socket_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        return ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
    }
    void answer() {
        std::array<unsigned char, 512> message{};
        while (!over_) {
            pollfd waiting{socket_.get(), POLLIN, 0};
            if (::poll(&waiting, 1, 20) != 1) continue;
            sockaddr_storage from{};
            socklen_t size = sizeof from;
            auto* peer = reinterpret_cast<sockaddr*>(&from);
            const auto got =
                ::recvfrom(socket_.get(), message.data(), message.size(), 0, peer, &size);
            if (got < 12) continue;
            message[2] |= 0x80; // an answer
            message[3] = 0x83;  // recursion was available; no such name
            static_cast<void>(::sendto(
                socket_.get(), message.data(), static_cast<std::size_t>(got), 0, peer, size
            ));
        }
    }

    temporary_directory files_;
    unique_fd socket_;
    bool possible_ = false;
    std::atomic<bool> over_{false};
    std::thread thread_;
};

} // namespace coronet::test
