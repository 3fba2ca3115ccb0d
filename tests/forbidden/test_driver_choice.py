# SPDX-License-Identifier: BSL-1.0
"""What the sample servers say about their driver, and that they serve, where io_uring is forbidden and where it is not."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "samples"))
from http_server_process import DEADLINE, GET  # noqa: E402

SAMPLES = pathlib.Path(os.environ["CORONET_SAMPLES"])
FORBID = os.environ["CORONET_FORBID"]
PLAIN = {name: value for name, value in os.environ.items() if name != "CORONET_DRIVER"}


def served(server, arguments, request, answer, forbidden=None, environment=()):
    """Exit code and log of a server that has been asked once, or that did not begin."""
    launcher = [FORBID, forbidden] if forbidden else []
    command = [*launcher, str(SAMPLES / server), "--listen", "127.0.0.1:0", "--threads", "2", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**PLAIN, **dict(environment)}
    )
    line = process.stdout.readline()
    if found := re.fullmatch(r"listening on (.*):(\d+)\n", line):
        with socket.create_connection((found[1], int(found[2])), DEADLINE) as client:
            client.sendall(request)
            received = b""
            while len(received) < len(answer):
                part = client.recv(4096)
                assert part, received
                received += part
            assert received.startswith(answer), received
        process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=DEADLINE)
    return process.returncode, log


def http_server(*arguments, **how):
    return served("http_server", arguments, GET, b"HTTP/1.1 200 OK\r\n", **how)


def echo_server(*arguments, **how):
    return served("echo_server", arguments, b"hello", b"hello", **how)


def told(log):
    return re.findall(r"coronet: (driver: .*)", log)


class Driver(unittest.TestCase):
    def test_is_epoll_where_io_uring_is_forbidden_and_told_once_with_the_remedy(self):
        for serve in http_server, echo_server:
            for error, remedy in ("EPERM", "seccomp profile"), ("ENOSYS", "Linux 5.11 or newer"):
                with self.subTest(server=serve.__name__, error=error):
                    code, log = serve(forbidden=error)
                    self.assertEqual(code, 0, log)
                    lines = told(log)
                    self.assertEqual(len(lines), 1, log)
                    self.assertTrue(lines[0].startswith("driver: epoll, as io_uring cannot be used: io_uring_setup"))
                    self.assertIn(remedy, lines[0])

    def test_is_io_uring_where_it_is_not(self):
        for serve in http_server, echo_server:
            code, log = serve()
            self.assertEqual(code, 0, log)
            self.assertEqual([line.split(",")[0] for line in told(log)], ["driver: io_uring"])

    def test_is_the_one_that_is_named(self):
        for name in "epoll", "io_uring":
            for how in (("--driver", name), {}), ((), {"environment": {"CORONET_DRIVER": name}}):
                for serve in http_server, echo_server:
                    code, log = serve(*how[0], **how[1])
                    self.assertEqual(code, 0, log)
                    self.assertEqual([line.split(",")[0] for line in told(log)], [f"driver: {name}"])

    def test_that_is_named_in_vain_ends_the_server_with_call_and_remedy(self):
        for serve in http_server, echo_server:
            code, log = serve("--driver", "io_uring", forbidden="EPERM")
            self.assertEqual(code, 1, log)
            self.assertRegex(log, r"^(http|echo)_server: io_uring_setup \(.*seccomp profile.*not permitted\n$")

    def test_without_a_submission_thread_refuses_one(self):
        for serve in http_server, echo_server:
            code, log = serve("--driver", "epoll", "--sqpoll")
            self.assertEqual(code, 1, log)
            self.assertIn("sqpoll: the epoll driver", log)


if __name__ == "__main__":
    unittest.main()
