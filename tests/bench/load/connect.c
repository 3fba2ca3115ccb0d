// SPDX-License-Identifier: BSL-1.0
//
// Sockets of the load.
#include "load.h"

enum { ADDRESSES = 120 };

struct sockaddr_in server_address(void) {
    struct sockaddr_in addr = {.sin_family = AF_INET};

    addr.sin_port = htons((uint16_t)opt.port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

int open_socket(int type) {
    static uint32_t next;
    struct sockaddr_in from = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    if (fd < 0) die("socket", errno);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + next++ % ADDRESSES); // 127.0.0.2 and on
    if (type == SOCK_STREAM) {
        // The port is chosen by connect(2), which knows that a port serves many peers.
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    if (bind(fd, (struct sockaddr*)&from, sizeof(from)) < 0) die("bind", errno);
    return fd;
}

int open_conn(void) {
    const struct sockaddr_in to = server_address();
    int fd = open_socket(SOCK_STREAM);

    if (connect(fd, (const struct sockaddr*)&to, sizeof(to)) < 0) die("connect", errno);
    return fd;
}

void blocking_write(int fd, const char* p, size_t n) {
    while (n) {
        ssize_t r = write(fd, p, n);
        if (r <= 0) die("write", errno);
        p += r;
        n -= (size_t)r;
    }
}

void blocking_read(int fd, char* p, size_t n) {
    while (n) {
        ssize_t r = read(fd, p, n);
        if (r <= 0) die("read", r ? errno : EPIPE);
        p += r;
        n -= (size_t)r;
    }
}
