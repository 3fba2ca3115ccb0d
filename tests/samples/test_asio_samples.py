# SPDX-License-Identifier: BSL-1.0
#
# The samples for Asio. They are there only where Asio is.
import os
import re
import signal
import socket
import subprocess
import unittest

SAMPLES = os.environ.get("CORONET_SAMPLES", os.path.join("build", "release", "samples"))
DROP_IN = os.path.join(SAMPLES, "asio_drop_in")
LIMIT = 50


@unittest.skipUnless(os.path.exists(DROP_IN), "built without Asio")
class DropIn(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen([DROP_IN, "--port", "0"], stdout=subprocess.PIPE, text=True)
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

    def test_echoes_many_connections_and_ends_on_sigterm(self):
        peers = [socket.create_connection(("127.0.0.1", self.port), LIMIT) for _ in range(20)]
        for number, peer in enumerate(peers):
            peer.sendall(b"%d\n" % number * 1000)
        for number, peer in enumerate(peers):
            wanted = b"%d\n" % number * 1000
            came = b""
            while len(came) < len(wanted):
                came += peer.recv(65536)
            self.assertEqual(came, wanted)
            peer.close()
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(LIMIT), 0)

    def test_adds_no_thread(self):
        with socket.create_connection(("127.0.0.1", self.port), LIMIT) as peer:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")
            self.assertEqual(len(os.listdir(f"/proc/{self.server.pid}/task")), 1)


if __name__ == "__main__":
    unittest.main()
