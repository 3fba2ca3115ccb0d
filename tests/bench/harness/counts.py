# SPDX-License-Identifier: BSL-1.0
#
# What can be counted of a server, and is the same however busy the machine is: instructions in user
# space (callgrind), system calls (perf, else strace), allocations (a library that is preloaded).
import json
import mmap
import os
import shlex
import shutil
import signal
import struct
import subprocess
import tempfile

from .programs import Missing
from .run import LOAD_LIMIT, load_command, cpus, finish, run_load, start
from .server import Failed, Server


def instructions(programs, options, command, seconds):
    """Instructions in user space per echoed message, counted by callgrind over one run of the load."""
    lines, requests = by_callgrind(programs, options, command, seconds)
    total = next((line for line in lines if line.startswith("totals:")), None)
    if total is None:
        raise Failed("callgrind has no count")
    return int(total.split()[1]) / requests


def count_by_instruction(programs, options, command, seconds):
    """Callgrind's file, with a line for each instruction, and how many messages it is of."""
    return by_callgrind(programs, options, command, seconds, "--dump-instr=yes")


def by_callgrind(programs, options, command, seconds, *more):
    if not shutil.which("valgrind"):
        raise Missing("valgrind is missing: apt-get install valgrind")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        under = " ".join(["valgrind -q --tool=callgrind", f"--callgrind-out-file={out}", *more, command])
        with Server(under, cpus(options)[0]) as server:
            load_under_callgrind(programs, options, server, 0.3)
            dump(server)  # the start and all that is done once are in the first count
            requests = load_under_callgrind(programs, options, server, seconds)
            dump(server)
            # Under valgrind no signal reaches a thread that waits in its ring, except this one.
            server.process.kill()
        with open(out + ".2") as counted:
            return counted.read().splitlines(), requests


def load_under_callgrind(programs, options, server, seconds):
    words = load_command(programs, "echo", options, server)
    words[words.index("--secs") + 1], words[words.index("--warm") + 1] = str(seconds), "0"
    done = subprocess.run(words, capture_output=True, text=True, timeout=LOAD_LIMIT)
    return finish(done.stdout, done.returncode, done.stderr)["requests"]


def dump(server):
    """Has callgrind write its count and begin again."""
    subprocess.run(["callgrind_control", "--dump=count", str(server.process.pid)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LOAD_LIMIT)


def system_calls(programs, protocol, options, command):
    """System calls of the server per request, while it is busy."""
    if shutil.which("perf"):
        counted = by_perf(programs, protocol, options, command)
        if counted is not None:
            return counted
    if not shutil.which("strace"):
        raise Missing("neither perf nor strace can count: apt-get install strace")
    return by_strace(programs, protocol, options, command)


def by_perf(programs, protocol, options, command):
    """None where the kernel does not let perf count."""
    with start(protocol, options, command) as server:
        words = load_command(programs, protocol, options, server)
        load = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # perf begins inside the measured time and ends in it; the load's rate is that of all of it.
        pids = ",".join(map(str, server.pids()))
        counted = subprocess.run(
            ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", pids, "--delay",
             str(int(1000 * options.warm) + 100), "--", "sleep", str(options.warm + options.secs * 0.6)],
            capture_output=True, text=True, env=dict(os.environ, LC_ALL="C"))
        output, error = load.communicate(timeout=LOAD_LIMIT)
    result = finish(output, load.returncode, error)
    fields = next((line.split(",") for line in counted.stderr.splitlines() if "raw_syscalls" in line), [])
    if counted.returncode or len(fields) < 4 or not fields[0].isdigit() or not int(fields[3]):
        return None
    return int(fields[0]) / (int(fields[3]) / 1e9 / result["server_util"]) / result["rps"]


def by_strace(programs, protocol, options, command):
    with tempfile.NamedTemporaryFile("r") as out:
        with Server(f"strace -c -f -o {out.name} {command}", cpus(options)[0]) as server:
            result = run_load(programs, protocol, options, server, ["--warm", "0"])
            for pid in server.pids()[1:]:
                os.kill(pid, signal.SIGTERM)
            server.process.wait()
        total = next((line for line in out if line.rstrip().endswith("total")), None)
    if total is None:
        raise Failed("strace has no count")
    return int(total.split()[3 if len(total.split()) > 4 else 2]) / result["requests"]


def allocations(programs, protocol, options, command):
    """Calls of malloc and its like per request beyond what connections cost: the difference of a long
    run and a short one."""
    library = programs.tool("libcount_allocations.so")
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8))
        file.flush()
        words = f"env LD_PRELOAD={shlex.quote(library)} COUNT_ALLOCATIONS={file.name} {command}"
        with Server(words, cpus(options)[0], udp=protocol == "udp") as server, \
                mmap.mmap(file.fileno(), 8) as shared:
            run_load(programs, protocol, options, server)  # caches fill
            if struct.unpack("q", shared[:8])[0] == 0:
                raise Failed("the library that counts was not loaded")
            made, requests = [], []
            for seconds in (options.secs / 4, options.secs):
                before = struct.unpack("q", shared[:8])[0]
                result = run_load(programs, protocol, options, server, ["--secs", str(seconds)])
                made.append(struct.unpack("q", shared[:8])[0] - before)
                requests.append(result["requests"])
    return max(0, made[1] - made[0]) / max(1, requests[1] - requests[0])
