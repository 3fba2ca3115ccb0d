// SPDX-License-Identifier: BSL-1.0
//
// The parts of the load: what it was told, how it connects, and what it prints. One thread, one
// ring; each kind of load is a file of its own that runs until its measured time is over and prints
// one JSON object.
#pragma once

#include "../yardsticks/pattern.h"
#include "../yardsticks/program.h"
#include "histogram.h"

#include <stdbool.h>

enum load_kind {
    LOAD_CLOSED_LOOP, // depth messages outstanding on each connection
    LOAD_IDLE,        // each connection is used once
    LOAD_UDP,         // as the closed loop, datagrams
    LOAD_SINK,        // one connection, the server takes a number of bytes
    LOAD_SOURCE,      // one connection, the server sends them
    LOAD_FIREHOSE,    // connections that say little, without and with one that never stops
};

struct options {
    enum load_kind kind;
    int port, conns, size, depth, cpu;
    int requests_per_connection; // 0: a connection is kept
    int mib;
    int pause_ms;             // of a trickle, between an answer and the next message
    double secs, warm, stall; // seconds; stall: without an answer, an error
    bool http, no_verify, until_close;
};
extern struct options opt;

extern unsigned char* pattern;
extern uint64_t wrong_answers;

void run_closed_loop(void);
void run_idle(void);
void run_datagrams(void);
void run_stream(void);
void run_firehose(void);

// A blocking connection to the server, from one of many loopback addresses: an address has 28,000
// ports, and each is blocked for a second or more after its connection was closed.
int open_socket(int type);
int open_conn(void);
struct sockaddr_in server_address(void);
void blocking_write(int fd, const char* p, size_t n);
void blocking_read(int fd, char* p, size_t n);
