# SPDX-License-Identifier: BSL-1.0
"""The sample http_server as a process, and a client of plain sockets that sends exactly what a test says.

CORONET_SAMPLES names the folder with the sample programs, CORONET_LAUNCHER a program that starts them, if any. Every wait has a deadline: DEADLINE is for events that must
happen, and is long because a build with sanitizers on a busy machine is slow.
"""
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import time
import unittest

DEADLINE = 30.0
SAMPLES = pathlib.Path(os.environ.get("CORONET_SAMPLES", "build/release/samples"))
LAUNCHER = os.environ.get("CORONET_LAUNCHER", "").split()
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Server:
    """One running server; `with Server("--head-timeout", "1") as server: ...` ends it and checks how it ended."""

    def __init__(self, *arguments, listen="127.0.0.1:0", threads=2):
        quietly = ("--threads", str(threads), "--log-level", "warning")
        command = [*LAUNCHER, SAMPLES / "http_server", "--listen", listen, *quietly, *arguments]
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (.*):(\d+)\n", line)
        if not found:
            self.process.kill()
            self.process.communicate()
            raise AssertionError(f"the server said {line!r}")
        self.told_to_end = False
        self.address = (found[1].strip("[]"), int(found[2]))

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        if not self.told_to_end:
            self.end()
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server does not end")
        finally:
            self.process.stdout.close()
        if not failed and status != 0:
            raise AssertionError(f"the server ended with {status}")

    def end(self, signal_number=signal.SIGTERM):
        self.told_to_end = True
        self.process.send_signal(signal_number)

    @property
    def url(self):
        return f"http://{self.address[0]}:{self.address[1]}"

    def connect(self, **options):
        return Client(self.address, **options)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def limit_descriptors(self, count):
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (count, count))

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, name="VmRSS"):
        """In bytes: VmRSS now, VmHWM at most so far."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024


class Answer:
    """One answer: its status, its fields by lower-case name, its content without chunks."""

    def __init__(self, status, fields, content):
        self.status, self.fields, self.content = status, fields, content


class Client:
    """A connection. Keeps what it has received and not yet taken."""

    def __init__(self, address, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_bytewise(self, data):
        for at in range(len(data)):
            self.socket.sendall(data[at : at + 1])

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def more(self):
        """Receives; false at the end of the connection."""
        data = self.socket.recv(1 << 16)
        self.received += data
        return bool(data)

    def take(self, size):
        while len(self.received) < size:
            if not self.more():
                raise AssertionError(f"the connection ended with {self.received!r}")
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def take_line(self):
        while b"\r\n" not in self.received:
            if not self.more():
                raise AssertionError(f"the connection ended with {self.received!r}")
        line, _, self.received = self.received.partition(b"\r\n")
        return line

    def take_head(self):
        version, status, *_ = self.take_line().split(b" ", 2)
        assert version == b"HTTP/1.1", version
        fields = {}
        while line := self.take_line():
            name, _, value = line.partition(b":")
            fields[name.decode().lower()] = value.strip().decode()
        return int(status), fields

    def take_answer(self, to_head=False):
        status, fields = self.take_head()
        if to_head or status in (100, 204, 304):
            return Answer(status, fields, b"")
        if fields.get("transfer-encoding") == "chunked":
            content = b""
            while size := int(self.take_line(), 16):
                content += self.take(size)
                assert self.take(2) == b"\r\n"
            assert self.take(2) == b"\r\n"
            return Answer(status, fields, content)
        if "content-length" in fields:
            return Answer(status, fields, self.take(int(fields["content-length"])))
        while self.more():
            pass
        return Answer(status, fields, self.take(len(self.received)))

    def ask(self, data, **options):
        self.send(data)
        return self.take_answer(**options)

    def ended(self):
        """Waits for the end of the connection; false if something else came first."""
        try:
            return not self.more() and not self.received
        except ConnectionResetError:
            return True

    def ended_cleanly(self):
        """The end, and not by a reset."""
        return not self.more() and not self.received


def eventually(condition, what):
    """Waits for a state that cannot be waited for otherwise (another process's)."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never: {what}")
        time.sleep(0.01)


def writable_within(sock, seconds):
    return bool(select.select([], [sock], [], seconds)[1])


class ServerTest(unittest.TestCase):
    """Tests that share one server; at the end it has no connection left and exits with 0."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments)
        with cls.server.connect() as client:
            client.ask(GET)
        cls.idle_descriptors = cls.server.descriptors() - 1

    @classmethod
    def tearDownClass(cls):
        with cls.server:
            eventually(lambda: cls.server.descriptors() <= cls.idle_descriptors + 1, "all connections closed")

    def connect(self, **options):
        client = self.server.connect(**options)
        self.addCleanup(client.socket.close)
        return client

    def expect_refused(self, data, *statuses):
        """The answer is one of the statuses, says that it is the last, and the connection ends after it."""
        with self.subTest(data[:200]):
            with self.server.connect() as client:
                answer = client.ask(data)
                self.assertIn(answer.status, statuses)
                self.assertEqual(answer.fields.get("connection"), "close")
                self.assertTrue(client.ended_cleanly())
