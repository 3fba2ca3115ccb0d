// SPDX-License-Identifier: BSL-1.0
//
// Closed-loop TCP load on one io_uring, one thread. Every connection keeps `depth` messages
// outstanding; a new one is sent for each one answered, and every byte that comes back is checked.
// The CPU clocks of the server are sampled at the edges of the measured window. Prints one JSON
// object.
#include "common.h"
#include "histogram.h"
#include "server_clocks.h"
#include "traffic.h"

#include <liburing.h>

#include <getopt.h>
#include <stdbool.h>
#include <sys/mman.h>

enum { OP_RECV, OP_SEND };

struct conn {
    int fd;
    uint32_t tx_pos, rx_pos; // position in the pattern (echo)
    uint32_t rx_part;        // bytes of the current answer already seen
    uint32_t to_send;        // messages waiting for the send in flight
    uint32_t send_len;       // bytes of the send in flight, 0 if none
    uint32_t t_head, t_tail;
    uint64_t* stamp; // send times, a ring of `depth` entries
    uint64_t done;
};

static int opt_port = 9000, opt_conns = 64, opt_size = 64, opt_depth = 1, opt_cpu = -1;
static double opt_secs = 3, opt_warm = 0.5;
static bool opt_http, opt_idle, opt_noverify, opt_until_close;

static struct io_uring ring;
static struct io_uring_buf_ring* br;
static char* bufs;
static unsigned n_bufs, buf_size, recycled;
static struct conn* conns;
static struct histogram latency;
static uint64_t now, errors;
static bool measuring, closed;

static struct io_uring_sqe* get_sqe(void) {
    struct io_uring_sqe* sqe;

    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

static void arm_recv(unsigned idx) {
    struct io_uring_sqe* sqe = get_sqe();

    io_uring_prep_recv_multishot(sqe, (int)idx, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = (uint64_t)idx << 8 | OP_RECV;
}

static void send_more(unsigned idx) {
    struct conn* c = &conns[idx];
    struct io_uring_sqe* sqe;
    const char* from;

    if (c->send_len || !c->to_send) return;
    for (uint32_t i = 0; i < c->to_send; i++) {
        c->stamp[c->t_tail] = now;
        c->t_tail = c->t_tail + 1 == (uint32_t)opt_depth ? 0 : c->t_tail + 1;
    }
    if (opt_http) {
        c->send_len = c->to_send * request_len;
        from = request;
    } else {
        c->send_len = c->to_send * (uint32_t)opt_size;
        from = pattern + c->tx_pos;
        c->tx_pos = (c->tx_pos + c->send_len) % PRIME;
    }
    c->to_send = 0;
    sqe = get_sqe();
    io_uring_prep_send(sqe, (int)idx, from, c->send_len, MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = (uint64_t)idx << 8 | OP_SEND;
}

static void on_data(unsigned idx, const char* p, uint32_t n) {
    struct conn* c = &conns[idx];
    uint32_t unit = opt_http ? answer_len : (uint32_t)opt_size;

    if (!opt_noverify &&
        !(opt_http ? verify_answers(p, c->rx_part, n) : verify_echo(p, &c->rx_pos, n)))
        errors++;
    c->rx_part += n;
    while (c->rx_part >= unit) {
        uint64_t lat = now - c->stamp[c->t_head];

        c->t_head = c->t_head + 1 == (uint32_t)opt_depth ? 0 : c->t_head + 1;
        c->rx_part -= unit;
        c->to_send++;
        if (measuring) {
            c->done++;
            histogram_add(&latency, lat);
        }
    }
    send_more(idx);
}

static void give_back(unsigned bid) {
    io_uring_buf_ring_add(
        br, bufs + (size_t)bid * buf_size, buf_size, (unsigned short)bid,
        io_uring_buf_ring_mask(n_bufs), (int)recycled++
    );
}

// The server has closed a connection: the end of the run, or an error.
static void lost(const char* what, int err) {
    if (!opt_until_close) die(what, err);
    closed = true;
}

static void on_cqe(const struct io_uring_cqe* cqe) {
    unsigned idx = (unsigned)(cqe->user_data >> 8);

    if ((cqe->user_data & 0xff) == OP_SEND) {
        struct conn* c = &conns[idx];
        if (cqe->res != (int)c->send_len) {
            lost("send", cqe->res < 0 ? cqe->res : EPIPE);
            return;
        }
        c->send_len = 0;
        send_more(idx);
        return;
    }
    if (cqe->res > 0) {
        unsigned bid = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        on_data(idx, bufs + (size_t)bid * buf_size, (uint32_t)cqe->res);
        give_back(bid);
    } else if (cqe->res != -ENOBUFS) {
        lost("recv", cqe->res ? cqe->res : EPIPE);
        return;
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) arm_recv(idx);
}

static void setup_ring(void) {
    struct io_uring_params p = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP,
        .cq_entries = 65536};
    struct io_uring_buf_reg reg = {0};
    int* fds = malloc(sizeof(int) * (size_t)opt_conns);
    int r = io_uring_queue_init_params(4096, &ring, &p);

    if (r < 0) die("io_uring_queue_init", r);
    io_uring_register_ring_fd(&ring);
    for (int i = 0; i < opt_conns; i++)
        fds[i] = conns[i].fd;
    if ((r = io_uring_register_files(&ring, fds, (unsigned)opt_conns)) < 0)
        die("register_files", r);
    free(fds);
    unsigned want = (unsigned)opt_conns * 2;
    for (n_bufs = 128; n_bufs < want && n_bufs < 32768; n_bufs *= 2)
        ;
    buf_size = (opt_http ? answer_len : (unsigned)opt_size) * (unsigned)opt_depth;
    buf_size = buf_size < 256 ? 256 : buf_size > 16384 ? 16384 : buf_size;
    br = mmap(
        NULL, n_bufs * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
    );
    bufs = mmap(
        NULL, (size_t)n_bufs * buf_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0
    );
    io_uring_buf_ring_init(br);
    reg.ring_addr = (uint64_t)(uintptr_t)br;
    reg.ring_entries = n_bufs;
    if ((r = io_uring_register_buf_ring(&ring, &reg, 0)) < 0) die("register_buf_ring", r);
    for (unsigned i = 0; i < n_bufs; i++)
        give_back(i);
    io_uring_buf_ring_advance(br, (int)recycled);
    recycled = 0;
}

// Open the connections, use each once, then report the server's memory.
static void run_idle(void) {
    unsigned long slab = slab_kb(), rss = status_sum("VmRSS");
    unsigned unit = opt_http ? answer_len : (unsigned)opt_size;
    unsigned req = opt_http ? request_len : (unsigned)opt_size;
    char* got = malloc(unit);

    for (int i = 0; i < opt_conns; i++) {
        conns[i].fd = open_conn(opt_port);
        blocking_write(conns[i].fd, opt_http ? request : pattern, req);
        blocking_read(conns[i].fd, got, unit);
    }
    free(got);
    usleep(500000);
    printf(
        "{\"mode\":\"idle\",\"conns\":%d,\"rss_kb\":%lu,\"rss_before_kb\":%lu,\"hwm_kb\":%lu,"
        "\"slab_growth_kb\":%ld}\n",
        opt_conns, status_sum("VmRSS"), rss, status_sum("VmHWM"), (long)(slab_kb() - slab)
    );
}

static void report(const struct sample* a, const struct sample* b) {
    double wall = (double)(b->wall - a->wall), n = latency.total ? (double)latency.total : 1;
    double server = (double)(b->server - a->server), self = (double)(b->self - a->self);
    double ut = (double)(b->utime - a->utime), st = (double)(b->stime - a->stime);
    double tick = 1e9 / (double)sysconf(_SC_CLK_TCK);
    double ncpu = (double)sysconf(_SC_NPROCESSORS_ONLN);
    double other =
        ncpu * wall - (double)(b->idle - a->idle + b->steal - a->steal) * tick - server - self;
    double user_share = ut + st > 0 ? ut / (ut + st) : 0;
    uint64_t least = UINT64_MAX, most = 0;

    for (int i = 0; i < opt_conns; i++) {
        least = conns[i].done < least ? conns[i].done : least;
        most = conns[i].done > most ? conns[i].done : most;
    }
    printf(
        "{\"mode\":\"%s\",\"conns\":%d,\"size\":%u,\"depth\":%d,\"secs\":%.3f,\"requests\":%llu,"
        "\"rps\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"errors\":%"
        "llu,"
        "\"least_per_conn\":%llu,\"most_per_conn\":%llu,"
        "\"cpu_us\":%.4f,\"user_us\":%.4f,\"sys_us\":%.4f,\"server_util\":%.3f,\"server_csw\":%.5f,"
        "\"load_cpu_us\":%.4f,\"load_util\":%.3f,\"foreign_util\":%.3f,\"steal_util\":%.3f,"
        "\"rss_kb\":%lu,\"hwm_kb\":%lu}\n",
        opt_http ? "http" : "echo", opt_conns, opt_http ? answer_len : (unsigned)opt_size,
        opt_depth, wall / 1e9, (unsigned long long)latency.total, n / wall * 1e9,
        percentile_us(&latency, 0.5), percentile_us(&latency, 0.99), percentile_us(&latency, 0.999),
        (double)latency.max / 1000.0, (unsigned long long)errors, (unsigned long long)least,
        (unsigned long long)most, server / n / 1000, server / n / 1000 * user_share,
        server / n / 1000 * (1 - user_share), server / wall, (double)(b->csw - a->csw) / n,
        self / n / 1000, self / wall, other / wall, (double)(b->steal - a->steal) * tick / wall,
        status_sum("VmRSS"), status_sum("VmHWM")
    );
}

static void run(void) {
    struct sample before = {0}, after;
    uint64_t t0, t1;

    for (int i = 0; i < opt_conns; i++)
        conns[i].fd = open_conn(opt_port);
    setup_ring();
    now = now_ns();
    t0 = now + (uint64_t)(opt_warm * 1e9);
    t1 = t0 + (uint64_t)(opt_secs * 1e9);
    for (int i = 0; i < opt_conns; i++) {
        arm_recv((unsigned)i);
        conns[i].to_send = (uint32_t)opt_depth;
        send_more((unsigned)i);
    }
    for (;;) {
        struct io_uring_cqe* cqe;
        struct __kernel_timespec ts = {.tv_sec = 5};
        unsigned head, n = 0;
        int r = io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &ts, NULL);

        if (r == -ETIME) die("stalled: no answer for 5 s", ETIME);
        now = now_ns();
        if (!measuring && now >= t0) {
            before = take_sample();
            now = now_ns();
            t1 = now + (uint64_t)(opt_secs * 1e9);
            measuring = true;
        } else if (measuring && (closed || now >= t1)) {
            break;
        }
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_cqe(cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
        if (recycled) {
            io_uring_buf_ring_advance(br, (int)recycled);
            recycled = 0;
        }
    }
    after = take_sample();
    report(&before, &after);
}

int main(int argc, char** argv) {
    static const struct option longopts[] = {
        {"port", 1, 0, 'p'},  {"conns", 1, 0, 'c'},     {"size", 1, 0, 's'},
        {"depth", 1, 0, 'd'}, {"secs", 1, 0, 't'},      {"warm", 1, 0, 'w'},
        {"http", 0, 0, 'H'},  {"idle", 0, 0, 'I'},      {"pid", 1, 0, 'P'},
        {"cpu", 1, 0, 'C'},   {"no-verify", 0, 0, 'N'}, {"until-close", 0, 0, 'U'},
        {0, 0, 0, 0}};
    int o;

    while ((o = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
        switch (o) {
        case 'p':
            opt_port = atoi(optarg);
            break;
        case 'c':
            opt_conns = atoi(optarg);
            break;
        case 's':
            opt_size = atoi(optarg);
            break;
        case 'd':
            opt_depth = atoi(optarg);
            break;
        case 't':
            opt_secs = atof(optarg);
            break;
        case 'w':
            opt_warm = atof(optarg);
            break;
        case 'H':
            opt_http = true;
            break;
        case 'I':
            opt_idle = true;
            break;
        case 'C':
            opt_cpu = atoi(optarg);
            break;
        case 'N':
            opt_noverify = true;
            break;
        case 'U':
            opt_until_close = true;
            break;
        case 'P':
            for (char* p = strtok(optarg, ","); p && n_pids < MAX_PIDS; p = strtok(NULL, ","))
                pids[n_pids++] = atoi(p);
            break;
        default:
            fprintf(
                stderr, "usage: load [--port P] [--conns N] [--size B] [--depth D] [--secs S] "
                        "[--warm S] [--http] [--idle] [--pid P,..] [--cpu C] [--no-verify] "
                        "[--until-close]\n"
            );
            return 2;
        }
    }
    if (opt_conns < 1 || opt_size < 1 || opt_depth < 1 || opt_conns > 32768) die("load", EINVAL);
    raise_nofile();
    if (opt_cpu >= 0) pin_cpu(opt_cpu);
    signal(SIGPIPE, SIG_IGN);
    conns = calloc((size_t)opt_conns, sizeof(*conns));
    make_pattern((size_t)opt_size * (size_t)opt_depth);
    for (int i = 0; i < opt_conns; i++) {
        conns[i].stamp = calloc((size_t)opt_depth, sizeof(uint64_t));
        conns[i].tx_pos = conns[i].rx_pos = (uint32_t)i * 7919u % PRIME;
    }
    if (opt_http) http_probe(opt_port, opt_depth);
    if (opt_idle)
        run_idle();
    else
        run();
    return errors ? 1 : 0;
}
