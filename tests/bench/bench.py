#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
#
# Measures Coronet's sample servers beside C on liburing and beside Asio, interleaved. README.md beside
# this file says how to read the figures and what the exit codes mean.
import argparse
import os
import signal
import sys

from harness import acceptance, counts, documents, micro, report
from harness.locked import locked_instructions
from harness.programs import ASIO, CORONET, EPOLL, FLOOR, KNOWN, Missing, Programs
from harness.run import measure
from harness.server import Failed
from harness.tables import measure_counts, measure_table, measure_whole, named, with_settings

OK, GATE_MISSED, USAGE, SERVER_FAILED = 0, 1, 2, 3

# What a plain run with --gate holds the project to: CPU per request over C, throughput over Asio.
# The whole list is in harness/acceptance.py.
TARGETS = {"echo": dict(cpu=1.12, rps=1.15), "http": dict(cpu=1.20, rps=1.15)}


def protocols(options):
    return [options.only] if options.only else ["echo", "http"]


def do_table(programs, options):
    tables = [measure_table(programs, protocol, options,
                            programs.pick(protocol, options.server, options.size))
              for protocol in protocols(options)]
    report.write_json(options.json, "table", options, tables)
    if not options.gate:
        return OK
    missed = [line for table in tables for line in missed_targets(table)]
    for line in missed:
        print(f"missed: {line}")
    return GATE_MISSED if missed else OK


def missed_targets(table):
    protocol = table["protocol"]
    target = TARGETS.get(protocol, {})
    for each in table["ratios"]:
        if each["of"] == EPOLL and each["to"] == ASIO and protocol == "http":
            if each["rps"]["median"] < 1:
                yield f"http: throughput of {EPOLL} over {ASIO} must be at least x1"
            if each["cpu"]["median"] > 1:
                yield f"http: CPU per request of {EPOLL} over {ASIO} must be at most x1"
        if each["of"] != CORONET or not target:
            continue
        if each["to"] == FLOOR and each["cpu"]["median"] > target["cpu"]:
            yield f"{protocol}: CPU per request over {FLOOR} must be at most x{target['cpu']}"
        if each["to"] == ASIO and each["rps"]["median"] < target["rps"]:
            yield f"{protocol}: throughput over {ASIO} must be at least x{target['rps']}"


def do_compare(programs, options):
    protocol = options.only or "echo"
    servers = {options.name_a: programs.fill(options.command_a, options.size),
               options.name_b: programs.fill(options.command_b, options.size)}
    table = measure_table(programs, protocol, options, servers)
    report.write_json(options.json, "compare", options, [table])
    seen = table["ratios"][0]
    too_dear = options.max_cpu and seen["cpu"]["median"] > options.max_cpu
    too_slow = options.min_rps and seen["rps"]["median"] < options.min_rps
    return GATE_MISSED if too_dear or too_slow else OK


def do_all(programs, options):
    def chosen(name):
        return not options.name or name in options.name

    tables = measure_whole(programs, options, options.name)
    idle = idle_tables(programs, options) if chosen("idle") else []
    counted = measure_counts(programs, options) if chosen("counts") else []
    micros = micro.summary(micro.measure(programs, options, report.tick)) if chosen("micro") else []
    if micros:
        micro.show(micros)
    report.write_json(options.json, "all", options, tables, idle=idle, counted=counted, micro=micros)
    if options.docs:
        documents.write(options, tables, idle, counted, micros)
    return OK


def do_acceptance(programs, options):
    tables, rows, micros = acceptance.run(programs, options, options.line)
    report.write_json(options.json, "acceptance", options, tables, bounds=rows, micro=micros)
    return GATE_MISSED if any(each["met"] is False for each in rows) else OK


def idle_tables(programs, options):
    tables = []
    for protocol in protocols(options):
        rows = []
        print(f"\n{protocol}: memory of idle connections")
        for name, command in programs.pick(protocol, getattr(options, "server", [])).items():
            row = dict(name=name, **named(name, measure, programs, protocol,
                                          with_settings(options, conns=options.idle_conns), command,
                                          ["--idle"]))
            row["bytes_per_connection"] = acceptance.bytes_per_connection(row)
            rows.append(row)
            print(f"{name:22} {row['conns']} connections: {row['bytes_per_connection']:6.0f} B each, rss "
                  f"{row['rss_before_kb']} -> {row['rss_kb']} kB, peak {row['hwm_kb']} kB, kernel slab "
                  f"+{row['slab_growth_kb']} kB")
        tables.append(dict(protocol=protocol, rows=rows))
    return tables


def do_idle(programs, options):
    report.write_json(options.json, "idle", options, idle_tables(programs, options))
    return OK


def do_counts(programs, options, text, protocol, count):
    """One figure a server, counted."""
    rows = []
    print(f"{protocol}: {text}")
    known = "instructions" if options.mode in ("instructions", "locked") else protocol
    for name, command in programs.pick(known, options.server, options.size).items():
        figure = named(name, count, command)
        rows.append({"name": name, options.mode: figure})
        print(f"{name:22}{figure:12.4g}", flush=True)
    report.write_json(options.json, options.mode, options, [dict(protocol=protocol, rows=rows)])
    over = [each for each in rows if options.max is not None and each[options.mode] > options.max]
    for each in over:
        print(f"missed: {each['name']}: at most {options.max:g}")
    return GATE_MISSED if over else OK


def do_instructions(programs, options):
    return do_counts(programs, options, "instructions in user space per message", "echo",
                     lambda command: counts.instructions(programs, options, command, 0.3 if options.quick else 6 * options.secs))


def do_locked(programs, options):
    return do_counts(programs, options, "instructions that lock memory, executed per message", "echo",
                     lambda command: locked_instructions(programs, options, command,
                                                         0.3 if options.quick else options.secs))


def do_syscalls(programs, options):
    protocol = options.only or "echo"
    return do_counts(programs, options, "system calls per request", protocol,
                     lambda command: counts.system_calls(programs, protocol, options, command))


def do_allocations(programs, options):
    protocol = options.only or "echo"
    return do_counts(programs, options, "allocations per request", protocol,
                     lambda command: counts.allocations(programs, protocol, options, command))


def do_micro(programs, options):
    rows = micro.summary(micro.measure(programs, options, report.tick))
    micro.show(rows)
    report.write_json(options.json, "micro", options, [], micro=rows)
    missed = micro.missed(rows) if options.gate else []
    for line in missed:
        print(f"missed: {line}")
    return GATE_MISSED if missed else OK


def common_options():
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--build", default=default_build(), help="build folder (build/release)")
    common.add_argument("--echo", dest="only", action="store_const", const="echo", help="echo only")
    common.add_argument("--http", dest="only", action="store_const", const="http", help="HTTP only")
    common.add_argument("--load", dest="only", choices=[each for each in KNOWN if each != "instructions"],
                        help="this kind of load only")
    common.add_argument("--conns", type=int, help="connections (64; idle: 10000)")
    common.add_argument("--size", type=int, default=64, help="bytes of an echo message (64)")
    common.add_argument("--depth", type=int, default=1, help="messages outstanding on a connection (1)")
    common.add_argument("--mib", type=int, help="of a stream (1024) or a copied file")
    common.add_argument("--secs", type=float, help="measured seconds of a run (0.5)")
    common.add_argument("--warm", type=float, help="seconds before they begin (0.2)")
    common.add_argument("--stall", type=float, default=5, help="seconds without an answer that end a run (5)")
    common.add_argument("--rounds", type=int, help="rounds at least (9; acceptance: 15)")
    common.add_argument("--max-rounds", type=int, default=15, help="rounds at most (15)")
    common.add_argument("--stable", type=float, default=0.025,
                        help="stop once every CPU ratio spreads less (0.025)")
    common.add_argument("--foreign", type=float, default=0.15,
                        help="repeat a run when others took more of the machine (0.15)")
    common.add_argument("--retries", type=int, default=2, help="such repetitions (2)")
    common.add_argument("--one-cpu", action="store_true", default=True,
                        help="server and load share one CPU (the default)")
    common.add_argument("--two-cpus", dest="one_cpu", action="store_false", help="server and load on a CPU each")
    common.add_argument("--quick", action="store_true",
                        help="one tiny round of everything: whether it works, not how fast it is")
    common.add_argument("--gate", action="store_true", help="exit 1 unless the project's targets are met")
    common.add_argument("--json", metavar="FILE", help="write figures and single runs to FILE")
    return common


SERVER_MODES = {"table": "throughput, latency, CPU and memory of every server (default)",
                "idle": "memory of idle connections",
                "instructions": "user-space instructions per echoed message, counted by callgrind",
                "locked": "instructions that lock memory, per echoed message (callgrind, objdump)",
                "syscalls": "system calls per request, counted by perf or strace",
                "allocations": "calls of malloc per request"}


def parse(arguments):
    common = common_options()
    parser = argparse.ArgumentParser(prog="bench", description=main.__doc__)
    modes = parser.add_subparsers(dest="mode", metavar="MODE", required=True)
    for mode, text in SERVER_MODES.items():
        each = modes.add_parser(mode, parents=[common], help=text)
        each.add_argument("server", nargs="*", help="a known server, or NAME=COMMAND with {port}")
        if mode in ("instructions", "locked", "syscalls", "allocations"):
            each.add_argument("--max", type=float, help="exit 1 if a server has more")
    compare = modes.add_parser("compare", parents=[common], help="two servers of your own")
    for word in ("name_a", "command_a", "name_b", "command_b"):
        compare.add_argument(word)
    compare.add_argument("--max-cpu", type=float, help="exit 1 if A's CPU per request over B's is more")
    compare.add_argument("--min-rps", type=float, help="exit 1 if A's throughput over B's is less")
    modes.add_parser("micro", parents=[common], help="micro benchmarks of coroutines and scheduler")
    whole = modes.add_parser("all", parents=[common], help="the whole set; about 25 minutes")
    whole.add_argument("name", nargs="*", help="only tables whose name begins so; idle, counts, micro")
    whole.add_argument("--docs", metavar="DIR", help="write benchmarks.md, its chart and its data there")
    judged = modes.add_parser("acceptance", parents=[common], help="what the project holds itself to")
    judged.add_argument("--line", type=int, action="append", help="only this line of the list (1 to 8)")
    if not arguments or arguments[0] not in (*modes.choices, "-h", "--help"):
        arguments = ["table", *arguments]
    return with_defaults(parser.parse_args(arguments))


def with_defaults(options):
    def default(name, value, quick):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else value)
    options.idle_conns = options.conns or (50 if options.quick else 10000)
    default("conns", 64, 4)
    default("mib", 1024, 8)
    default("secs", 0.5, 0.05)
    default("warm", 0.2, 0.02)
    default("rounds", 15 if options.mode == "acceptance" else 9, 1)
    if options.quick:
        options.max_rounds, options.retries = options.rounds, 0
    return options


def default_build():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(root, "build", "release")


def main():
    """Measures Coronet beside C and Asio. Without arguments: echo and HTTP, 64 connections, one CPU,
    about two minutes."""
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # servers end, too
    modes = dict(table=do_table, compare=do_compare, idle=do_idle, instructions=do_instructions,
                 locked=do_locked, syscalls=do_syscalls, allocations=do_allocations, micro=do_micro, all=do_all,
                 acceptance=do_acceptance)
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
