# SPDX-License-Identifier: BSL-1.0
#
# The samples for Asio. They are there only where Asio is.
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

SAMPLES = os.environ.get("CORONET_SAMPLES", os.path.join("build", "release", "samples"))
DROP_IN = os.path.join(SAMPLES, "asio_drop_in")
NATIVE = os.path.join(SAMPLES, "asio_native")
BRIDGE = os.path.join(SAMPLES, "asio_bridge")
TLS = os.path.join(SAMPLES, "asio_tls")
LIMIT = 50


class Server(unittest.TestCase):
    """A test that has a server."""

    def start(self, *command):
        self.server = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.server.stdout.close)
        self.addCleanup(self.end)
        for line in self.server.stdout:  # the log may say something first
            said = re.search(r"listening on 127.0.0.1:(\d+)", line)
            if said:
                self.port = int(said[1])
                return
        self.fail("it does not say where it listens")

    def end(self):
        if self.server.poll() is None:
            self.server.kill()
        self.server.wait(LIMIT)

    def connect(self):
        peer = socket.create_connection(("127.0.0.1", self.port), LIMIT)
        self.addCleanup(peer.close)
        return peer

    def ask_to_end(self):
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(LIMIT), 0)


@unittest.skipUnless(os.path.exists(DROP_IN), "built without Asio")
class DropIn(Server):
    def setUp(self):
        self.start(DROP_IN)

    def test_echoes_many_connections_and_ends_on_sigterm(self):
        peers = [self.connect() for _ in range(20)]
        for number, peer in enumerate(peers):
            peer.sendall(b"%d\n" % number * 1000)
        for number, peer in enumerate(peers):
            wanted = b"%d\n" % number * 1000
            came = b""
            while len(came) < len(wanted):
                came += peer.recv(65536)
            self.assertEqual(came, wanted)
            peer.close()
        self.ask_to_end()

    def test_adds_no_thread(self):
        with self.connect() as peer:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")
            self.assertEqual(len(os.listdir(f"/proc/{self.server.pid}/task")), 1)


@unittest.skipUnless(os.path.exists(NATIVE), "built without Asio")
class Native(Server):
    def test_echoes_lines_in_one_thread_and_ends_on_sigterm(self):
        self.start(NATIVE)
        peers = [self.connect() for _ in range(20)]
        for number, peer in enumerate(peers):
            peer.sendall(b"line %d\nand " % number)
        for number, peer in enumerate(peers):
            peer.sendall(b"more\n")
            self.assertEqual(peer.makefile("rb").read(len(b"line %d\nand more\n" % number)),
                             b"line %d\nand more\n" % number)
        self.assertEqual(len(os.listdir(f"/proc/{self.server.pid}/task")), 1)
        self.ask_to_end()

    def test_leaves_a_peer_that_is_silent_and_no_other(self):
        self.start(NATIVE, "--idle", "300")
        silent, talking = self.connect(), self.connect()
        silent.sendall(b"half a line")
        silent.setblocking(False)
        limit = time.monotonic() + LIMIT
        while time.monotonic() < limit:
            talking.sendall(b"x\n")
            self.assertEqual(talking.recv(2), b"x\n")
            try:
                self.assertEqual(silent.recv(1), b"")
                return
            except BlockingIOError:
                time.sleep(0.01)
        self.fail("it waits for the silent one")

    def test_leaves_a_peer_that_does_not_end_its_line(self):
        self.start(NATIVE)
        peer = self.connect()
        try:
            peer.sendall(b"x" * 10000)
            self.assertEqual(peer.recv(1), b"")
        except ConnectionError:
            pass  # what it did not read


@unittest.skipUnless(os.path.exists(BRIDGE), "built without Asio")
class Bridge(Server):
    def setUp(self):
        self.start(BRIDGE)

    def test_sends_files_to_many_and_ends_on_sigterm_while_they_are_connected(self):
        with tempfile.NamedTemporaryFile(delete=False) as file:
            self.addCleanup(os.unlink, file.name)
            wanted = b"a line of a file\n" * 1000
            file.write(wanted)
        peers = [self.connect() for _ in range(20)]
        for peer in peers:
            peer.sendall(file.name.encode() + b"\n" + b"/no/such/file\n")
        for peer in peers:
            with peer.makefile("rb") as answers:
                self.assertEqual(answers.read(len(wanted)), wanted)
                self.assertEqual(answers.readline(), b"/no/such/file: No such file or directory\n")
        self.ask_to_end()

    def test_a_connection_that_says_nothing_is_in_nobodys_way(self):
        with self.connect() as first, self.connect() as second:
            second.sendall(b"/no/such/file\n")
            self.assertTrue(second.recv(100).startswith(b"/no/such"))
            first.sendall(b"/no/such/file\n")
            self.assertTrue(first.recv(100).startswith(b"/no/such"))


@unittest.skipUnless(os.path.exists(TLS), "built without Asio or OpenSSL")
class Tls(Server):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.key = os.path.join(folder.name, "key.pem")
        cls.certificate = os.path.join(folder.name, "certificate.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", cls.key, "-out", cls.certificate],
            check=True, capture_output=True)

    def setUp(self):
        self.start(TLS, "serve", "--certificate", self.certificate, "--key", self.key)

    def send(self, text, *arguments):
        return subprocess.run(
            [TLS, "send", "--trust", self.certificate, "--port", str(self.port), *arguments],
            input=text, capture_output=True, timeout=LIMIT)

    def test_AN8_three_megabytes_go_there_and_back(self):
        text = os.urandom(3 << 20)
        sent = self.send(text)
        self.assertEqual((sent.returncode, sent.stdout), (0, text), sent.stderr)

    def test_AN8_talks_to_openssl_and_says_goodbye(self):
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", self.certificate, "-quiet",
             "-verify_return_error", "-no_ign_eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with client:
            self.addCleanup(client.kill)
            client.stdin.write(b"hello\n")
            client.stdin.flush()
            self.assertEqual(client.stdout.readline(), b"hello\n")
            client.stdin.close()
            self.assertEqual(client.wait(LIMIT), 0)

    def test_AN8_does_not_send_to_whom_it_does_not_trust(self):
        sent = self.send(b"secret", "--host", "elsewhere")
        self.assertEqual((sent.returncode, sent.stdout), (1, b""))
        self.assertIn(b"certificate verify failed", sent.stderr)

    def test_AN8_one_who_speaks_no_tls_harms_no_other(self):
        with socket.create_connection(("127.0.0.1", self.port), LIMIT) as peer:
            peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while peer.recv(4096):
                pass
        self.assertEqual(self.send(b"x").stdout, b"x")


if __name__ == "__main__":
    unittest.main()
