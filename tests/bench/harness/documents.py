# SPDX-License-Identifier: BSL-1.0
#
# The page of figures: benchmarks.md, two charts, and the data they were made from. All of it is
# written anew by `./dev bench all --docs docs`.
import json
import os
from datetime import date

from . import charts, report
from .programs import FLOOR_AGAIN

CHARTED = ("echo", "echo, 16 KiB", "http", "connect, 10 requests, close", "datagrams", "1 GiB received",
           "file copy")
KEPT = ("rps", "p50_us", "p99_us", "cpu_us", "foreign_util", "p99_growth", "lost")  # of a single run

HEAD = """# Benchmarks

<!-- Written by `./dev bench all --docs docs`. Do not edit. -->

What Coronet costs beside the same server in C on liburing, in C on epoll, on Asio, libuv and nginx:
one thread a server, over the loopback. [All figures](benchmarks/figures.json), every run.

{machine}; {day}.

![CPU per request](benchmarks/cpu.svg)

![Throughput](benchmarks/throughput.svg)

## How this was measured

- A closed loop: every connection has `depth` requests outstanding and sends a new one for each answer.
  Every byte that comes back is checked.
- Where a table says "one CPU", server and load take turns on one, and CPU per request is the server's
  own clock: other work on the machine takes time away but is not counted, nor in the throughput.
- Each round runs every server of a table once, in random order. A ratio is the median of the ratios
  inside the rounds, ± half its interquartile range. The table itself shows medians over the rounds; do
  not compare figures of different tables, between which the machine's speed drifts.
- "{again}" is the program "c liburing" measured as if it were another: what differs from 1.00 there is
  noise.
- `c liburing` uses a multishot receive and a ring of provided buffers, `c liburing oneshot` a receive
  into the connection's buffer; both only echo, or only look for the end of a request. Neither has
  timeouts, cancellation or error reports.

More, and how to run it yourself: [tests/bench](../tests/bench/README.md).
"""


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def ratio(each, digits=2):
    return "" if each is None else f"{each['median']:.{digits}f} ± {100 * each['spread']:.0f} %"


def markdown(heading, rows):
    lines = ["| " + " | ".join(heading) + " |", "|" + "|".join([" --- "] + [" ---: "] * (len(heading) - 1)) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def has_latency(table):
    return any(row["p50_us"] for row in table["rows"])


def table_section(table):
    per = table["unit"]
    first = table["rows"][0]["name"]
    over = {each["to"]: each for each in table["ratios"] if each["of"] == first}
    latency = has_latency(table)
    heading = ["server", f"{report.plural(per)}/s", f"CPU µs per {per}", *(["p50 µs", "p99 µs"] if latency else []),
               f"CPU of {first} over it", "throughput over it"]
    rows = []
    for row in table["rows"]:
        each = over.get(row["name"])
        rows.append([row["name"], number(row["rps"]), number(row["cpu_us"]),
                     *([f"{row['p50_us']:.0f}", f"{row['p99_us']:.0f}"] if latency else []),
                     ratio(each and each["cpu"]), ratio(each and each["rps"])])
    text = f"## {table['title'][0].upper()}{table['title'][1:]}\n\n{table['setting']}.\n\n" + markdown(heading, rows)
    return text + growth(table)


def growth(table):
    """Of trickles beside a firehose."""
    rows = [[row["name"], f"{row['quiet_p99_us']:.0f}", f"{row['p99_us']:.0f}", f"{row['p99_growth']:.2f}"]
            for row in table["rows"] if "p99_growth" in row]
    return "\n" + markdown(["server", "p99 µs alone", "p99 µs with the firehose", "ratio"], rows) if rows else ""


def idle_section(tables):
    rows = [[table["protocol"], row["name"], str(row["conns"]), f"{row['bytes_per_connection']:.0f}"]
            for table in tables for row in table["rows"]]
    return ("## Idle connections\n\nGrowth of the server's resident memory, after each connection was used "
            "once.\n\n" + markdown(["protocol", "server", "connections", "bytes each"], rows)) if rows else ""


def counts_section(rows):
    return ("## Counted\n\nOf an echo of 64 B, 64 connections. Instructions are those in user space.\n\n"
            + markdown(["server", "instructions", "system calls", "allocations"],
                       [[row["name"], f"{row['instructions']:.0f}", f"{row['system_calls']:.3f}",
                         f"{row['allocations']:.3f}"] for row in rows])) if rows else ""


def micro_section(rows):
    def time(row, who):
        return f"{row['ns'][who]:,.1f}" if who in row["ns"] else ""

    if not rows:
        return ""
    shown = [row for row in rows if "coronet" in row["ns"]]
    return ("## Micro\n\nNanoseconds an operation. \"bare\" is the ring, the C++ coroutine or the heap without "
            "a library.\n\n"
            + markdown(["", "coronet", "bare", "asio", "over bare", "over Asio"],
                       [[row["text"], time(row, "coronet"), time(row, "bare"), time(row, "asio"),
                         ratio(row["over_bare"]), ratio(row["over_asio"])] for row in shown]))


def panels(tables, key, label):
    chosen = []
    for table in tables:
        if table["title"] not in CHARTED:
            continue
        lines = [(row["name"], row[key], number(row[key]), row["name"].startswith("coronet"))
                 for row in table["rows"] if row["name"] != FLOOR_AGAIN]
        per = table["unit"]
        chosen.append((f"{table['title']}: {label.format(unit=per, units=report.plural(per))}", sorted(lines, key=lambda line: line[1])))
    return chosen


def rounded(value):
    """Four digits are more than was measured."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def data(options, tables, idle, counted, micros):
    slim = [dict(table, runs={name: [{key: run[key] for key in KEPT if key in run} for run in each]
                              for name, each in table["runs"].items()}) for table in tables]
    return dict(schema=report.SCHEMA, machine=report.machine(report.compiler_of(options.build)),
                rounds=options.rounds, tables=slim, idle=idle, counted=counted, micro=micros)


def machine_words(about):
    words = f"{about['cpu']}, {about['cpus']} CPUs, Linux {about['kernel']}"
    return words + (f", {about['compiler'].replace('GNU', 'g++')}" if about["compiler"] else "")


def page(about, tables, idle, counted, micros):
    head = HEAD.format(machine=machine_words(about), day=date.today().isoformat(), again=FLOOR_AGAIN)
    sections = [table_section(table) for table in tables] + [idle_section(idle), counts_section(counted),
                                                            micro_section(micros)]
    return head + "\n" + "\n".join(section for section in sections if section)


def write(options, tables, idle, counted, micros):
    folder = os.path.join(options.docs, "benchmarks")
    os.makedirs(folder, exist_ok=True)
    raw = data(options, tables, idle, counted, micros)
    files = {os.path.join(folder, "figures.json"): json.dumps(rounded(raw), separators=(",", ":")) + "\n",
             os.path.join(folder, "cpu.svg"): charts.bars(panels(tables, "cpu_us", "CPU µs per {unit}")),
             os.path.join(folder, "throughput.svg"): charts.bars(panels(tables, "rps", "{units} per second")),
             os.path.join(options.docs, "benchmarks.md"): page(raw["machine"], tables, idle, counted, micros)}
    for path, text in files.items():
        with open(path, "w") as file:
            file.write(text)
