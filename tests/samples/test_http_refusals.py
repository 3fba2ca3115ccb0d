# SPDX-License-Identifier: BSL-1.0
"""What the sample http_server refuses: limits, malformed requests, attempts at request smuggling."""
import random
import unittest

from http_server_process import GET, ServerTest

HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Limits(ServerTest):
    arguments = ("--max-head", "2048", "--max-body", "10000")

    def test_head_too_large(self):
        self.expect_refused(GET[:-2] + b"X: " + b"x" * 3000 + b"\r\n\r\n", 431)
        self.expect_refused(GET[:-2] + b"X: y\r\n" * 500 + b"\r\n", 431)

    def test_too_many_fields(self):
        self.expect_refused(GET[:-2] + b"X:\r\n" * 101 + b"\r\n", 431)

    def test_target_too_long(self):
        self.expect_refused(b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414)

    def test_body_too_large(self):
        self.expect_refused(HEAD + b"Content-Length: 10001\r\n\r\n", 413)
        self.expect_refused(HEAD + b"Content-Length: 18446744073709551615\r\n\r\n", 413)
        self.expect_refused(CHUNKED + b"2711\r\n", 413)

    def test_refused_upload_can_still_read_its_answer(self):
        client = self.connect()
        client.send(HEAD + b"Content-Length: 10000000\r\n\r\n" + b"x" * 10_000_000)
        self.assertEqual(client.take_answer().status, 413)
        self.assertTrue(client.ended_cleanly())

    def test_body_of_exactly_the_limit(self):
        answer = self.connect().ask(HEAD + b"Content-Length: 10000\r\n\r\n" + b"x" * 10000)
        self.assertEqual((answer.status, len(answer.content)), (200, 10000))

    def test_trailer_too_large(self):
        client = self.connect()
        client.send(CHUNKED + b"0\r\n" + b"X: y\r\n" * 2000 + b"\r\n")
        self.assertEqual(client.take_answer().status, 431)

    def test_versions(self):
        for version in (b"2.0", b"3.0", b"1.2", b"0.9"):
            self.expect_refused(b"GET / HTTP/%b\r\nHost: a\r\n\r\n" % version, 505)
        self.expect_refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)

    def test_expectations(self):
        self.expect_refused(HEAD + b"Expect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417)

    def test_codings(self):
        self.expect_refused(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501)
        self.expect_refused(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501)


class Malformed(ServerTest):
    def test_heads(self):
        for head in (
            b"GET /\r\n\r\n",
            b"GET / HTTP/1.1\n\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\0",
        ):
            self.expect_refused(head, 400)

    def test_bodies_that_two_readers_could_see_differently(self):
        smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        for fields in (
            b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
            b"Content-Length: 5\r\nContent-Length: 6\r\n",
            b"Content-Length: 5\r\nContent-Length: 5\r\n",
            b"Content-Length: 5, 5\r\n",
            b"Content-Length: +5\r\n",
            b"Content-Length: 0x5\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length: 5 \x0b\r\n",
            b"Content-Length: \r\n",
            b"Content-Length: 18446744073709551616\r\n",
            b"Content-Length : 5\r\n",
            b" Content-Length: 5\r\n",
            b"Transfer-Encoding : chunked\r\n",
            b"Transfer-Encoding:\x0bchunked\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked, chunked\r\n",
            b"Transfer-Encoding: chunked, identity\r\n",
            b"Transfer-Encoding:\r\n chunked\r\n",
        ):
            self.expect_refused(HEAD + fields + b"\r\n" + smuggled, 400)
        for coding in (b"xchunked", b"identity", b"gzip"):
            self.expect_refused(HEAD + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + smuggled, 400, 501)
        self.expect_refused(b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, 400)

    def test_chunks(self):
        for body in (
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b"1 \r\nx\r\n0\r\n\r\n",
            b" 1\r\nx\r\n0\r\n\r\n",
            b"1\nx\r\n0\r\n\r\n",
            b"00000000000000001\r\nx\r\n0\r\n\r\n",
            b"10000000000000001\r\nx\r\n0\r\n\r\n",
            b"1;\nx\r\n0\r\n\r\n",
            b"1;" + b"x" * 300 + b"\r\nx\r\n0\r\n\r\n",
            b"0\r\nX : y\r\n\r\n",
            b"0\r\n y\r\n\r\n",
            b"0\r\n\n",
        ):
            self.expect_refused(CHUNKED + body, 400)
        self.expect_refused(CHUNKED + b"ffffffffffffffff\r\n", 413)

    def test_chunk_that_goes_wrong_after_the_answer_has_begun_ends_the_connection(self):
        client = self.connect()
        client.send(CHUNKED + b"1\r\nx\r\n")
        self.assertEqual(client.take_head()[0], 200)
        self.assertEqual(client.take(6), b"1\r\nx\r\n")
        client.send(b"x\r\n")
        self.assertTrue(client.ended())  # and no last chunk came

    def test_requests_before_a_malformed_one_are_answered(self):
        client = self.connect()
        client.send(GET + GET + b"bad\r\n\r\n" + GET)
        self.assertEqual([client.take_answer().status for _ in range(3)], [200, 200, 400])
        self.assertTrue(client.ended_cleanly())

    def test_end_of_input_inside_a_request(self):
        for part in (GET[:10], HEAD + b"Content-Length: 5\r\n\r\nab", CHUNKED + b"5\r\nab"):
            with self.subTest(part):
                client = self.connect()
                client.send(part)
                client.finish_sending()
                while client.more():
                    pass
                if client.received:
                    self.assertIn(client.take_head()[0], (200, 400))

    def test_random_garbage_does_no_harm(self):
        chance = random.Random(1)
        for _ in range(200):
            with self.server.connect() as client:
                data = bytearray(chance.choice((GET, CHUNKED + b"1\r\nx\r\n0\r\n\r\n", chance.randbytes(300))))
                for _ in range(chance.randrange(5)):
                    data[chance.randrange(len(data))] = chance.randrange(256)
                try:
                    client.send(data)
                    client.finish_sending()
                    while client.more():
                        pass
                except ConnectionError:
                    pass
        self.assertEqual(self.connect().ask(GET).status, 200)


if __name__ == "__main__":
    unittest.main()
