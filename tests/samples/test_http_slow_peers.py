# SPDX-License-Identifier: BSL-1.0
"""Peers that are slow, vanish or do not take their answers: each wait of the sample http_server ends."""
import time
import unittest

from http_server_process import GET, SAMPLES, Server, ServerTest, eventually, writable_within

HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\n"


class Timeouts(ServerTest):
    arguments = ("--head-timeout", "0.6", "--body-timeout", "0.5", "--idle-timeout", "0.7")

    def test_head_that_stops(self):
        client = self.connect()
        answer = client.ask(b"GET / HTTP/1.1\r\nHo")
        self.assertEqual((answer.status, answer.fields["connection"]), (408, "close"))
        self.assertTrue(client.ended_cleanly())

    def test_head_that_trickles_has_one_deadline(self):
        client = self.connect()
        begin = time.monotonic()
        client.socket.settimeout(0.05)
        answered = False
        for byte in GET[:-2] + b"X: " + b"x" * 2000:
            client.socket.send(bytes([byte]))
            try:
                client.more()
                answered = True
                break
            except TimeoutError:
                pass
        self.assertTrue(answered)
        self.assertGreater(time.monotonic() - begin, 0.5)
        client.socket.settimeout(30)
        self.assertEqual(client.take_answer().status, 408)

    def test_body_that_stops(self):
        for fields in (b"Content-Length: 9\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
            client = self.connect()
            self.assertEqual(client.ask(HEAD + fields).status, 408)
            self.assertTrue(client.ended_cleanly())

    def test_body_with_progress_is_given_time(self):
        client = self.connect()
        client.send(HEAD + b"Content-Length: 8\r\n\r\n")
        for _ in range(8):
            time.sleep(0.1)  # a slow peer, not a wait for anything
            client.send(b"x")
        self.assertEqual(client.take_answer().content, b"x" * 8)

    def test_idle_connections_end_without_a_word(self):
        client = self.connect()
        self.assertEqual(client.ask(GET).status, 200)
        self.assertTrue(client.ended_cleanly())
        self.assertTrue(self.connect().ended_cleanly())

    def test_peer_that_takes_no_answer(self):
        client = self.connect(receive_buffer=4096)
        try:
            while writable_within(client.socket, 5):
                client.socket.send(GET * 100)
        except ConnectionError:
            return  # it was closed on us, as it should be
        self.fail("the server keeps a connection that takes nothing")


class Vanishing(ServerTest):
    def test_resets_in_every_state(self):
        for part in (b"", GET[:5], GET, HEAD + b"Content-Length: 100\r\n\r\nx", GET * 1000,
                     HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"):
            for _ in range(10):
                client = self.server.connect()
                if part:
                    client.send(part)
                client.reset()
        self.assertEqual(self.connect().ask(GET).status, 200)

    def test_reset_while_an_answer_streams(self):
        client = self.server.connect(receive_buffer=4096)
        client.send(HEAD + b"Content-Length: 4000000\r\n\r\n" + b"x" * 1_000_000)
        client.take(10_000)
        client.reset()
        self.assertEqual(self.connect().ask(GET).status, 200)


class Backpressure(unittest.TestCase):
    def test_server_stops_reading_while_its_answers_are_not_taken(self):
        with Server("--max-body", "1G") as server, server.connect(receive_buffer=16384) as client:
            size = 100_000_000
            client.send(HEAD + b"Content-Length: %d\r\n\r\n" % size)
            client.socket.setblocking(False)
            sent = 0
            while writable_within(client.socket, 1.0):
                sent += client.socket.send(b"x" * min(1 << 16, size - sent))
                self.assertLess(sent, size // 2, "the server keeps reading")
            # Others are not held up, and it goes on when the client reads.
            with server.connect() as other:
                self.assertEqual(other.ask(GET).status, 200)
            client.socket.settimeout(30)
            self.assertEqual(client.take_head()[0], 200)
            begin = len(client.received)
            client.take(begin)
            taken = begin
            client.socket.setblocking(False)
            while taken < sent:
                try:
                    taken += len(client.socket.recv(1 << 20))
                except BlockingIOError:
                    time.sleep(0.001)
            self.assertTrue(writable_within(client.socket, 10))

    def test_pipelining_without_reading_takes_fixed_memory(self):
        with Server(threads=1) as server, server.connect(receive_buffer=4096) as client:
            before = server.memory()
            client.socket.setblocking(False)
            sent = 0
            while writable_within(client.socket, 1.0) and sent < 200_000_000:
                sent += client.socket.send(GET * 1000)
            self.assertLess(sent, 200_000_000, "the server keeps reading")
            self.assertLess(server.memory() - before, 32 << 20)

    def test_ten_thousand_requests_do_not_grow_the_server(self):
        with Server(threads=1) as server, server.connect() as client:
            for _ in range(20):
                client.send(GET * 100)
                for _ in range(100):
                    client.take_answer()
            before = server.memory()
            for _ in range(100):
                client.send(GET * 100)
                for _ in range(100):
                    client.take_answer()
            self.assertLess(server.memory() - before, 4 << 20)
            eventually(lambda: server.memory("VmHWM") > 0, "memory is measured")


# UBSan opens a pipe when it first meets a type with virtual functions, and reports an error when it cannot.
NEEDS_DESCRIPTORS = b"__ubsan_handle_dynamic_type_cache_miss" in (SAMPLES / "http_server").read_bytes()


@unittest.skipIf(NEEDS_DESCRIPTORS, "the undefined behaviour sanitizer itself fails without descriptors")
class Descriptors(unittest.TestCase):
    def test_server_without_descriptors_waits_and_then_serves_everyone(self):
        with Server(threads=1) as server:
            with server.connect() as client:
                client.ask(GET)
            spare = 8
            server.limit_descriptors(server.descriptors() + spare)
            clients = [server.connect() for _ in range(spare * 4)]
            for client in clients:
                client.send(GET)
            self.assertEqual(clients[0].take_answer().status, 200)
            before = server.cpu_seconds()
            time.sleep(1)  # as long as is measured
            self.assertLess(server.cpu_seconds() - before, 0.5, "the server spins")
            clients[0].socket.close()
            for client in clients[1:]:  # each makes room for another one
                self.assertEqual(client.take_answer().status, 200)
                client.socket.close()


if __name__ == "__main__":
    unittest.main()
