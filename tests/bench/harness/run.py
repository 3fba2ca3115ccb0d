# SPDX-License-Identifier: BSL-1.0
#
# One measured run of one server: throughput, latency, its CPU time and its memory. Copying a file
# is no server, but gives the same figures.
import json
import os
import subprocess

from . import copying
from .programs import LOADS
from .server import Failed, Server

LOAD_LIMIT = 120  # seconds beyond the measured time


def cpus(options):
    """The CPUs of server and load, out of those that this process may use; the load's may be -1, any."""
    allowed = sorted(os.sched_getaffinity(0))
    if getattr(options, "free_cpus", False):
        return set(allowed), -1
    if options.one_cpu or len(allowed) < 2:
        return {allowed[0]}, allowed[0]
    return {allowed[0]}, allowed[1]


def start(protocol, options, command):
    return Server(command, cpus(options)[0], udp=protocol == "udp")


def load_command(programs, protocol, options, server, extra=()):
    words = [programs.tool("load"), "--cpu", cpus(options)[1], "--port", server.port,
             "--conns", options.conns, "--size", options.size, "--depth", options.depth,
             "--secs", options.secs, "--warm", options.warm, "--mib", options.mib, "--stall", options.stall,
             "--pid", ",".join(map(str, server.pids())), *LOADS[protocol], *extra]
    return [str(word) for word in words]


def finish(output, code, error):
    """What the load has printed; Failed if it saw one wrong byte."""
    try:
        result = json.loads(output)
    except ValueError:
        raise Failed(f"load failed: {error.strip() or f'exit code {code}'}") from None
    if code or result.get("errors"):
        raise Failed(f"load failed: {result.get('errors')} wrong answers")
    return result


def run_load(programs, protocol, options, server, extra=()):
    words = load_command(programs, protocol, options, server, extra)
    try:
        done = subprocess.run(words, capture_output=True, text=True,
                              timeout=options.secs + options.warm + LOAD_LIMIT)
    except subprocess.TimeoutExpired:
        raise Failed("load failed: it did not end") from None
    return finish(done.stdout, done.returncode, done.stderr)


def leave_out_others(result):
    """Throughput over the time that the shared CPU was there for server and load, busy or idle: what
    others took of it says nothing about the server."""
    had = result["server_util"] + result["load_util"] + result["idle_here"]
    result["rps"] /= min(1.0, had)


def measure(programs, protocol, options, command, extra=()):
    if protocol == "copy":
        return copying.measure(command, options.mib, cpus(options)[0])
    with start(protocol, options, command) as server:
        result = run_load(programs, protocol, options, server, extra)
    if "rps" in result and options.one_cpu and not getattr(options, "free_cpus", False):
        leave_out_others(result)
    if "quiet_p99_us" in result:
        result["p99_growth"] = result["p99_us"] / result["quiet_p99_us"]
    return result


def measure_quietly(programs, protocol, options, command):
    """Repeats a run in which other processes took too much of the machine; gives the quietest."""
    best = None
    for _ in range(options.retries + 1):
        result = measure(programs, protocol, options, command)
        if best is None or result["foreign_util"] < best["foreign_util"]:
            best = result
        alone = options.one_cpu and result["server_util"] + result["load_util"] > 1 - options.foreign
        if alone or result["foreign_util"] <= options.foreign:
            break
    return best
