# SPDX-License-Identifier: BSL-1.0
"""How the sample http_server ends: what is in flight is answered, the exit status is 0, the port is free at once."""
import signal
import socket
import threading
import time
import unittest

from http_server_process import DEADLINE, GET, Client, Server, eventually

HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\n"


class Load(threading.Thread):
    """Asks on one connection until the server says that an answer is its last; every request must get its answer."""

    def __init__(self, address):
        super().__init__()
        self.client = Client(address)
        self.answered = 0
        self.failure = None

    def run(self):
        try:
            while self.client.ask(GET).fields.get("connection") != "close":
                self.answered += 1
        except (AssertionError, OSError) as failure:
            self.failure = failure
        finally:
            self.client.socket.close()


class Shutdown(unittest.TestCase):
    def test_sigterm_under_load_answers_every_request(self):
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            with Server() as server:
                load = [Load(server.address) for _ in range(16)]
                for each in load:
                    each.start()
                eventually(lambda: all(each.answered > 20 or each.failure for each in load), "load on every connection")
                server.end(signal_number)
                self.assertEqual(server.process.wait(DEADLINE), 0)
                for each in load:
                    each.join(DEADLINE)
                    self.assertIsNone(each.failure)

    def test_request_in_progress_is_finished(self):
        with Server() as server, server.connect() as client:
            client.send(HEAD + b"Content-Length: 6\r\n\r\nabc")
            self.assertEqual(client.take_head()[0], 200)
            server.end()
            eventually(lambda: refused(server.address), "no new connection is accepted")
            client.send(b"def")
            self.assertEqual(client.take(6), b"abcdef")
            self.assertEqual(server.process.wait(DEADLINE), 0)

    def test_head_in_progress_is_answered(self):
        with Server() as server, server.connect() as client:
            client.send(GET[:10])
            server.end()
            eventually(lambda: refused(server.address), "no new connection is accepted")
            client.send(GET[10:])
            answer = client.take_answer()
            self.assertEqual((answer.status, answer.fields["connection"]), (200, "close"))
            self.assertTrue(client.ended_cleanly())

    def test_idle_connections_do_not_hold_the_end_up(self):
        with Server() as server:
            clients = [server.connect() for _ in range(10)]
            for client in clients[:5]:
                client.ask(GET)
            begin = time.monotonic()
            server.end()
            for client in clients:
                self.assertTrue(client.ended_cleanly())
                client.socket.close()
            self.assertEqual(server.process.wait(DEADLINE), 0)
            self.assertLess(time.monotonic() - begin, 8)  # well below the 10 s of the drain

    def test_drain_is_limited(self):
        with Server("--drain", "0.5") as server, server.connect() as client:
            client.send(HEAD + b"Content-Length: 6\r\n\r\nabc")
            self.assertEqual(client.take_head()[0], 200)
            begin = time.monotonic()
            server.end()
            self.assertEqual(server.process.wait(DEADLINE), 0)
            self.assertGreater(time.monotonic() - begin, 0.4)

    def test_second_signal_ends_at_once(self):
        with Server() as server, server.connect() as client:
            client.send(HEAD + b"Content-Length: 6\r\n\r\nabc")
            self.assertEqual(client.take_head()[0], 200)
            server.end()
            eventually(lambda: refused(server.address), "no new connection is accepted")
            begin = time.monotonic()
            server.end()
            self.assertEqual(server.process.wait(DEADLINE), 0)
            self.assertLess(time.monotonic() - begin, 8)  # well below the 10 s of the drain

    def test_same_port_at_once_again(self):
        with Server(threads=1) as server:
            port = server.address[1]
        for _ in range(20):
            with Server(listen=f"127.0.0.1:{port}", threads=1) as server, server.connect() as client:
                self.assertEqual(client.ask(GET).status, 200)

    def test_port_in_use_is_a_clear_error(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            with self.assertRaises(AssertionError):
                Server(listen="127.0.0.1:%d" % other.getsockname()[1])


def refused(address):
    try:
        socket.create_connection(address, DEADLINE).close()
        return False
    except ConnectionError:
        return True


if __name__ == "__main__":
    unittest.main()
