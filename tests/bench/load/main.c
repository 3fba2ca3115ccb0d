// SPDX-License-Identifier: BSL-1.0
//
// Load for the servers of the benchmarks. Every byte that comes back is checked; the CPU clocks of
// the server are sampled at the edges of the measured window. Prints one JSON object.
#include "http.h"
#include "load.h"
#include "server_clocks.h"

#include <getopt.h>

enum { LONGEST_SEND = 1 << 18 }; // but for long messages

struct options opt = {
    .port = 9000,
    .conns = 64,
    .size = 64,
    .depth = 1,
    .cpu = -1,
    .mib = 1024,
    .pause_ms = 10,
    .stall = 5,
    .secs = 3,
    .warm = 0.5};
unsigned char* pattern;
uint64_t wrong_answers;

static const char usage[] =
    "usage: load [--port P] [--conns N] [--size B] [--depth D] [--secs S] [--warm S] [--http]\n"
    "  [--requests-per-connection N] [--idle | --udp | --sink | --source | --firehose]\n"
    "  [--mib N] [--pause MS] [--stall S] [--pid P,..] [--cpu C] [--no-verify] [--until-close]\n";

static const struct option names[] = {
    {"port", 1, 0, 'p'},
    {"conns", 1, 0, 'c'},
    {"size", 1, 0, 's'},
    {"depth", 1, 0, 'd'},
    {"secs", 1, 0, 't'},
    {"warm", 1, 0, 'w'},
    {"http", 0, 0, 'H'},
    {"idle", 0, 0, 'I'},
    {"udp", 0, 0, 'u'},
    {"sink", 0, 0, 'k'},
    {"source", 0, 0, 'S'},
    {"firehose", 0, 0, 'F'},
    {"mib", 1, 0, 'm'},
    {"stall", 1, 0, 'l'},
    {"pause", 1, 0, 'z'},
    {"requests-per-connection", 1, 0, 'r'},
    {"pid", 1, 0, 'P'},
    {"cpu", 1, 0, 'C'},
    {"no-verify", 0, 0, 'N'},
    {"until-close", 0, 0, 'U'},
    {0, 0, 0, 0}};

static bool set_number(int name, const char* text) {
    switch (name) {
    case 'p':
        opt.port = atoi(text);
        return true;
    case 'c':
        opt.conns = atoi(text);
        return true;
    case 's':
        opt.size = atoi(text);
        return true;
    case 'd':
        opt.depth = atoi(text);
        return true;
    case 't':
        opt.secs = atof(text);
        return true;
    case 'w':
        opt.warm = atof(text);
        return true;
    case 'l':
        opt.stall = atof(text);
        return true;
    case 'm':
        opt.mib = atoi(text);
        return true;
    case 'z':
        opt.pause_ms = atoi(text);
        return true;
    case 'r':
        opt.requests_per_connection = atoi(text);
        return true;
    case 'C':
        opt.cpu = atoi(text);
        return true;
    default:
        return false;
    }
}

static bool set_flag(int name) {
    switch (name) {
    case 'H':
        opt.http = true;
        return true;
    case 'N':
        opt.no_verify = true;
        return true;
    case 'U':
        opt.until_close = true;
        return true;
    case 'I':
        opt.kind = LOAD_IDLE;
        return true;
    case 'u':
        opt.kind = LOAD_UDP;
        return true;
    case 'k':
        opt.kind = LOAD_SINK;
        return true;
    case 'S':
        opt.kind = LOAD_SOURCE;
        return true;
    case 'F':
        opt.kind = LOAD_FIREHOSE;
        return true;
    default:
        return false;
    }
}

static void check_options(void) {
    if (opt.conns < 1 || opt.conns > 32768) die("--conns", EINVAL);
    if (opt.size < 1 || opt.depth < 1 || opt.mib < 1 || opt.pause_ms < 1 || opt.stall <= 0)
        die("load", EINVAL);
    if (opt.requests_per_connection < 0) die("--requests-per-connection", EINVAL);
    if (opt.requests_per_connection && opt.depth > 1)
        die("--requests-per-connection goes with depth 1", EINVAL);
}

static void parse(int argc, char** argv) {
    int name;

    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (name == 'P') {
            watch_processes(optarg);
        } else if (!set_flag(name) && !set_number(name, optarg)) {
            fputs(usage, stderr);
            exit(2);
        }
    }
    check_options();
}

int main(int argc, char** argv) {
    parse(argc, argv);
    raise_nofile();
    if (opt.cpu >= 0) pin_cpu(opt.cpu);
    signal(SIGPIPE, SIG_IGN);
    const size_t batch = (size_t)opt.size * (size_t)opt.depth;
    const size_t span = PRIME + (batch > LONGEST_SEND ? batch : LONGEST_SEND);
    pattern = malloc(span);
    fill_pattern(pattern, span);
    if (opt.http) http_probe(opt.depth);
    switch (opt.kind) {
    case LOAD_CLOSED_LOOP:
        run_closed_loop();
        break;
    case LOAD_IDLE:
        run_idle();
        break;
    case LOAD_UDP:
        run_datagrams();
        break;
    case LOAD_SINK:
    case LOAD_SOURCE:
        run_stream();
        break;
    case LOAD_FIREHOSE:
        run_firehose();
        break;
    }
    return wrong_answers ? 1 : 0;
}
