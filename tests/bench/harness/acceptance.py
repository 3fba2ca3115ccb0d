# SPDX-License-Identifier: BSL-1.0
#
# What the project holds itself to, and what is seen of it. A bound that is missed is measured once
# more with more rounds before it counts as missed.
import statistics
import sys

from . import counts, micro, report, rounds
from .programs import (ASIO, BUFFER, C_EPOLL, CORONET, EPOLL, FLOOR, FLOOR_AGAIN, KNOWN, NGINX, ONESHOT,
                       NESTED, READ_SOME, STREAM, TWO_SCHEDULERS)
from .run import measure
from .tables import measure_table, named, with_settings

MORE_ROUNDS = 25
AT_MOST, AT_LEAST = "at most", "at least"
BEST_OF_C = (FLOOR, "c liburing few buffers", "c liburing select", ONESHOT)


class Bound:
    """One figure of one table: a ratio of two servers, or a figure of one."""

    def __init__(self, line, text, mine, base, metric, limit, how=AT_MOST):
        self.line, self.text, self.mine, self.base = line, text, mine, base
        self.metric, self.limit, self.how = metric, limit, how

    def servers(self):
        return {self.mine, *([self.base] if isinstance(self.base, str) else self.base or ())}

    def look(self, runs):
        """What is seen of it, or None where a server is not there."""
        bases = [name for name in ([self.base] if isinstance(self.base, str) else self.base) if name in runs]
        if self.mine not in runs or not bases:
            return None
        best = min(bases, key=lambda name: statistics.median(run[self.metric] for run in runs[name]))
        return dict(rounds.ratio(runs, self.mine, best, self.metric), base=best)

    def met(self, seen):
        return seen <= self.limit if self.how == AT_MOST else seen >= self.limit


# Protocol, what is set otherwise than by default, and the bounds that are read from that table.
GROUPS = (
    ("echo", {}, (
        Bound(1, "echo: CPU over C, multishot", STREAM, FLOOR, "cpu_us", 1.03),
        Bound(1, "echo: throughput over C, multishot", STREAM, FLOOR, "rps", 0.98, AT_LEAST),
        Bound(1, "echo, read_some: CPU over C, one-shot", BUFFER, ONESHOT, "cpu_us", 1.03),
        Bound(2, "echo: CPU over Asio", STREAM, ASIO, "cpu_us", 0.75),
        Bound(2, "echo: throughput over Asio", STREAM, ASIO, "rps", 1.25, AT_LEAST),
        Bound(8, "echo on epoll: CPU over epoll in C", EPOLL, C_EPOLL, "cpu_us", 1.10))),
    ("echo", dict(conns=1000), (
        Bound(1, "echo, 1000 connections: CPU over C", STREAM, FLOOR, "cpu_us", 1.05),)),
    ("echo", dict(size=1024), (
        Bound(1, "echo, 1 KiB: CPU over C", STREAM, FLOOR, "cpu_us", 1.05),)),
    ("echo", dict(size=16384), (
        Bound(1, "echo, 16 KiB: CPU over the best C on the ring", READ_SOME, BEST_OF_C, "cpu_us", 1.03),
        Bound(1, "echo, 16 KiB: CPU over epoll in C", READ_SOME, C_EPOLL, "cpu_us", None))),
    ("echo", dict(conns=1), (
        Bound(1, "echo, 1 connection: p50 over C", STREAM, FLOOR, "p50_us", 1.05),)),
    ("http", {}, (
        Bound(3, "HTTP: CPU over C", CORONET, FLOOR, "cpu_us", 1.10),
        Bound(3, "HTTP: CPU over Asio", CORONET, ASIO, "cpu_us", 0.78),
        Bound(3, "HTTP: CPU over nginx", CORONET, NGINX, "cpu_us", 0.55),
        Bound(8, "HTTP on epoll: CPU over Asio", EPOLL, ASIO, "cpu_us", 0.85))),
    ("http", dict(depth=16), (
        Bound(3, "HTTP, depth 16: CPU over C", CORONET, FLOOR, "cpu_us", 1.40),)),
    ("echo", dict(one_cpu=False), (
        Bound(1, "echo, two CPUs: CPU over C, multishot", STREAM, FLOOR, "cpu_us", None),
        Bound(1, "echo, two CPUs: throughput over C, multishot", STREAM, FLOOR, "rps", None),
        Bound(2, "echo, two CPUs: CPU over Asio", STREAM, ASIO, "cpu_us", None),
        Bound(2, "echo, two CPUs: throughput over Asio", STREAM, ASIO, "rps", None))),
    ("echo", dict(one_cpu=False, free_cpus=True), (
        Bound(6, "echo, two schedulers over one, on two CPUs: throughput", TWO_SCHEDULERS, STREAM, "rps", None),
        Bound(6, "echo, two schedulers over one, on two CPUs: CPU", TWO_SCHEDULERS, STREAM, "cpu_us", None))),
    ("churn", {}, (
        Bound(4, "connect, 10 requests, close: throughput over epoll in C", STREAM, C_EPOLL, "rps", 1.0,
              AT_LEAST),)),
)


def row(line, text, limit, how, seen, met, spread=None, note=""):
    return dict(line=line, text=text, limit=limit, how=how, seen=seen, spread=spread, met=met, note=note)


def title_of(protocol, settings):
    if "free_cpus" in settings:
        return f"{protocol}, all CPUs"
    return ", ".join([protocol, *("two CPUs" if key == "one_cpu" else f"{key} {value}"
                                  for key, value in settings.items())])


def compared(programs, options, lines):
    tables, rows = [], []
    for protocol, settings, bounds in GROUPS:
        bounds = [each for each in bounds if not lines or each.line in lines]
        if not bounds:
            continue
        own = with_settings(options, **settings)
        wanted = set().union(*(each.servers() for each in bounds))
        if FLOOR in wanted:
            wanted.add(FLOOR_AGAIN)
        servers = programs.choose(protocol, [name for name in KNOWN[protocol] if name in wanted], own.size)
        title = title_of(protocol, settings)
        table = measure_table(programs, protocol, own, servers, title)
        if not options.quick and any_missed(bounds, table["runs"]):
            print("missed: once more, with more rounds", file=sys.stderr)
            more = with_settings(own, rounds=MORE_ROUNDS, max_rounds=MORE_ROUNDS)
            table = measure_table(programs, protocol, more, servers, title)
        tables.append(table)
        rows += [judged(each, table["runs"]) for each in bounds]
        rows += control(bounds[0].line, title, table["runs"])
    return tables, rows


def any_missed(bounds, runs):
    return any(row["met"] is False for row in (judged(each, runs) for each in bounds))


def judged(bound, runs):
    seen = bound.look(runs)
    if seen is None:
        return row(bound.line, bound.text, bound.limit, bound.how, None, None, note="not installed")
    met = None if bound.limit is None else bound.met(seen["median"])
    note = "" if isinstance(bound.base, str) else f"the best is {seen['base']}"
    return row(bound.line, bound.text, bound.limit, bound.how, seen["median"], met, seen["spread"], note)


def control(line, title, runs):
    if FLOOR not in runs or FLOOR_AGAIN not in runs:
        return []
    seen = rounds.ratio(runs, FLOOR_AGAIN, FLOOR, "cpu_us")
    return [row(line, f"  control, {title}: C over itself", None, AT_MOST, seen["median"], None, seen["spread"])]


def counted(programs, options, lines):
    rows = []
    if not lines or 1 in lines:
        one = programs.pick("instructions", [CORONET, NESTED])
        for name, limit in ((CORONET, 400), (NESTED, 525)):
            seen = named(name, counts.instructions, programs, options, one[name], 0.5 if options.quick else 3)
            rows.append(row(1, f"user instructions per echo, {name}", limit, AT_MOST, seen, seen <= limit))
        echo = programs.choose("echo", [STREAM])[STREAM]
        seen = counts.system_calls(programs, "echo", with_settings(options, secs=max(options.secs, 1.0)), echo)
        rows.append(row(1, "system calls per echo", 0.05, AT_MOST, seen, seen <= 0.05))
    if not lines or 7 in lines:
        for protocol, limit in (("echo", 600), ("http", 1024)):
            own = with_settings(options, conns=options.conns if options.quick else 10000)
            command = programs.choose(protocol, [CORONET])[CORONET]
            seen = bytes_per_connection(named(CORONET, measure, programs, protocol, own, command, ["--idle"]))
            rows.append(row(7, f"{protocol}: bytes of an idle connection", limit, AT_MOST, seen, seen <= limit))
            seen = counts.allocations(programs, protocol, options, command)
            rows.append(row(7, f"{protocol}: allocations per request", 0.001, AT_MOST, seen, seen <= 0.001))
    return rows


def bytes_per_connection(result):
    return 1024 * (result["rss_kb"] - result["rss_before_kb"]) / result["conns"]


def fairness(programs, options):
    """The growth of the trickles' p99, beside that of C in the same place."""
    settings = dict(one_cpu=False) if options.quick else dict(conns=100, one_cpu=False, secs=2.0)
    own = with_settings(options, **settings)
    servers = programs.choose("firehose", [STREAM, FLOOR, C_EPOLL])
    table = measure_table(programs, "firehose", own, servers, "a firehose beside trickles")
    rows = []
    for name in servers:
        values = [run["p99_growth"] for run in table["runs"][name]]
        seen, limit = statistics.median(values), 2.0 if name == STREAM else None
        met = seen <= limit if limit else None
        rows.append(row(7, f"p99 of trickles, with a firehose over without: {name}", limit, AT_MOST, seen, met,
                        rounds.spread(values)))
    return table, rows


def micros(programs, options):
    seen = micro.summary(micro.measure(programs, options, report.tick))
    micro.show(seen)
    rows = [row(5, each["text"] + ", over the bare one", each["bound"], AT_MOST, each["over_bare"]["median"],
                each["over_bare"]["median"] <= each["bound"], each["over_bare"]["spread"])
            for each in seen if each["bound"] and each["over_bare"]]
    return seen, rows


def run(programs, options, lines):
    tables, rows = compared(programs, options, lines)
    rows += counted(programs, options, lines)
    micro_rows = []
    if not lines or 5 in lines:
        micro_rows, more = micros(programs, options)
        rows += more
    if not lines or 7 in lines:
        table, more = fairness(programs, options)
        tables.append(table)
        rows += more
    rows.sort(key=lambda each: each["line"])
    show(rows)
    return tables, rows, micro_rows


def show(rows):
    print(f"\n{'line':5}{'what':62}{'bound':>14}{'seen':>10}{'+-':>7}  met")
    for each in rows:
        bound = "" if each["limit"] is None else f"{each['how']} {each['limit']:g}"
        seen = "n/a" if each["seen"] is None else f"{each['seen']:.3f}" if each["seen"] < 20 else f"{each['seen']:.0f}"
        spread = "" if each["spread"] is None else f"{100 * each['spread']:.1f}%"
        met = {True: "yes", False: "NO", None: ""}[each["met"]]
        print(f"{each['line']:<5}{each['text']:62}{bound:>14}{seen:>10}{spread:>7}  {met:4}{each['note']}")
