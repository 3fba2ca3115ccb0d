# SPDX-License-Identifier: BSL-1.0
"""What the sample http_server answers to clients that do everything right."""
import email.utils
import time
import unittest

from http_server_process import GET, Server, ServerTest


def post(body, *fields, path=b"/echo"):
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: a", *fields, b"", b""]
    return b"\r\n".join(lines) + body


def post_length(body, *fields):
    return post(body, b"Content-Length: %d" % len(body), *fields)


def post_chunks(*chunks, trailer=b"", fields=()):
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return post(body + b"0\r\n" + trailer + b"\r\n", b"Transfer-Encoding: chunked", *fields)


class Answers(ServerTest):
    def test_hello(self):
        answer = self.connect().ask(GET)
        self.assertEqual((answer.status, answer.content), (200, b"Hello, World!"))
        self.assertEqual(answer.fields["content-type"], "text/plain")
        self.assertEqual(answer.fields["content-length"], "13")
        self.assertIn("server", answer.fields)
        date = email.utils.parsedate_to_datetime(answer.fields["date"]).timestamp()
        self.assertLess(abs(date - time.time()), 5)

    def test_query_is_no_part_of_the_path(self):
        self.assertEqual(self.connect().ask(b"GET /?a=b HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)

    def test_absolute_target(self):
        self.assertEqual(self.connect().ask(b"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n").status, 200)

    def test_head_has_the_fields_and_no_content(self):
        client = self.connect()
        answer = client.ask(GET.replace(b"GET", b"HEAD"), to_head=True)
        self.assertEqual((answer.status, answer.fields["content-length"]), (200, "13"))
        self.assertEqual(client.ask(GET).content, b"Hello, World!")

    def test_unknown_paths_and_methods(self):
        client = self.connect()
        self.assertEqual(client.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").status, 404)
        for method, path, allow in ((b"POST", b"/", {"GET", "HEAD"}), (b"GET", b"/echo", {"POST"})):
            answer = client.ask(b"%b %b HTTP/1.1\r\nHost: a\r\n\r\n" % (method, path))
            self.assertEqual(answer.status, 405)
            self.assertEqual(set(answer.fields["allow"].split(", ")), allow)
        self.assertEqual(client.ask(GET).status, 200)
        self.assertEqual(client.ask(GET.replace(b"GET", b"BREW")).status, 501)

    def test_echo(self):
        client = self.connect()
        for body in (b"", b"x", b"\r\n\r\n", bytes(range(256)) * 1000):
            answer = client.ask(post_length(body))
            self.assertEqual((answer.status, answer.content), (200, body))
            self.assertEqual(answer.fields["content-length"], str(len(body)))

    def test_echo_of_chunks(self):
        client = self.connect()
        answer = client.ask(post_chunks(b"hello", b" ", b"world" * 50_000, trailer=b"X: y\r\nHost: b\r\n"))
        self.assertEqual(answer.content, b"hello " + b"world" * 50_000)
        self.assertEqual(answer.fields["transfer-encoding"], "chunked")
        self.assertEqual(client.ask(post_chunks()).content, b"")
        self.assertEqual(client.ask(GET).status, 200)

    def test_pieces_of_a_body_come_back_before_its_end(self):
        client = self.connect()
        client.send(post(b"", b"Transfer-Encoding: chunked"))
        client.send(b"3\r\nabc\r\n")
        self.assertEqual(client.take_head()[0], 200)
        self.assertEqual(client.take(8), b"3\r\nabc\r\n")
        client.send(b"2\r\nde\r\n0\r\n\r\n")
        self.assertEqual(client.take(12), b"2\r\nde\r\n0\r\n\r\n")

    def test_pipelined_requests_are_answered_in_order(self):
        client = self.connect()
        client.send((GET + post_length(b"one") + post_chunks(b"two") + GET.replace(b"/", b"/x", 1)) * 200)
        for _ in range(200):
            contents = [client.take_answer() for _ in range(4)]
            self.assertEqual([answer.status for answer in contents], [200, 200, 200, 404])
            self.assertEqual([answer.content for answer in contents[:3]], [b"Hello, World!", b"one", b"two"])

    def test_http_1_0(self):
        client = self.connect()
        answer = client.ask(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual((answer.status, answer.fields["connection"]), (200, "close"))
        self.assertTrue(client.ended_cleanly())
        client = self.connect()
        for _ in range(3):
            answer = client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            self.assertEqual(answer.fields["connection"], "keep-alive")

    def test_connection_close(self):
        client = self.connect()
        answer = client.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + GET * 1000)
        self.assertEqual(answer.fields["connection"], "close")
        self.assertTrue(client.ended_cleanly())

    def test_expect_100_continue(self):
        client = self.connect()
        client.send(post(b"", b"Content-Length: 2", b"Expect: 100-continue"))
        self.assertEqual(client.take_answer().status, 100)
        client.send(b"hi")
        self.assertEqual(client.take_answer().content, b"hi")
        self.assertEqual(client.ask(GET).status, 200)

    def test_expect_100_continue_is_not_for_bodies_that_nobody_wants(self):
        client = self.connect()
        answer = client.ask(post(b"", b"Content-Length: 2", b"Expect: 100-continue", path=b"/x"))
        self.assertEqual((answer.status, answer.fields["connection"]), (404, "close"))
        self.assertTrue(client.ended_cleanly())

    def test_unread_body_is_skipped(self):
        client = self.connect()
        self.assertEqual(client.ask(post(b"body", b"Content-Length: 4", path=b"/x")).status, 404)
        self.assertEqual(client.ask(GET).status, 200)

    def test_one_byte_at_a_time(self):
        client = self.connect()
        client.send_bytewise(GET + post_chunks(b"hello", b"world", trailer=b"X: y\r\n") + post_length(b"end"))
        answers = [client.take_answer() for _ in range(3)]
        self.assertEqual([answer.content for answer in answers], [b"Hello, World!", b"helloworld", b"end"])

    def test_half_close_after_requests(self):
        client = self.connect()
        client.send(GET + post_length(b"x" * 100_000) + GET)
        client.finish_sending()
        answers = [client.take_answer() for _ in range(3)]
        self.assertEqual([len(answer.content) for answer in answers], [13, 100_000, 13])
        self.assertTrue(client.ended_cleanly())


class Listening(unittest.TestCase):
    def test_ipv6(self):
        with Server(listen="[::1]:0") as server, server.connect() as client:
            self.assertEqual(client.ask(GET).status, 200)

    def test_one_thread_and_more(self):
        for threads in (1, 3):
            with Server(threads=threads) as server:
                clients = [server.connect() for _ in range(20)]
                for client in clients:
                    self.assertEqual(client.ask(GET).status, 200)
                    client.socket.close()


if __name__ == "__main__":
    unittest.main()
