#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
#
# Measures Coronet's sample servers beside C on liburing and beside Asio, interleaved. README.md beside
# this file says how to read the figures and what the exit codes mean.
import argparse
import os
import shutil
import subprocess
import sys

from harness import report, rounds
from harness.programs import ASIO, CORONET, EPOLL, FLOOR, Missing, Programs
from harness.run import instructions_of_echo, measure, measure_quietly
from harness.server import Failed

OK, GATE_MISSED, USAGE, SERVER_FAILED = 0, 1, 2, 3

# What the project holds itself to: CPU per request over C, throughput over Asio.
TARGETS = {"echo": dict(cpu=1.12, rps=1.15), "http": dict(cpu=1.20, rps=1.15)}


def measure_table(programs, protocol, options, servers):
    print(f"{protocol}: {', '.join(servers)} ", end="", file=sys.stderr, flush=True)
    runs = rounds.interleave(
        list(servers), options,
        lambda name: named(name, measure_quietly, programs, protocol, options, servers[name]),
        report.tick)
    print(file=sys.stderr)
    first = next(iter(servers))
    ratios = rounds.ratios(runs, first)
    if first != EPOLL and EPOLL in servers and ASIO in servers: # both on epoll: the fairer pair
        ratios += [each for each in rounds.ratios(runs, EPOLL) if each["to"] == ASIO]
    table = dict(protocol=protocol, rows=rounds.summary(runs), ratios=ratios, runs=runs)
    cpu = "one CPU" if options.one_cpu else "two CPUs"
    report.show_table(f"{protocol}: {options.conns} connections, {options.size} B, depth "
                      f"{options.depth}, {cpu}, {options.secs} s a run", table["rows"])
    report.show_ratios(table["ratios"])
    return table


def named(name, call, *arguments):
    """A failure that says whose it is."""
    try:
        return call(*arguments)
    except Failed as reason:
        raise Failed(f"{name}: {reason}") from None


def protocols(options):
    return [name for name in ("echo", "http") if not options.only or options.only == name]


def do_table(programs, options):
    tables = [measure_table(programs, protocol, options, programs.pick(protocol, options.server))
              for protocol in protocols(options)]
    report.write_json(options.json, "table", options, tables)
    if not options.gate:
        return OK
    missed = [line for table in tables for line in missed_targets(table)]
    for line in missed:
        print(f"missed: {line}")
    return GATE_MISSED if missed else OK


def missed_targets(table):
    target = TARGETS[table["protocol"]]
    for each in table["ratios"]:
        if each["of"] == EPOLL and table["protocol"] == "http" and each["rps"]["median"] < 1:
            yield f"http: throughput of {EPOLL} over {ASIO} must be at least x1"
        if each["of"] == EPOLL and table["protocol"] == "http" and each["cpu"]["median"] > 1:
            yield f"http: CPU per request of {EPOLL} over {ASIO} must be at most x1"
        if each["of"] != CORONET:
            continue
        if each["to"] == FLOOR and each["cpu"]["median"] > target["cpu"]:
            yield f"{table['protocol']}: CPU per request over {FLOOR} must be at most x{target['cpu']}"
        if each["to"] == ASIO and each["rps"]["median"] < target["rps"]:
            yield f"{table['protocol']}: throughput over {ASIO} must be at least x{target['rps']}"


def do_compare(programs, options):
    protocol = options.only or "echo"
    servers = {options.name_a: programs.fill(options.command_a),
               options.name_b: programs.fill(options.command_b)}
    table = measure_table(programs, protocol, options, servers)
    report.write_json(options.json, "compare", options, [table])
    seen = table["ratios"][0]
    too_dear = options.max_cpu and seen["cpu"]["median"] > options.max_cpu
    too_slow = options.min_rps and seen["rps"]["median"] < options.min_rps
    return GATE_MISSED if too_dear or too_slow else OK


def do_idle(programs, options):
    tables = []
    for protocol in protocols(options):
        rows = []
        print(f"\n{protocol}: memory of idle connections")
        for name, command in programs.pick(protocol, options.server).items():
            row = dict(name=name, **named(name, measure, programs, protocol, options, command, ["--idle"]))
            row["bytes_per_connection"] = 1024 * (row["rss_kb"] - row["rss_before_kb"]) / row["conns"]
            rows.append(row)
            print(f"{name:22} {row['conns']} connections: {row['bytes_per_connection']:6.0f} B each, rss "
                  f"{row['rss_before_kb']} -> {row['rss_kb']} kB, peak {row['hwm_kb']} kB, kernel slab "
                  f"+{row['slab_growth_kb']} kB")
        tables.append(dict(protocol=protocol, rows=rows))
    report.write_json(options.json, "idle", options, tables)
    return OK


def do_instructions(programs, options):
    if not shutil.which("valgrind"):
        raise Missing("valgrind is missing: apt-get install valgrind")
    servers = programs.pick("instructions", options.server)
    print("echo: instructions in user space per message")
    rows = []
    for name, command in servers.items():
        count = named(name, instructions_of_echo, programs, options, command, 3)
        rows.append(dict(name=name, instructions=count))
        print(f"{name:22}{count:9.0f}", flush=True)
    report.write_json(options.json, "instructions", options, [dict(protocol="echo", rows=rows)])
    return OK


def do_micro(programs, options):
    words = [programs.tool("micro_coro")]
    if options.json:
        words += [f"--benchmark_out={options.json}", "--benchmark_out_format=json"]
    return OK if subprocess.run(words).returncode == 0 else SERVER_FAILED


def parse(arguments):
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--build", default=default_build(), help="build folder (build/release)")
    common.add_argument("--echo", dest="only", action="store_const", const="echo", help="echo only")
    common.add_argument("--http", dest="only", action="store_const", const="http", help="HTTP only")
    common.add_argument("--conns", type=int, help="connections (64; idle: 10000)")
    common.add_argument("--size", type=int, default=64, help="bytes of an echo message (64)")
    common.add_argument("--depth", type=int, default=1, help="messages outstanding on a connection (1)")
    common.add_argument("--secs", type=float, default=0.5, help="measured seconds of a run (0.5)")
    common.add_argument("--warm", type=float, default=0.2, help="seconds before they begin (0.2)")
    common.add_argument("--rounds", type=int, default=9, help="rounds at least (9)")
    common.add_argument("--max-rounds", type=int, default=15, help="rounds at most (15)")
    common.add_argument("--stable", type=float, default=0.025,
                        help="stop once every CPU ratio spreads less (0.025)")
    common.add_argument("--foreign", type=float, default=0.15,
                        help="repeat a run when others took more of the machine (0.15)")
    common.add_argument("--retries", type=int, default=2, help="such repetitions (2)")
    common.add_argument("--two-cpus", dest="one_cpu", action="store_false",
                        help="server and load on a CPU each; the default is that they share one")
    common.add_argument("--json", metavar="FILE", help="write figures and single runs to FILE")

    parser = argparse.ArgumentParser(prog="bench", description=main.__doc__)
    modes = parser.add_subparsers(dest="mode", metavar="MODE", required=True)
    for mode, text in (("table", "throughput, latency, CPU and memory of every server (default)"),
                       ("idle", "memory of idle connections"),
                       ("instructions", "user-space instructions per echoed message, counted by callgrind")):
        each = modes.add_parser(mode, parents=[common], help=text)
        each.add_argument("server", nargs="*", help="a known server, or NAME=COMMAND with {port}")
        each.add_argument("--gate", action="store_true", help="exit 1 unless the project's targets are met")
    compare = modes.add_parser("compare", parents=[common], help="two servers of your own")
    for word in ("name_a", "command_a", "name_b", "command_b"):
        compare.add_argument(word)
    compare.add_argument("--max-cpu", type=float, help="exit 1 if A's CPU per request over B's is more")
    compare.add_argument("--min-rps", type=float, help="exit 1 if A's throughput over B's is less")
    modes.add_parser("micro", parents=[common], help="micro benchmarks of coroutines and scheduler")

    if not arguments or arguments[0] not in (*modes.choices, "-h", "--help"):
        arguments = ["table", *arguments]
    options = parser.parse_args(arguments)
    options.conns = options.conns or (10000 if options.mode == "idle" else 64)
    return options


def default_build():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(root, "build", "release")


def main():
    """Measures Coronet beside C on liburing and Asio. Without arguments: echo and HTTP, 64
    connections, one CPU, about two minutes."""
    options = parse(sys.argv[1:])
    modes = dict(table=do_table, compare=do_compare, idle=do_idle, instructions=do_instructions,
                 micro=do_micro)
    try:
        return modes[options.mode](Programs(options.build), options)
    except Missing as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return USAGE
    except Failed as reason:
        print(f"\nbench: {reason}", file=sys.stderr)
        return SERVER_FAILED


if __name__ == "__main__":
    sys.exit(main())
