# SPDX-License-Identifier: BSL-1.0
#
# The measuring script is itself measured: tiny runs give well-formed figures, a server that answers
# wrongly is found out, and the arithmetic of rounds, ratios and bounds is right. Needs CORONET_BUILD, a
# build folder with the programs in it.
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
import xml.etree.ElementTree as xml

from unittest import mock

from harness import acceptance, charts, documents, locked, micro, rounds
from harness.run import leave_out_others

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("CORONET_BUILD", os.path.join(HERE, "..", "..", "build", "release"))
TINY = ["--build", BUILD, "--quick"]
FLOOR = "{bench}/echo_liburing --port {port}"
HAS_BENCHMARK = os.access(os.path.join(BUILD, "tests", "bench", "micro_bare"), os.X_OK)

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
        peer.close()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
""")
# Of datagrams it forgets some, or spoils them, once the harness has found it there.
BAD_DATAGRAMS = textwrap.dedent("""
    import socket, sys
    how, seen = sys.argv[2], 0
    peer = socket.socket(type=socket.SOCK_DGRAM)
    peer.bind(("127.0.0.1", int(sys.argv[1])))
    while True:
        data, sender = peer.recvfrom(4096)
        seen += 1
        if seen > 1 and seen % 50 == 0:
            if how == "forget":
                continue
            data = data[:-1] + bytes([data[-1] ^ 1])
        peer.sendto(data, sender)
""")
# Echoes, and keeps its side open when the client has finished.
FORGETFUL_ECHO = textwrap.dedent("""
    import socket, sys, threading
    kept = []
    def serve(peer):
        while data := peer.recv(4096):
            peer.sendall(data)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        kept.append(listener.accept()[0])
        threading.Thread(target=serve, args=[kept[-1]], daemon=True).start()
""")
# Sends as much as it is asked for, but not what.
LYING_SOURCE = textwrap.dedent("""
    import socket, sys
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        peer = listener.accept()[0]
        head = peer.recv(9, socket.MSG_WAITALL)
        if len(head) == 9:
            try:
                peer.sendall(bytes(int.from_bytes(head[1:], "little")))
            except OSError:
                pass
        peer.close()
""")


def bench(*arguments):
    """bench.py's exit code, what it said, and its JSON."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "bench.py"), *arguments, "--json", out.name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
        text = out.read()
    return done.returncode, done.stdout, json.loads(text) if text else None


def ran_by_python(source, *arguments):
    """A server's command, and the file that must live as long as it is used."""
    script = tempfile.NamedTemporaryFile("w", suffix=".py")
    script.write(source)
    script.flush()
    return script, " ".join([sys.executable, script.name, "{port}", *arguments])


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

    def test_what_others_took_of_the_shared_cpu_is_left_out_of_the_throughput_but_idling_is_not(self):
        busy, idle = (dict(rps=100.0, server_util=0.3, load_util=0.2, idle_here=each) for each in (0.0, 0.5))
        leave_out_others(busy)
        leave_out_others(idle)
        self.assertEqual((busy["rps"], idle["rps"]), (200.0, 100.0))

    def test_a_bound_is_held_against_the_best_of_several(self):
        runs = {"mine": [dict(cpu_us=3.0)], "good": [dict(cpu_us=2.0)], "bad": [dict(cpu_us=6.0)]}
        bound = acceptance.Bound(1, "", "mine", ("bad", "good", "absent"), "cpu_us", 1.4)
        seen = acceptance.judged(bound, runs)
        self.assertEqual((seen["seen"], seen["met"]), (1.5, False))
        self.assertIn("good", seen["note"])

    def test_a_bound_is_met_up_to_its_limit_from_either_side(self):
        runs = {"mine": [dict(rps=98.0)], "base": [dict(rps=100.0)]}
        for limit, how, met in ((0.98, acceptance.AT_LEAST, True), (0.99, acceptance.AT_LEAST, False),
                                (0.98, acceptance.AT_MOST, True), (0.97, acceptance.AT_MOST, False)):
            bound = acceptance.Bound(1, "", "mine", "base", "rps", limit, how)
            self.assertEqual(acceptance.judged(bound, runs)["met"], met, (limit, how))

    def test_a_bound_over_what_is_not_installed_is_neither_met_nor_missed(self):
        seen = acceptance.judged(acceptance.Bound(3, "", "mine", "nginx", "cpu_us", 0.5), {"mine": []})
        self.assertIsNone(seen["met"])

    def test_micro_figures_are_read_and_compared_round_by_round(self):
        text = json.dumps(dict(benchmarks=[
            dict(name="nested", cpu_time=2.0, real_time=9.0, time_unit="ns"),
            dict(name="pool/real_time", cpu_time=2.0, real_time=9.0, time_unit="us")]))
        self.assertEqual(micro.parse_google(text), {"nested": 2.0, "pool": 9000.0})
        self.assertEqual(micro.parse_lines("nop_1 350.5\nnop_32 70\n"), {"nop_1": 350.5, "nop_32": 70.0})
        rows = micro.summary({"nested": {"coronet": [2.0, 30.0, 4.0], "bare": [1.0, 20.0, 2.0]}})
        self.assertEqual(rows[0]["over_bare"]["median"], 2.0)
        self.assertEqual(len(micro.missed(rows)), 1)

    def test_a_chart_has_a_bar_for_each_value_and_the_longest_for_the_largest(self):
        drawn = xml.fromstring(charts.bars([("<title>", [("a", 1.0, "1", True), ("b & c", 4.0, "4", False)])]))
        widths = [float(each.get("width")) for each in drawn.iter("{http://www.w3.org/2000/svg}rect")]
        self.assertEqual(widths, [charts.BAR / 4, charts.BAR])


class TinyRuns(unittest.TestCase):
    def check_figures(self, data, protocols, latency=True):
        self.assertEqual(data["schema"], 2)
        self.assertEqual([table["protocol"] for table in data["tables"]], protocols)
        for table in data["tables"]:
            for row in table["rows"]:
                for key in ("rps", "cpu_us", "rounds", *(("p50_us", "p99_us", "rss_kb") if latency else ())):
                    self.assertGreater(row[key], 0, (row["name"], key))
                self.assertGreaterEqual(row["p99_us"], row["p50_us"])
            for ratio in table["ratios"]:
                for key in ("cpu", "rps", *(("p99", "rss") if latency else ())):
                    self.assertGreater(ratio[key]["median"], 0, (ratio["to"], key))

    def check_is_found_out(self, source, load, *arguments):
        script, command = ran_by_python(source, *arguments)
        with script:
            code, said, _ = bench("table", *TINY, "--load", load, f"liar={command}")
        self.assertEqual(code, 3, said)
        self.assertIn("liar", said)
        self.assertIn("wrong answers", said)

    def test_a_plain_run_measures_coronet_beside_the_floor(self):
        code, said, data = bench(*TINY)
        self.assertEqual(code, 0, said)
        self.check_figures(data, ["echo", "http"])
        for table in data["tables"]:
            names = [row["name"] for row in table["rows"]]
            self.assertEqual(names[:2], ["coronet", "c liburing"])

    def test_every_option_of_a_run_is_accepted(self):
        code, said, data = bench("table", *TINY, "--echo", "--size", "1000", "--depth", "8", "--two-cpus",
                                 "--conns", "6", "--secs", "0.06", "--warm", "0.03", "--rounds", "1",
                                 "c liburing", "c liburing oneshot")
        self.assertEqual(code, 0, said)
        self.check_figures(data, ["echo"])

    def test_connections_that_come_and_go_are_counted(self):
        code, said, data = bench("table", *TINY, "--load", "churn", "coronet", "c epoll")
        self.assertEqual(code, 0, said)
        self.check_figures(data, ["churn"])
        for row in data["tables"][0]["rows"]:
            self.assertGreater(row["connections"], 0)
            self.assertLess(row["connections"], row["rps"]) # several requests on each

    def test_datagrams_are_measured(self):
        code, said, data = bench("table", *TINY, "--load", "udp", "coronet", "c liburing", "c epoll batch")
        self.assertEqual(code, 0, said)
        self.check_figures(data, ["udp"])

    def test_lost_datagrams_are_counted_and_are_no_error(self):
        script, command = ran_by_python(BAD_DATAGRAMS, "forget")
        with script:
            code, said, data = bench("table", *TINY, "--load", "udp", "--secs", "0.5", f"bad={command}")
        self.assertEqual(code, 0, said)
        self.assertGreater(data["tables"][0]["rows"][0]["lost"], 0)

    def test_streams_and_copies_are_measured(self):
        for load in ("source", "sink", "copy"):
            code, said, data = bench("table", *TINY, "--load", load, "coronet", "c liburing")
            self.assertEqual(code, 0, said)
            self.check_figures(data, [load], latency=False)

    def test_a_firehose_is_held_against_the_quiet_before(self):
        code, said, data = bench("table", *TINY, "--load", "firehose", "--secs", "0.2", "coronet")
        self.assertEqual(code, 0, said)
        row = data["tables"][0]["rows"][0]
        self.assertGreater(row["poured_mib"], 0)
        self.assertAlmostEqual(row["p99_growth"], row["p99_us"] / row["quiet_p99_us"], 3)

    def test_idle_reports_memory_per_connection(self):
        code, said, data = bench("idle", *TINY, "--conns", "50", "--echo", "coronet", "c liburing")
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

    @unittest.skipUnless(shutil.which("valgrind") and shutil.which("objdump"), "valgrind or objdump is missing")
    def test_instructions_that_lock_are_counted(self):
        code, said, data = bench("locked", *TINY, "--max", "0", "c liburing")
        self.assertEqual(code, 0, said)
        self.assertEqual(data["tables"][0]["rows"][0]["locked"], 0)

    @unittest.skipUnless(shutil.which("perf") or shutil.which("strace"), "neither perf nor strace is installed")
    def test_a_count_that_is_too_high_is_exit_code_1(self):
        code, said, _ = bench("syscalls", *TINY, "--echo", "--max", "0.0001", "c epoll")
        self.assertEqual(code, 1, said)

    @unittest.skipUnless(shutil.which("perf") or shutil.which("strace"), "neither perf nor strace is installed")
    def test_system_calls_are_counted(self):
        code, said, data = bench("syscalls", *TINY, "--echo", "--secs", "0.4", "--warm", "0.1", "c epoll")
        self.assertEqual(code, 0, said)
        seen = data["tables"][0]["rows"][0]["syscalls"]
        self.assertTrue(1.5 < seen < 4, seen) # a receive, a send, and a share of a wait

    def test_allocations_are_counted(self):
        code, said, data = bench("allocations", *TINY, "--echo", "--secs", "0.2", "coronet")
        self.assertEqual(code, 0, said)
        self.assertLess(data["tables"][0]["rows"][0]["allocations"], 0.01)

    @unittest.skipUnless(HAS_BENCHMARK, "Google Benchmark was not found at build time")
    def test_micro_benchmarks_have_what_they_are_held_against(self):
        code, said, data = bench("micro", *TINY)
        self.assertEqual(code, 0, said)
        rows = {row["name"]: row for row in data["micro"]}
        for name in micro.BOUNDS:
            self.assertGreater(rows[name]["over_bare"]["median"], 0, name)

    def test_the_whole_set_becomes_a_page_with_charts_and_data(self):
        with tempfile.TemporaryDirectory() as folder:
            code, said, data = bench("all", *TINY, "http, depth", "datagrams", "file copy", "--docs", folder)
            self.assertEqual(code, 0, said)
            self.check_figures(dict(data, tables=data["tables"][:1]), ["http"])
            with open(os.path.join(folder, "benchmarks.md")) as file:
                page = file.read()
            for table in data["tables"]:
                self.assertRegex(page, f"(?im)^## {re.escape(table['title'])}$")
            for link in re.findall(r"\]\((benchmarks/[^)]*)\)", page):
                self.assertTrue(os.path.getsize(os.path.join(folder, link)), link)
            with open(os.path.join(folder, "benchmarks", "figures.json")) as file:
                self.assertEqual(len(json.load(file)["tables"]), 3)
            xml.parse(os.path.join(folder, "benchmarks", "cpu.svg"))

    def test_acceptance_gives_a_verdict_for_every_bound_of_a_line(self):
        code, said, data = bench("acceptance", *TINY, "--line", "4")
        self.assertIn(code, (0, 1), said)
        bounds = [each for each in data["bounds"] if each["limit"] is not None]
        self.assertEqual([each["line"] for each in bounds], [4])
        self.assertEqual(code, 0 if bounds[0]["met"] else 1)

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
        self.check_is_found_out(LYING_ECHO, "echo")
        self.check_is_found_out(LYING_ECHO.replace("1000", "100"), "churn") # a connection sees 640
        self.check_is_found_out(BAD_DATAGRAMS, "udp", "spoil")
        self.check_is_found_out(LYING_SOURCE, "source")

    def test_a_server_that_does_not_close_stalls(self):
        script, command = ran_by_python(FORGETFUL_ECHO)
        with script:
            code, said, _ = bench("table", *TINY, "--load", "churn", "--stall", "0.5", "--secs", "9", f"x={command}")
        self.assertEqual(code, 3, said)
        self.assertIn("stalled", said)

    def test_a_copy_that_differs_is_exit_code_3(self):
        code, said, _ = bench("table", *TINY, "--load", "copy", "liar=cp /dev/null {to}")
        self.assertEqual(code, 3, said)
        self.assertIn("not like the original", said)

    def test_a_server_that_does_not_start_is_exit_code_3(self):
        code, said, _ = bench("table", *TINY, "--echo", "gone=/bin/false {port}")
        self.assertEqual(code, 3, said)
        code, said, _ = bench("table", *TINY, "--echo", "gone=/nonexistent/server {port}")
        self.assertEqual(code, 3, said)


@unittest.skipUnless(platform.machine() == "x86_64", "instructions are known for x86 only")
class LockedInstructions(unittest.TestCase):
    def counted(self, lines, messages):
        text = {0x1000: "push %rbp", 0x1001: "lock xadd %eax,(%rdi)", 0x1005: "xchg %rax,%rbx", 0x1008: "xchg %eax,(%rdi)"}
        with mock.patch.object(locked, "count_by_instruction", lambda *_: (lines, messages)), \
                mock.patch.object(locked, "disassembled", lambda file: text if file == "/server" else {}):
            return locked.locked_instructions(None, None, None, 0)

    def test_those_that_lock_are_found_by_their_place(self):
        found = self.counted(["ob=(1) /server", "fn=(7) f", "0x1000 5 100", "+1 * 100", "+4 +1 100", "+3 * 200"], 100)
        self.assertEqual(found, 3)

    def test_those_of_turns_and_connections_are_left_out(self):
        self.assertEqual(self.counted(["ob=(1) /server", "fn=(7) f", "0x1001 5 49"], 100), 0)

    def test_the_cost_of_a_callee_is_not_that_of_the_call(self):
        lines = ["ob=(1) /server", "fn=(7) f", "cob=(2) /other", "cfn=(8) g", "calls=100 0x77 3", "0x1001 5 9000"]
        self.assertEqual(self.counted(lines, 100), 0)

    def test_a_name_is_told_once_and_then_by_its_number(self):
        lines = ["ob=(2) /other", "cob=(1) /server", "fn=(7) f", "ob=(1)", "0x1001 5 100", "ob=(2)", "* 5 100"]
        self.assertEqual(self.counted(lines, 100), 1)


if __name__ == "__main__":
    unittest.main()
