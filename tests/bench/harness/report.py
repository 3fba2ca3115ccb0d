# SPDX-License-Identifier: BSL-1.0
#
# What a reader sees: a table a protocol, a line a ratio; and the same as JSON, with every run.
import json
import os
import platform
import sys

SCHEMA = 2

# The columns of a table: heading, width, figure. Times are missing where nothing is asked and answered.
COLUMNS = (("p50 us", 8, lambda row: f"{row['p50_us']:.0f}"),
           ("p99 us", 8, lambda row: f"{row['p99_us']:.0f}"),
           ("cpu us", 10, lambda row: f"{row['cpu_us']:.3f}"),
           ("user", 7, lambda row: f"{row['user_us']:.2f}"),
           ("sys", 7, lambda row: f"{row['sys_us']:.2f}"),
           ("rss kB", 8, lambda row: f"{row['rss_kb']:.0f}"),
           ("srv %", 6, lambda row: f"{100 * row['server_util']:.0f}"),
           ("load %", 7, lambda row: f"{100 * row['load_util']:.0f}"),
           ("other %", 8, lambda row: f"{100 * row['foreign_util']:.0f}"),
           ("rounds", 7, lambda row: f"{row['rounds']}"))


def unit(protocol):
    return "MiB" if protocol in ("sink", "source", "copy") else "request"


def setting(protocol, options):
    """The setting of a table in words."""
    where = "one CPU" if options.one_cpu else "a CPU each"
    if getattr(options, "free_cpus", False):
        where = "all CPUs"
    if protocol == "copy":
        return f"{options.mib} MiB, one CPU"
    if protocol in ("sink", "source"):
        return f"1 connection, {options.mib} MiB, {where}"
    said = f"{options.conns} connections, "
    if protocol != "http":
        said += f"{options.size} B, "
    return f"{said}depth {options.depth}, {where}, {options.secs} s a run"


def plural(each):
    return "MiB" if each == "MiB" else each + "s"


def show_table(table):
    print(f"\n{table['title']}: {table['setting']}; cpu is that of the server per {table['unit']}")
    print(f"{'server':24}{plural(table['unit']) + '/s':>11}" + "".join(f"{name:>{width}}" for name, width, _ in COLUMNS))
    for row in table["rows"]:
        print(f"{row['name']:24}{row['rps']:11.0f}"
              + "".join(f"{figure(row):>{width}}" for _, width, figure in COLUMNS))
        if row.get("lost"):
            print(f"{'':24}{row['lost']:.0f} datagrams lost, {row['late']:.0f} late")
        if "p99_growth" in row:
            print(f"{'':24}p99 alone {row['quiet_p99_us']:.0f} us, with the firehose x{row['p99_growth']:.2f}; "
                  f"it poured {row['poured_mib']:.0f} MiB")


def show_counts(rows):
    print(f"\n{'of an echo':24}{'user instructions':>20}{'system calls':>15}{'allocations':>14}")
    for row in rows:
        print(f"{row['name']:24}{row['instructions']:20.0f}{row['system_calls']:15.3f}{row['allocations']:14.3f}")


def ratio_words(ratio):
    return "n/a" if ratio is None else f"x{ratio['median']:.3f} +-{100 * ratio['spread']:.1f}%"


def show_ratios(ratios):
    for each in ratios:
        said = f"{each['of']} / {each['to']}:"
        print(f"{said:46} cpu {ratio_words(each['cpu']):16} throughput {ratio_words(each['rps']):16} "
              f"p99 {ratio_words(each['p99']):16} memory {ratio_words(each['rss'])}")


def machine(compiler=None):
    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
                     platform.machine())
    return dict(kernel=platform.release(), cpu=model, cpus=len(os.sched_getaffinity(0)), compiler=compiler)


def compiler_of(build):
    """The C++ compiler that the build folder was configured with, and its version."""
    path = os.path.join(build, "CMakeFiles")
    for version in sorted(os.listdir(path) if os.path.isdir(path) else [], reverse=True):
        about = os.path.join(path, version, "CMakeCXXCompiler.cmake")
        if not os.path.isfile(about):
            continue
        with open(about) as lines:
            found = dict(line[4:-2].split(" ", 1) for line in lines
                         if line.startswith(("set(CMAKE_CXX_COMPILER_ID ", "set(CMAKE_CXX_COMPILER_VERSION ")))
        return " ".join(value.strip('"') for value in found.values())
    return None


def write_json(path, mode, options, tables, **more):
    if not path:
        return
    kept = ("conns", "size", "depth", "secs", "warm", "mib", "one_cpu", "rounds")
    data = dict(schema=SCHEMA, mode=mode, machine=machine(compiler_of(options.build)),
                settings={key: getattr(options, key) for key in kept}, tables=tables, **more)
    with open(path, "w") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


def tick():
    print(".", end="", file=sys.stderr, flush=True)
