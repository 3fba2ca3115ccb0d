// SPDX-License-Identifier: BSL-1.0
//
// TCP echo on epoll, one thread, written by hand: level-triggered, one shared buffer that stays in
// the cache, accepts until there is none left. What a full socket does not take is kept with its
// connection, which is not read from meanwhile.
#include "program.h"

#include <stdbool.h>
#include <sys/epoll.h>

enum { BUFFER = 16384, MAX_CONNS = 32768, EVENTS = 512 };

struct unsent {
    char* bytes;
    size_t at, end;
};

static char buffer[BUFFER];
static struct unsent unsent[MAX_CONNS];
static int poller, listener;

static void watch(int how, int fd, uint32_t events) {
    struct epoll_event wanted = {.events = events, .data.fd = fd};

    if (epoll_ctl(poller, how, fd, &wanted) < 0) die("epoll_ctl", errno);
}

static void accept_all(void) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (fd >= MAX_CONNS) die("too many connections", EMFILE);
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

static void hang_up(int fd) {
    free(unsent[fd].bytes);
    unsent[fd] = (struct unsent){0};
    close(fd); // which takes it out of the poller, too
}

static void keep(int fd, const char* p, size_t n) {
    struct unsent* u = &unsent[fd];

    u->bytes = malloc(n);
    if (!u->bytes) die("malloc", ENOMEM);
    memcpy(u->bytes, p, n);
    u->at = 0;
    u->end = n;
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void send_kept(int fd) {
    struct unsent* u = &unsent[fd];
    const ssize_t sent = send(fd, u->bytes + u->at, u->end - u->at, MSG_NOSIGNAL);

    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
        hang_up(fd);
        return;
    }
    u->at += (size_t)sent;
    if (u->at < u->end) return;
    free(u->bytes);
    *u = (struct unsent){0};
    watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void echo(int fd) {
    const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        hang_up(fd);
        return;
    }
    ssize_t sent = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent == got) return;
    if (sent < 0 && errno != EAGAIN) {
        hang_up(fd);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    keep(fd, buffer + sent, (size_t)(got - sent));
}

int main(int argc, char** argv) {
    static struct epoll_event events[EVENTS];

    signal(SIGPIPE, SIG_IGN);
    raise_nofile();
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) die("epoll_create1", errno);
    listener = listen_tcp(argc > 1 ? atoi(argv[1]) : 9000);
    set_nonblocking(listener);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        const int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            const int fd = events[i].data.fd;
            if (fd == listener)
                accept_all();
            else if (unsent[fd].bytes)
                send_kept(fd);
            else
                echo(fd);
        }
    }
}
