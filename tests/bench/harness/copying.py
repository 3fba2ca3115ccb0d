# SPDX-License-Identifier: BSL-1.0
#
# Copying a file, measured as a server is: a request is a MiB. The file lies in memory where that can
# be had (/dev/shm), so that no device is measured; every copy is compared with the original.
import filecmp
import os
import random
import shlex
import subprocess
import tempfile
import time

from .server import Failed

LIMIT = 120  # seconds


def folder():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def make_file(path, mib):
    """Bytes that differ everywhere, but are quick to make: one random MiB, each time turned a little."""
    once = random.Random(1).randbytes(1 << 20)
    with open(path, "wb") as file:
        for i in range(mib):
            at = i * 4099 % len(once)
            file.write(once[at:] + once[:at])


def run(words, cpu_set):
    """Wall time, and what the process and its children used."""
    began = time.monotonic()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: os.sched_setaffinity(0, cpu_set))
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise Failed(f"{words[0]}: {error.strip() or f'exit code {process.returncode}'}")
    return time.monotonic() - began, usage


def measure(command, mib, cpu_set):
    with tempfile.TemporaryDirectory(dir=folder()) as where:
        source, target = os.path.join(where, "from"), os.path.join(where, "to")
        make_file(source, mib)
        words = [word.replace("{from}", source).replace("{to}", target)
                 for word in shlex.split(command)]
        try:
            wall, usage = run(words, cpu_set)
        except OSError as reason:
            raise Failed(f"cannot start {words[0]}: {reason.strerror}") from None
        if not filecmp.cmp(source, target, shallow=False):
            raise Failed("the copy is not like the original")
    cpu = usage.ru_utime + usage.ru_stime
    return dict(mode="copy", conns=1, requests=mib, errors=0, rps=mib / wall, p50_us=0.0, p99_us=0.0,
                cpu_us=1e6 * cpu / mib, user_us=1e6 * usage.ru_utime / mib,
                sys_us=1e6 * usage.ru_stime / mib, server_util=cpu / wall, load_util=0.0,
                foreign_util=0.0, rss_kb=0, hwm_kb=0)
