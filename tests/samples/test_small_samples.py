# SPDX-License-Identifier: BSL-1.0
#
# The small samples as a user meets them: what they do, what they print, and that what goes wrong is
# said and ends in an exit code. CORONET_SAMPLES is the folder of the built samples.
import contextlib
import filecmp
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

SAMPLES = os.environ.get("CORONET_SAMPLES", os.path.join("build", "release", "samples"))
LIMIT = 50  # seconds that a sample may take at most, sanitizers included


def run(name, *arguments, stdin=b""):
    """A sample's exit code, standard output and standard error."""
    done = subprocess.run([os.path.join(SAMPLES, name), *map(str, arguments)], input=stdin,
                          capture_output=True, timeout=LIMIT)
    return done.returncode, done.stdout, done.stderr.decode()


@contextlib.contextmanager
def server(serve):
    """Runs serve(peer) for every connection; gives HOST:PORT."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), peer:
                serve(peer)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield "127.0.0.1:%d" % listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(LIMIT)


def echo(peer):
    while data := peer.recv(65536):
        peer.sendall(data)


class EchoClient(unittest.TestCase):
    def test_sends_messages_and_prints_a_summary(self):
        with server(echo) as address:
            code, out, err = run("echo_client", address, "--count", 100, "--size", 64)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(b"100 messages of 64 bytes", out)

    def test_messages_may_be_larger_than_all_socket_buffers(self):
        with server(echo) as address:
            code, out, err = run("echo_client", address, "--count", 2, "--size", 20_000_000)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(b"2 messages of 20000000 bytes", out)

    def test_sends_its_input_and_prints_the_echo(self):
        text = b"one\ntwo\n" + bytes(range(256)) * 1000 + b"\nno newline at the end"
        with server(echo) as address:
            code, out, err = run("echo_client", address, stdin=text)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, text)

    def test_empty_input_is_fine(self):
        with server(echo) as address:
            self.assertEqual(run("echo_client", address), (0, b"", ""))

    def test_a_wrong_echo_is_found(self):
        def lie(peer):
            while data := peer.recv(65536):
                peer.sendall(data[:-1] + bytes([data[-1] ^ 1]))
        with server(lie) as address:
            code, _, err = run("echo_client", address, "--count", 3, "--size", 10)
        self.assertEqual(code, 1)
        self.assertIn("differs", err)

    def test_an_early_end_is_an_error(self):
        with server(lambda peer: peer.recv(1)) as address:
            code, _, err = run("echo_client", address, "--count", 3, "--size", 10)
        self.assertEqual(code, 1)
        self.assertTrue(err.startswith("echo_client: "), err)

    def test_silence_is_an_error_after_the_time_limit(self):
        def swallow(peer):
            while peer.recv(65536):
                pass
        with server(swallow) as address:
            code, _, err = run("echo_client", address, "--count", 1, "--timeout", "0.2")
        self.assertEqual(code, 1)
        self.assertIn("timed out", err)

    def test_nobody_listening_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        code, _, err = run("echo_client", f"127.0.0.1:{port}", "--count", 1)
        self.assertEqual(code, 1)
        self.assertIn("refused", err)

    def test_bad_arguments_are_explained(self):
        code, _, err = run("echo_client", "localhost:80", "--count", 1)
        self.assertNotEqual(code, 0)
        self.assertIn("numeric", err)
        code, _, err = run("echo_client", "127.0.0.1:80", "--count", 1, "--size", 0)
        self.assertNotEqual(code, 0)
        self.assertIn("--size", err)

    def test_interrupt_ends_it(self):
        with server(echo) as address:
            client = subprocess.Popen([os.path.join(SAMPLES, "echo_client"), address],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)
            client.stdin.write(b"up\n")
            client.stdin.flush()
            self.assertEqual(client.stdout.read(3), b"up\n")  # it runs, and waits for more input
            client.send_signal(signal.SIGINT)
            self.assertIsNotNone(client.wait(LIMIT))
            for stream in (client.stdin, client.stdout, client.stderr):
                stream.close()


class FileCopy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = os.path.join(folder.name, "source")
        self.target = os.path.join(folder.name, "target")

    def write(self, path, data):
        with open(path, "wb") as file:
            file.write(data)

    def test_copies_contents_and_mode(self):
        for size in (0, 1, 65535, 65536, 65537, 3_000_001):
            self.write(self.source, random.Random(size).randbytes(size))
            os.chmod(self.source, 0o640)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.target)
            self.assertEqual(run("file_copy", self.source, self.target), (0, b"", ""), size)
            self.assertTrue(filecmp.cmp(self.source, self.target, shallow=False), size)
            self.assertEqual(os.stat(self.target).st_mode & 0o777, 0o640)

    def test_many_files_are_copied_into_a_directory(self):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as target:
            names = [os.path.join(folder, str(number)) for number in range(300)]
            for name in names:
                self.write(name, name.encode() * 50)
            self.assertEqual(run("file_copy", "--at-once", "16", *names, target), (0, b"", ""))
            for name in names:
                self.assertTrue(filecmp.cmp(name, os.path.join(target, os.path.basename(name)), shallow=False), name)
            code, _, err = run("file_copy", names[0], names[1] + ".missing", names[2], target)
            self.assertEqual((code, ".missing" in err), (1, True), err)

    def test_one_file_is_copied_into_a_directory(self):
        self.write(self.source, b"content")
        os.mkdir(self.target)
        self.assertEqual(run("file_copy", self.source, self.target), (0, b"", ""))
        self.assertTrue(filecmp.cmp(self.source, os.path.join(self.target, "source"), shallow=False))
        code, _, err = run("file_copy", os.path.join(self.target, "source"), self.target)
        self.assertEqual((code, "same file" in err), (1, True), err)

    def test_two_files_that_would_be_one_are_refused_before_anything_is_copied(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second = (os.path.join(folder, name, "same") for name in ("a", "b"))
            other, target = os.path.join(folder, "other"), os.path.join(folder, "target")
            for name in (first, second):
                os.mkdir(os.path.dirname(name))
            os.mkdir(target)
            for name in (first, second, other):
                self.write(name, name.encode())
            for sources in ((other, first, second), (other, first, first)):
                code, _, err = run("file_copy", *sources, target)
                self.assertEqual(code, 1, sources)
                for name in (*sources[1:], os.path.join(target, "same")):
                    self.assertIn(name, err)
                self.assertEqual(os.listdir(target), [])

    def test_a_longer_target_is_cut(self):
        self.write(self.source, b"short")
        self.write(self.target, b"much longer than the source")
        self.assertEqual(run("file_copy", self.source, self.target)[0], 0)
        with open(self.target, "rb") as file:
            self.assertEqual(file.read(), b"short")

    def test_a_pipe_is_a_source_and_a_target(self):
        data = random.Random(1).randbytes(1_000_000)
        code, out, err = run("file_copy", "/dev/stdin", self.target, stdin=data)
        self.assertEqual((code, err), (0, ""))
        with open(self.target, "rb") as file:
            self.assertEqual(file.read(), data)
        self.assertEqual(run("file_copy", self.target, "/dev/stdout"), (0, data, ""))

    def test_a_file_in_proc_has_contents_in_spite_of_its_size(self):
        self.assertEqual(run("file_copy", "/proc/version", self.target)[0], 0)
        with open("/proc/version", "rb") as here, open(self.target, "rb") as there:
            self.assertEqual(here.read(), there.read())

    def test_a_reader_that_goes_away_is_an_error_and_no_signal(self):
        self.write(self.source, bytes(1_000_000))
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([os.path.join(SAMPLES, "file_copy"), self.source, "/dev/stdout"],
                              stdout=writer, stderr=subprocess.PIPE, timeout=LIMIT)
        os.close(writer)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("Broken pipe", done.stderr.decode())

    def test_what_cannot_be_copied_is_named(self):
        self.write(self.source, b"x")
        missing = self.source + ".missing"
        for arguments, words in (
                ((missing, self.target), (missing, "No such file")),
                ((self.source, "/nonexistent/target"), ("/nonexistent/target", "No such file")),
                (("/tmp", self.target), ("/tmp", "directory")),
                ((self.source, self.source, self.target), (self.target, "Not a directory")),
                ((self.source, self.source), (self.source, "same file"))):
            code, _, err = run("file_copy", *arguments)
            self.assertEqual(code, 1, arguments)
            for word in words:
                self.assertIn(word, err)
        with open(self.source, "rb") as file:
            self.assertEqual(file.read(), b"x")

    def test_missing_arguments_are_explained(self):
        code, _, err = run("file_copy", self.source)
        self.assertNotEqual(code, 0)
        self.assertIn("required", err)


class Timeout(unittest.TestCase):
    def test_shows_each_way_to_give_up_waiting(self):
        code, out, err = run("timeout")
        self.assertEqual((code, err), (0, ""))
        lines = out.decode().splitlines()
        self.assertEqual(len(lines), 4, lines)
        self.assertIn("timed out", lines[0].lower())
        self.assertIn("5 bytes", lines[1])
        self.assertIn("timed out", lines[2].lower())
        self.assertIn("branch 1", lines[3])


if __name__ == "__main__":
    unittest.main()
