# SPDX-License-Identifier: BSL-1.0
#
# One server process: started on a free port of the loopback, ready when something listens there, and
# gone with all its children when the block ends.
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time

START_LIMIT, STOP_LIMIT = 10, 5  # seconds; valgrind starts slowly


class Failed(Exception):
    """A server that did not start or answered wrongly."""


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port, udp):
    """Whether something listens there; of datagrams, whether one comes back."""
    if not udp:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.05)
        try:
            probe.sendto(b"there?", ("127.0.0.1", port))
            return probe.recvfrom(16)[0] == b"there?"
        except OSError:
            return False


def descendants(pid):
    """pid and its children, and theirs."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat:
                parents[int(entry)] = int(stat.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass  # it has ended meanwhile
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


class Server:
    def __init__(self, command, cpus, udp=False):
        self.command, self.cpus, self.udp = command, cpus, udp
        self.port = free_port(socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)

    def __enter__(self):
        self.errors = tempfile.TemporaryFile("w+")
        words = [word.replace("{port}", str(self.port)) for word in shlex.split(self.command)]
        try:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cpus))
        except OSError as reason:
            raise Failed(f"cannot start {words[0]}: {reason.strerror}") from None
        try:
            self._await_listener()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _await_listener(self):
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self.errors.seek(0)
                raise Failed(f"the server ended early: {self.errors.read().strip() or 'no message'}")
            if answers(self.port, self.udp):
                return
            time.sleep(0.01)
        raise Failed(f"nothing listens on port {self.port} after {START_LIMIT} s")

    def pids(self):
        return descendants(self.process.pid)

    def __exit__(self, *_):
        everyone = self.pids()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            for pid in everyone:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self.errors.close()
