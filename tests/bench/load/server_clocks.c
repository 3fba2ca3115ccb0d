// SPDX-License-Identifier: BSL-1.0
#include "server_clocks.h"

#include "../yardsticks/program.h"

enum { MAX_PIDS = 64 };

static pid_t pids[MAX_PIDS];
static int n_pids;

void watch_processes(char* list) {
    for (char* p = strtok(list, ","); p && n_pids < MAX_PIDS; p = strtok(NULL, ","))
        pids[n_pids++] = atoi(p);
}

static void read_stat(pid_t pid, struct sample* s) {
    char path[64], line[4096], *p;
    unsigned long u = 0, k = 0;
    FILE* f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (!(f = fopen(path, "r"))) return;
    if (fgets(line, sizeof(line), f) && (p = strrchr(line, ')')) &&
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &k) == 2) {
        s->utime += u;
        s->stime += k;
    }
    fclose(f);
}

unsigned long status_sum(const char* key) {
    unsigned long sum = 0, v;
    char path[64], line[256], fmt[64];

    snprintf(fmt, sizeof(fmt), "%s: %%lu", key);
    for (int i = 0; i < n_pids; i++) {
        snprintf(path, sizeof(path), "/proc/%d/status", pids[i]);
        FILE* f = fopen(path, "r");
        if (!f) continue;
        while (fgets(line, sizeof(line), f))
            if (sscanf(line, fmt, &v) == 1) sum += v;
        fclose(f);
    }
    return sum;
}

static void read_machine(struct sample* s) {
    unsigned long idle, waiting, steal;
    char line[512], name[16], here[16];
    FILE* f = fopen("/proc/stat", "r");

    if (!f) return;
    snprintf(here, sizeof(here), "cpu%d", sched_getcpu());
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%15s %*u %*u %*u %lu %lu %*u %*u %lu", name, &idle, &waiting, &steal) !=
            4)
            continue;
        if (!strcmp(name, "cpu")) {
            s->idle = idle + waiting;
            s->steal = steal;
        } else if (!strcmp(name, here)) {
            s->idle_here = idle + waiting;
        }
    }
    fclose(f);
}

struct sample take_sample(void) {
    struct sample s = {0};
    struct timespec ts;
    clockid_t clk;

    for (int i = 0; i < n_pids; i++) {
        if (clock_getcpuclockid(pids[i], &clk) == 0 && clock_gettime(clk, &ts) == 0)
            s.server += (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
        read_stat(pids[i], &s);
    }
    s.csw = status_sum("voluntary_ctxt_switches");
    read_machine(&s);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    s.self = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    s.wall = now_ns();
    return s;
}

unsigned long slab_kb(void) {
    unsigned long v, sum = 0;
    char line[256];
    FILE* f = fopen("/proc/meminfo", "r");

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "SUnreclaim: %lu", &v) == 1) sum = v;
    if (f) fclose(f);
    return sum;
}

static void print_latency(const struct histogram* h) {
    printf(
        "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,", percentile_us(h, 0.5),
        percentile_us(h, 0.99), percentile_us(h, 0.999), (double)h->max / 1000.0
    );
}

void print_usage(
    const struct sample* from, const struct sample* to, double units,
    const struct histogram* latency
) {
    static const struct histogram none;
    const double wall = (double)(to->wall - from->wall), n = units > 0 ? units : 1;
    const double server = (double)(to->server - from->server);
    const double self = (double)(to->self - from->self);
    const double ut = (double)(to->utime - from->utime), st = (double)(to->stime - from->stime);
    const double user_share = ut + st > 0 ? ut / (ut + st) : 0;
    const double tick = 1e9 / (double)sysconf(_SC_CLK_TCK);
    const double steal = (double)(to->steal - from->steal) * tick;
    const double unused = (double)(to->idle - from->idle) * tick + steal;
    const double other = (double)sysconf(_SC_NPROCESSORS_ONLN) * wall - unused - server - self;

    const double idle_here = (double)(to->idle_here - from->idle_here) * tick;

    print_latency(latency ? latency : &none);
    printf(
        "\"secs\":%.3f,\"rps\":%.3f,\"cpu_us\":%.4f,\"user_us\":%.4f,\"sys_us\":%.4f,"
        "\"server_util\":%.3f,\"server_csw\":%.5f,\"load_cpu_us\":%.4f,\"load_util\":%.3f,"
        "\"idle_here\":%.3f,\"foreign_util\":%.3f,\"steal_util\":%.3f,\"rss_kb\":%lu,\"hwm_kb\":%"
        "lu",
        wall / 1e9, units / wall * 1e9, server / n / 1000, server / n / 1000 * user_share,
        server / n / 1000 * (1 - user_share), server / wall, (double)(to->csw - from->csw) / n,
        self / n / 1000, self / wall, idle_here / wall, other / wall, steal / wall,
        status_sum("VmRSS"), status_sum("VmHWM")
    );
}
