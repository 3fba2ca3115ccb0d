# SPDX-License-Identifier: BSL-1.0
#
# One measured run of one server: throughput, latency, its CPU time and its memory; and, counted by
# callgrind, its instructions.
import json
import os
import subprocess
import tempfile

from .server import Failed, Server

LOAD_LIMIT = 120  # seconds beyond the measured time


def cpus(one_cpu):
    """The CPUs of server and load, out of those that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[0]) if one_cpu or len(allowed) < 2 else (allowed[0], allowed[1])


def load_command(programs, protocol, options, server, extra=()):
    words = [programs.tool("load"), "--cpu", cpus(options.one_cpu)[1], "--port", server.port,
             "--conns", options.conns, "--size", options.size, "--depth", options.depth,
             "--secs", options.secs, "--warm", options.warm,
             "--pid", ",".join(map(str, server.pids())), *extra]
    if protocol == "http":
        words.append("--http")
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


def measure(programs, protocol, options, command, extra=()):
    with Server(command, cpus(options.one_cpu)[0]) as server:
        words = load_command(programs, protocol, options, server, extra)
        try:
            done = subprocess.run(words, capture_output=True, text=True,
                                  timeout=options.secs + options.warm + LOAD_LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed("load failed: it did not end") from None
    return finish(done.stdout, done.returncode, done.stderr)


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


def instructions_of_echo(programs, options, command, seconds):
    """Instructions in user space per echoed message, counted by callgrind over one run of the load."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        under = f"valgrind -q --tool=callgrind --callgrind-out-file={out} {command}"
        with Server(under, cpus(options.one_cpu)[0]) as server:
            load_under_callgrind(programs, options, server, 0.3)
            dump(server)  # the start and all that is done once are in the first count
            requests = load_under_callgrind(programs, options, server, seconds)
            dump(server)
            # Under valgrind no signal reaches a thread that waits in its ring, except this one.
            server.process.kill()
        with open(out + ".2") as lines:
            total = next((line for line in lines if line.startswith("totals:")), None)
    if total is None:
        raise Failed("callgrind has no count")
    return int(total.split()[1]) / requests


def load_under_callgrind(programs, options, server, seconds):
    words = load_command(programs, "echo", options, server)
    words[words.index("--secs") + 1], words[words.index("--warm") + 1] = str(seconds), "0"
    done = subprocess.run(words, capture_output=True, text=True, timeout=LOAD_LIMIT)
    return finish(done.stdout, done.returncode, done.stderr)["requests"]


def dump(server):
    """Has callgrind write its count and begin again."""
    subprocess.run(["callgrind_control", "--dump=count", str(server.process.pid)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LOAD_LIMIT)
