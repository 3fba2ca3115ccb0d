// SPDX-License-Identifier: BSL-1.0
//
// UDP echo on epoll, one thread: takes datagrams until there is none left. With `batch` it takes
// and sends up to 32 with one system call each (recvmmsg, sendmmsg).
#include "program.h"

#include <stdbool.h>
#include <sys/epoll.h>

enum { BATCH = 32, SIZE = 2048 };

static char buffers[BATCH][SIZE];
static struct sockaddr_in from[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];

static void expect(int count) {
    for (int i = 0; i < count; i++) {
        parts[i] = (struct iovec){buffers[i], SIZE};
        messages[i].msg_hdr = (struct msghdr
        ){.msg_name = &from[i],
          .msg_namelen = sizeof(from[i]),
          .msg_iov = &parts[i],
          .msg_iovlen = 1};
    }
}

// Gives how many datagrams there were.
static int echo_batch(int fd) {
    const int n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);

    if (n <= 0) return 0;
    for (int i = 0; i < n; i++)
        parts[i].iov_len = messages[i].msg_len;
    sendmmsg(fd, messages, (unsigned)n, MSG_DONTWAIT); // what does not fit is lost, as UDP is
    expect(n);
    return n;
}

static int echo_one(int fd) {
    socklen_t len = sizeof(from[0]);
    const ssize_t n = recvfrom(fd, buffers[0], SIZE, MSG_DONTWAIT, (struct sockaddr*)from, &len);

    if (n < 0) return 0;
    sendto(fd, buffers[0], (size_t)n, MSG_DONTWAIT, (struct sockaddr*)from, len);
    return 1;
}

int main(int argc, char** argv) {
    const bool batch = argc > 2 && !strcmp(argv[2], "batch");
    const int poller = epoll_create1(EPOLL_CLOEXEC), fd = bind_udp(argc > 1 ? atoi(argv[1]) : 9000);
    struct epoll_event event = {.events = EPOLLIN};

    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll", errno);
    expect(BATCH);
    for (;;) {
        if (epoll_wait(poller, &event, 1, -1) < 1) continue;
        while (batch ? echo_batch(fd) == BATCH : echo_one(fd))
            ;
    }
}
