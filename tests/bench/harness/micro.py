# SPDX-License-Identifier: BSL-1.0
#
# Micro benchmarks: nanoseconds an operation, of Coronet, of what it stands on (the bare ring, a bare
# coroutine, a bare heap), and of Asio. All programs run once in every round, and ratios are taken
# inside a round, as with servers.
import json
import random
import statistics
import subprocess
import tempfile

from . import rounds
from .programs import Missing
from .server import Failed

# Program, what it stands for, and whether Google Benchmark runs it.
PROGRAMS = (("micro_coronet", "coronet", True), ("micro_scheduler", "coronet", True),
            ("micro_ring", "bare", False), ("micro_timers", "bare", False), ("micro_bare", "bare", True),
            ("micro_asio", "asio", True))
OPTIONAL = ("micro_asio", "micro_bare", "micro_coronet", "micro_scheduler")  # where there is no library
TEXTS = {
    "nop_1": "await of a NOP, alone",
    "nop_32": "await of a NOP, 32 side by side",
    "nop_limit": "the same with a time limit, alone",
    "spawn_join": "spawn and join a trivial task",
    "nested": "await of a nested task",
    "resume": "suspend and resume",
    "timer": "timer cancelled and armed among 100,000",
    "channel": "a value through a channel",
    "mutex": "lock and unlock, nobody waits",
    "pool": "a call on a worker thread and back",
    "run_on": "a task on another scheduler and back",
    "wake_one_cpu": "wake of a parked thread, one CPU",
    "wake_two_cpus": "wake of a parked thread, two CPUs",
}
# Coronet over the bare ring, coroutine or heap, at most.
BOUNDS = {"nop_32": 1.15, "spawn_join": 1.7, "nested": 1.3, "timer": 2.0, "wake_one_cpu": 1.1}


def parse_google(text):
    """Name and nanoseconds of each; those that say real_time wait for other threads. Nothing matched:
    nothing was written."""
    if not text:
        return {}
    units = {"ns": 1, "us": 1e3, "ms": 1e6}
    figures = {}
    for each in json.loads(text)["benchmarks"]:
        name, _, how = each["name"].partition("/")
        time = each["real_time" if how.startswith("real_time") else "cpu_time"]
        figures[name] = time * units[each["time_unit"]]
    return figures


def parse_lines(text):
    return {name: float(figure) for name, figure in (line.split() for line in text.splitlines())}


def run_one(program, is_google, quick):
    with tempfile.NamedTemporaryFile("r") as out: # the library may say something on standard output
        words = [program, *(BOUNDS if quick else ())]
        if is_google:
            names = "|".join(BOUNDS) if quick else ".*"
            words = [program, f"--benchmark_out={out.name}", "--benchmark_out_format=json",
                     f"--benchmark_min_time={0.001 if quick else 0.05}", f"--benchmark_filter=^({names})(/|$)"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise Failed(f"{program}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        return parse_google(out.read()) if is_google else parse_lines(done.stdout)


def measure(programs, options, progress):
    """Runs: who, what -> nanoseconds, a value a round."""
    found = []
    for name, who, is_google in PROGRAMS:
        try:
            found.append((programs.tool(name), who, is_google))
        except Missing:
            if name not in OPTIONAL:
                raise
    runs = {}
    for _ in range(options.rounds):
        for program, who, is_google in random.sample(found, len(found)):
            for what, nanoseconds in run_one(program, is_google, options.quick).items():
                runs.setdefault(what, {}).setdefault(who, []).append(nanoseconds)
            progress()
    return runs


def ratio(values, mine, base):
    if mine not in values or base not in values:
        return None
    pairs = [a / b for a, b in zip(values[mine], values[base]) if b]
    return dict(median=statistics.median(pairs), spread=rounds.spread(pairs), low=min(pairs),
                high=max(pairs)) if pairs else None


def summary(runs):
    """A row an operation that Coronet has, in the order of TEXTS, then the rest."""
    rows = []
    for name in [*TEXTS, *(each for each in runs if each not in TEXTS)]:
        if name not in runs:
            continue
        values = runs[name]
        rows.append(dict(name=name, text=TEXTS.get(name, name),
                         ns={who: statistics.median(each) for who, each in values.items()},
                         over_bare=ratio(values, "coronet", "bare"),
                         over_asio=ratio(values, "coronet", "asio"), bound=BOUNDS.get(name)))
    return rows


def missed(rows):
    return [f"{row['text']}: x{row['over_bare']['median']:.2f} of the bare one; at most x{row['bound']}"
            for row in rows if row["bound"] and row["over_bare"] and row["over_bare"]["median"] > row["bound"]]


def show(rows):
    print(f"\n{'nanoseconds':44}{'coronet':>10}{'bare':>10}{'asio':>10}{'over bare':>16}{'at most':>9}{'over asio':>16}")
    for row in rows:
        times = "".join(f"{row['ns'][who]:10.1f}" if who in row["ns"] else f"{'':10}"
                        for who in ("coronet", "bare", "asio"))
        words = [f"x{each['median']:.2f} +-{100 * each['spread']:.0f}%" if each else ""
                 for each in (row["over_bare"], row["over_asio"])]
        bound = f"x{row['bound']}" if row["bound"] else ""
        print(f"{row['text']:44}{times}{words[0]:>16}{bound:>9}{words[1]:>16}")
