# SPDX-License-Identifier: BSL-1.0
"""Real clients against the sample http_server: curl and wrk (Debian packages of these names)."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from http_server_process import DEADLINE, GET, Server

LONG = os.environ.get("CORONET_LONG") == "1"
UPLOAD = (1 << 30) if LONG else (64 << 20)


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--max-time", "250", *arguments], capture_output=True, check=True).stdout


@unittest.skipUnless(shutil.which("curl"), "curl is not installed")
class Curl(unittest.TestCase):
    def test_answers(self):
        with Server() as server:
            self.assertIn(b"HTTP/1.1 200 OK\r\n", curl("-i", server.url + "/"))
            self.assertIn(b"HTTP/1.1 200 OK\r\n", curl("-I", server.url + "/"))
            self.assertIn(b"HTTP/1.0 200 OK\r\n".replace(b"1.0", b"1.1"), curl("-i0", server.url + "/"))
            self.assertEqual(curl("-d", "hello", server.url + "/echo"), b"hello")
            self.assertIn(b" 404 ", curl("-i", server.url + "/x"))
            self.assertEqual(curl(server.url + "/", server.url + "/", server.url + "/"), b"Hello, World!" * 3)

    def test_expect_100_continue(self):
        with Server() as server:
            answer = curl("-i", "-d", "x" * 5000, "-H", "Expect: 100-continue", server.url + "/echo")
            self.assertTrue(answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
            answer = curl("-i", "-d", "x" * 5000, "-H", "Expect: 100-continue", server.url + "/x")
            self.assertIn(b" 404 ", answer.split(b"\r\n")[0])

    def test_large_body_passes_through_fixed_memory(self):
        with Server("--max-body", "2G") as server, tempfile.TemporaryDirectory() as folder:
            file, back = pathlib.Path(folder, "file"), pathlib.Path(folder, "back")
            block = hashlib.sha256(b"seed").digest() * 32768
            with file.open("wb") as out:
                for number in range(UPLOAD // len(block)):
                    out.write(number.to_bytes(8, "big") + block[8:])
            before = server.memory("VmHWM")
            for field in (), ("-H", "Transfer-Encoding: chunked"):
                curl("-X", "POST", "-T", str(file), *field, "-o", str(back), server.url + "/echo")
                subprocess.run(["cmp", str(file), str(back)], check=True)
            self.assertLess(server.memory("VmHWM") - before, 48 << 20)


@unittest.skipUnless(shutil.which("wrk"), "wrk is not installed")
class Wrk(unittest.TestCase):
    def test_many_connections_without_an_error(self):
        for threads, connections in ((1, 64), (2, 256)):
            with self.subTest(threads=threads, connections=connections), Server(threads=threads) as server:
                command = ["wrk", "-t1", f"-c{connections}", "-d2s", server.url + "/"]
                said = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE * 2, check=True).stdout
                self.assertGreater(int(re.search(r"(\d+) requests in", said)[1]), 100)
                self.assertNotIn("Socket errors", said)
                self.assertNotIn("Non-2xx", said)
                with server.connect() as client:
                    self.assertEqual(client.ask(GET).status, 200)


if __name__ == "__main__":
    unittest.main()
