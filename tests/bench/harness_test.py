# SPDX-License-Identifier: BSL-1.0
#
# The measuring script is itself measured: tiny runs give well-formed figures, a server that answers
# wrongly is found out, and the arithmetic of rounds and ratios is right. Needs CORONET_BUILD, a build
# folder with the programs in it.
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from harness import rounds

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("CORONET_BUILD", os.path.join(HERE, "..", "..", "build", "release"))
TINY = ["--build", BUILD, "--conns", "4", "--secs", "0.05", "--warm", "0.02", "--rounds", "1",
        "--max-rounds", "1", "--retries", "0"]
FLOOR = "{bench}/echo_liburing --port {port}"

# An echo that flips one bit once it has seen some data, which no rate or latency would show.
LYING_ECHO = textwrap.dedent("""
    import socket, sys, threading
    def serve(peer):
        seen = 0
        while data := bytearray(peer.recv(4096)):
            seen += len(data)
            if seen > 1000:
                data[0] ^= 1
            peer.sendall(data)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
""")


def bench(*arguments):
    """bench.py's exit code, what it said, and its JSON."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "bench.py"), *arguments, "--json", out.name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
        text = out.read()
    return done.returncode, done.stdout, json.loads(text) if text else None


class Arithmetic(unittest.TestCase):
    def test_ratios_are_taken_inside_a_round(self):
        runs = {"mine": [dict(cpu_us=2.0), dict(cpu_us=40.0), dict(cpu_us=6.0)],
                "base": [dict(cpu_us=1.0), dict(cpu_us=20.0), dict(cpu_us=2.0)]}
        seen = rounds.ratio(runs, "mine", "base", "cpu_us")
        self.assertEqual(seen["median"], 2.0)
        self.assertEqual((seen["low"], seen["high"]), (2.0, 3.0))

    def test_a_ratio_to_nothing_is_none(self):
        runs = {"mine": [dict(rss_kb=2)], "base": [dict(rss_kb=0)]}
        self.assertIsNone(rounds.ratio(runs, "mine", "base", "rss_kb"))

    def test_spread_is_half_the_interquartile_range_over_the_median(self):
        self.assertEqual(rounds.spread([5.0] * 9), 0.0)
        self.assertAlmostEqual(rounds.spread([1.0, 2.0, 3.0, 4.0, 5.0]), 1 / 3)

    def test_rounds_go_on_while_ratios_spread_and_end_at_the_limit(self):
        class options:
            rounds, max_rounds, stable = 3, 7, 0.025
        steady = rounds.interleave(["a", "b"], options, lambda name: dict(cpu_us=1.0), lambda: None)
        self.assertEqual({name: len(each) for name, each in steady.items()}, {"a": 3, "b": 3})
        drift = iter(range(1, 1000))
        wild = rounds.interleave(["a", "b"], options, lambda name: dict(cpu_us=float(next(drift) ** 3)),
                                 lambda: None)
        self.assertEqual(len(wild["a"]), 7)


class TinyRuns(unittest.TestCase):
    def check_figures(self, data, protocols):
        self.assertEqual(data["schema"], 1)
        self.assertEqual([table["protocol"] for table in data["tables"]], protocols)
        for table in data["tables"]:
            for row in table["rows"]:
                for key in ("rps", "p50_us", "p99_us", "rss_kb", "rounds"):
                    self.assertGreater(row[key], 0, (row["name"], key))
                self.assertGreater(row["cpu_us"], 0, row["name"])
                self.assertGreaterEqual(row["p99_us"], row["p50_us"])
            for ratio in table["ratios"]:
                for key in ("cpu", "rps", "p99", "rss"):
                    self.assertGreater(ratio[key]["median"], 0, (ratio["to"], key))

    def test_a_plain_run_measures_coronet_beside_the_floor(self):
        code, said, data = bench(*TINY)
        self.assertEqual(code, 0, said)
        self.check_figures(data, ["echo", "http"])
        for table in data["tables"]:
            names = [row["name"] for row in table["rows"]]
            self.assertEqual(names[:2], ["coronet", "c liburing"])

    def test_every_option_of_a_run_is_accepted(self):
        code, said, data = bench("table", *TINY, "--echo", "--size", "1000", "--depth", "8", "--two-cpus",
                                 "c liburing", "c liburing oneshot")
        self.assertEqual(code, 0, said)
        self.check_figures(data, ["echo"])

    def test_idle_reports_memory_per_connection(self):
        code, said, data = bench("idle", *TINY, "--conns", "50", "--echo")
        self.assertEqual(code, 0, said)
        for row in data["tables"][0]["rows"]:
            self.assertEqual(row["conns"], 50)
            self.assertGreater(row["rss_kb"], 0)

    @unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed; nothing else counts instructions")
    def test_instructions_are_counted(self):
        code, said, data = bench("instructions", *TINY, "c liburing")
        self.assertEqual(code, 0, said)
        row = data["tables"][0]["rows"][0]
        self.assertTrue(100 < row["instructions"] < 1000, row)

    def test_a_missed_gate_is_exit_code_1(self):
        code, said, _ = bench("compare", "a", FLOOR, "b", FLOOR, *TINY, "--max-cpu", "0.001")
        self.assertEqual(code, 1, said)
        code, said, _ = bench("compare", "a", FLOOR, "b", FLOOR, *TINY, "--min-rps", "1000")
        self.assertEqual(code, 1, said)
        code, said, _ = bench("compare", "a", FLOOR, "b", FLOOR, *TINY, "--max-cpu", "1000")
        self.assertEqual(code, 0, said)

    def test_wrong_arguments_and_missing_programs_are_exit_code_2(self):
        code, said, _ = bench("--no-such-option")
        self.assertEqual(code, 2, said)
        code, said, _ = bench(*TINY, "no such server")
        self.assertEqual(code, 2, said)
        code, said, _ = bench(*TINY, "--build", "/nonexistent")
        self.assertEqual(code, 2, said)
        self.assertIn("coronet_bench_programs", said)

    def test_a_wrong_byte_is_exit_code_3(self):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
            script.write(LYING_ECHO)
            script.flush()
            code, said, _ = bench("table", *TINY, "--echo", f"liar={sys.executable} {script.name} {{port}}")
        self.assertEqual(code, 3, said)
        self.assertIn("liar", said)
        self.assertIn("wrong answers", said)

    def test_a_server_that_does_not_start_is_exit_code_3(self):
        code, said, _ = bench("table", *TINY, "--echo", "gone=/bin/false {port}")
        self.assertEqual(code, 3, said)
        code, said, _ = bench("table", *TINY, "--echo", "gone=/nonexistent/server {port}")
        self.assertEqual(code, 3, said)


if __name__ == "__main__":
    unittest.main()
