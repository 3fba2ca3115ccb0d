# SPDX-License-Identifier: BSL-1.0
#
# What a reader sees: a table a protocol, a line a ratio; and the same as JSON, with every run.
import json
import os
import platform
import sys

SCHEMA = 1


def show_table(title, rows):
    print(f"\n{title}")
    print(f"{'server':22}{'req/s':>9}{'p50 us':>8}{'p99 us':>8}{'cpu us/req':>12}{'user':>7}{'sys':>7}"
          f"{'rss kB':>9}{'srv %':>7}{'load %':>7}{'other %':>8}{'rounds':>7}")
    for row in rows:
        print(f"{row['name']:22}{row['rps']:9.0f}{row['p50_us']:8.0f}{row['p99_us']:8.0f}"
              f"{row['cpu_us']:12.3f}{row['user_us']:7.3f}{row['sys_us']:7.3f}{row['rss_kb']:9.0f}"
              f"{100 * row['server_util']:7.0f}{100 * row['load_util']:7.0f}"
              f"{100 * row['foreign_util']:8.0f}{row['rounds']:7d}")


def figure(ratio):
    return "     n/a     " if ratio is None else f"x{ratio['median']:.3f} +-{100 * ratio['spread']:4.1f}%"


def show_ratios(ratios):
    for each in ratios:
        print(f"{each['of']} / {each['to']}: cpu per request {figure(each['cpu'])}, throughput "
              f"{figure(each['rps'])}, p99 {figure(each['p99'])}, memory {figure(each['rss'])}")


def machine():
    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
                     platform.machine())
    return dict(kernel=platform.release(), cpu=model, cpus=len(os.sched_getaffinity(0)))


def write_json(path, mode, options, tables):
    if not path:
        return
    kept = ("conns", "size", "depth", "secs", "warm", "one_cpu", "rounds")
    data = dict(schema=SCHEMA, mode=mode, machine=machine(),
                settings={key: getattr(options, key) for key in kept}, tables=tables)
    with open(path, "w") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


def tick():
    print(".", end="", file=sys.stderr, flush=True)
