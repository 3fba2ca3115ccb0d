# SPDX-License-Identifier: BSL-1.0
#
# Tables: which are measured beside each other in which setting, and measuring one.
import argparse
import sys

from . import counts, report, rounds
from .programs import (ASIO, ASIO_URING, C_EPOLL, CORONET, EPOLL, FLOOR, FLOOR_AGAIN, LIBUV, NESTED,
                       NGINX, ONESHOT, READ_SOME, TWO_SCHEDULERS)
from .run import measure_quietly
from .server import Failed

# The whole set, in the order of the documentation. A table is a protocol, what is set otherwise than
# by default, and its servers; a server is left out where its program is optional and missing.
ECHO = (CORONET, FLOOR, FLOOR_AGAIN, ONESHOT, C_EPOLL, EPOLL, ASIO, ASIO_URING, LIBUV)
HTTP = (CORONET, FLOOR, FLOOR_AGAIN, EPOLL, ASIO, ASIO_URING, NGINX)
LONG = (CORONET, READ_SOME, FLOOR, FLOOR_AGAIN, "c liburing few buffers", "c liburing select", ONESHOT,
        C_EPOLL, ASIO, LIBUV)
STREAMS = (CORONET, FLOOR, FLOOR_AGAIN, EPOLL, ASIO, ASIO_URING)
WHOLE = {
    "echo": ("echo", {}, ECHO),
    "echo, 1 connection": ("echo", dict(conns=1), ECHO),
    "echo, 16 connections": ("echo", dict(conns=16), ECHO),
    "echo, 1000 connections": ("echo", dict(conns=1000), ECHO),
    "echo, 1 KiB": ("echo", dict(size=1024), ECHO),
    "echo, 16 KiB": ("echo", dict(size=16384), LONG),
    "echo, a program for Asio": ("echo", {}, ("asio native", "asio native streams", "asio on coronet", ASIO, FLOOR)),
    "http": ("http", {}, HTTP),
    "http, depth 16": ("http", dict(depth=16), HTTP),
    "connect, 10 requests, close": ("churn", {}, ECHO),
    "datagrams": ("udp", {}, (CORONET, FLOOR, FLOOR_AGAIN, ONESHOT, C_EPOLL, "c epoll batch", EPOLL, ASIO,
                                  ASIO_URING)),
    "1 GiB sent": ("source", {}, STREAMS),
    "1 GiB received": ("sink", {}, STREAMS),
    "file copy": ("copy", dict(mib=256), (CORONET, FLOOR, FLOOR_AGAIN, EPOLL, "cp")),
    "echo, two CPUs": ("echo", dict(one_cpu=False), ECHO),
    "http, two CPUs": ("http", dict(one_cpu=False), HTTP),
    "echo, two schedulers": ("echo", dict(one_cpu=False, free_cpus=True),
                             (TWO_SCHEDULERS, CORONET)),
    "http, two schedulers": ("http", dict(one_cpu=False, free_cpus=True),
                             (TWO_SCHEDULERS, CORONET)),
    "a firehose beside 100 trickles": ("firehose", dict(conns=100, one_cpu=False, secs=2.0),
                                       (CORONET, FLOOR, C_EPOLL, ASIO)),
}


def with_settings(options, **settings):
    """The options with some of them changed."""
    return argparse.Namespace(**{**vars(options), **settings})


def named(name, call, *arguments):
    """A failure that says whose it is."""
    try:
        return call(*arguments)
    except Failed as reason:
        raise Failed(f"{name}: {reason}") from None


def run_all(programs, protocol, options, servers):
    return rounds.interleave(
        list(servers), options,
        lambda name: named(name, measure_quietly, programs, protocol, options, servers[name]),
        report.tick)


def ratios_of(runs):
    """The first one to all others; both of Coronet and Asio on epoll; and C to itself, the control."""
    first = next(iter(runs))
    found = rounds.ratios(runs, first)
    for mine, base in ((EPOLL, ASIO), (EPOLL, C_EPOLL), (FLOOR, FLOOR_AGAIN)):
        if first != mine and mine in runs and base in runs:
            found += [each for each in rounds.ratios(runs, mine) if each["to"] == base]
    return found


def measure_table(programs, protocol, options, servers, title=None):
    title = title or protocol
    print(f"{title}: {', '.join(servers)} ", end="", file=sys.stderr, flush=True)
    runs = run_all(programs, protocol, options, servers)
    print(file=sys.stderr)
    table = dict(title=title, protocol=protocol, unit=report.unit(protocol),
                 setting=report.setting(protocol, options), rows=rounds.summary(runs),
                 ratios=ratios_of(runs), runs=runs)
    report.show_table(table)
    report.show_ratios(table["ratios"])
    return table


def measure_whole(programs, options, names=()):
    """The tables of the whole set, or those whose names begin with one of `names`."""
    tables = []
    for title, (protocol, settings, servers) in WHOLE.items():
        if names and not any(title.startswith(name) for name in names):
            continue
        own = with_settings(options, **quickened(options, settings))
        chosen = programs.choose(protocol, servers, own.size)
        tables.append(measure_table(programs, protocol, own, chosen, title))
    return tables


def measure_counts(programs, options):
    """What can be counted of an echo, a row a server: instructions, system calls, allocations."""
    rows = []
    for name, command in programs.choose("instructions", (CORONET, NESTED, FLOOR, ONESHOT, C_EPOLL, ASIO)).items():
        row = dict(name=name,
                   instructions=named(name, counts.instructions, programs, options, command, options.secs * 6),
                   system_calls=named(name, counts.system_calls, programs, "echo", options, command),
                   allocations=named(name, counts.allocations, programs, "echo", options, command))
        rows.append(row)
    report.show_counts(rows)
    return rows


def quickened(options, settings):
    """A quick run keeps its own times and amounts."""
    if not options.quick:
        return settings
    return {key: value for key, value in settings.items() if key not in ("secs", "mib", "conns")}
