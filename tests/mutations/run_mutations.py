# SPDX-License-Identifier: BSL-1.0
"""Shows that the tests of our numbered sentences bite: puts one mistake at a time into the code and expects a failure.

The mistakes are in the .json files beside this one, lists of

    {"sentence": "D5", "test": "mutex_waiters.D5_a_cancelled_waiter_passes_the_lock_on", "target": "coro_tests",
     "file": "coro/mutex.cpp", "old": "text that is there once", "new": "what to put there", "why": "what it breaks"}

The tree is copied (to build/mutants, where a second run finds most of it built), built once without the mistakes, each
test passes, and then each mistake is put in by itself: the test must fail, abort or exceed its limit. A `target` of
`ctest` means a test that CTest knows by that name and that needs no building, such as a check of the text.

Usage: run_mutations.py [--only SENTENCE|TEST]... [--folder FOLDER]     build and try them
       run_mutations.py --check        whether each can be put in and has its test; builds nothing
       run_mutations.py --list         what there is
       run_mutations.py --table        writes the table of docs/kernel-lessons.md
       run_mutations.py --self-test
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "checks"))
from sources import ROOT, report  # noqa: E402

KEYS = ("sentence", "test", "target", "file", "old", "new", "why")
LIMIT = 60  # seconds for one test, as CTest gives it
NOT_COPIED = {".git", "build", "__pycache__"}
TEST = re.compile(r"^\s*(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", re.MULTILINE)
SENTENCE = re.compile(r"[A-Z]{1,2}(?:-[A-Z])?\d+(?:\.\d+)*[a-z]?")  # L1, W1b, AN2, T-S2.1
CTEST = re.compile(r"add_test\(\s*NAME\s+([\w.]+)")
PAGE = "docs/kernel-lessons.md"
BEGIN, END = "<!-- table: written by run_mutations.py --table -->", "<!-- end of table -->"


@dataclass
class Mutation:
    sentence: str
    test: str
    target: str
    file: str
    old: str
    new: str
    why: str
    source: str = ""  # the .json it is from

    @property
    def name(self):
        return f"{self.source}: {self.sentence} {self.test}"

    def applied_to(self, text):
        return text.replace(self.old, self.new)


def order(sentence):
    """L before C before D before X, then by number."""
    family = re.match("[A-Z-]+", sentence).group()
    numbers = [int(number) for number in re.findall(r"\d+", sentence)]
    return "LCDX".find(family) % 5, family, numbers, sentence


def load(root=ROOT):
    """All mutations of the tree, by sentence; and what is wrong with their files."""
    mutations, problems = [], []
    for path in sorted((root / "tests/mutations").glob("*.json")):
        try:
            entries = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            problems.append(f"{path.name}: {error}")
            continue
        for number, entry in enumerate(entries, start=1):
            unfit = set(entry) ^ set(KEYS) or {key for key in KEYS if not isinstance(entry[key], str)}
            unfit = unfit or ({"sentence"} if not SENTENCE.fullmatch(entry["sentence"]) else set())
            if unfit:
                problems.append(f"{path.name}, entry {number}: missing, unknown or unfit: {', '.join(sorted(unfit))}")
            else:
                mutations.append(Mutation(**entry, source=path.stem))
    return sorted(mutations, key=lambda each: (order(each.sentence), each.test, each.file)), problems


def tests_of(root=ROOT):
    """Names of all tests, as gtest and CTest give them: {name: file}."""
    found = {}
    for path in sorted((root / "tests").rglob("*.cpp")):
        for suite, name in TEST.findall(path.read_text()):
            found[f"{suite}.{name}"] = path.relative_to(root).as_posix()
    for path in sorted((root / "tests").rglob("CMakeLists.txt")):
        for name in CTEST.findall(path.read_text()):
            found[name] = path.relative_to(root).as_posix()
    return found


def as_written(test):
    """The name in the source: `suite/type.name` and `cases/suite.name/case` are made of `suite.name`."""
    suite, dot, name = test.partition(".")
    suite = suite.split("/")[-1 if "/" in name else 0]
    return suite + dot + name.split("/")[0]


# --- checking without building -------------------------------------------------------------------------------------


def targets_of(root):
    text = "\n".join(p.read_text() for p in sorted((root / "tests").rglob("CMakeLists.txt")))
    return set(re.findall(r"(?:coronet_\w+|add_executable)\(\s*(\w+)", text)) | {"ctest"}


def problems_of(mutation, root, tests, targets):
    found = []
    path = root / mutation.file
    count = path.read_text().count(mutation.old) if path.is_file() else 0
    if not path.is_file():
        found.append(f"{mutation.file} does not exist")
    elif count != 1 or not mutation.old:
        found.append(f"`old` is {count} times in {mutation.file}, not once")
    if mutation.old == mutation.new:
        found.append("`new` is what is there already")
    if not mutation.test.partition(".")[2].startswith(re.sub(r"\W", "_", mutation.sentence) + "_"):
        found.append("the test is not named after the sentence")
    if as_written(mutation.test) not in tests:
        found.append("there is no such test")
    if mutation.target not in targets:
        found.append(f"there is no target {mutation.target}")
    return [f"{mutation.name}: {each}" for each in found]


def check_tree(root=ROOT):
    mutations, found = load(root)
    tests, targets = tests_of(root), targets_of(root)
    for mutation in mutations:
        found += problems_of(mutation, root, tests, targets)
    return found


# --- the table of the documentation --------------------------------------------------------------------------------


def table(mutations):
    def cell(text):
        return text.replace("|", "\\|")

    lines = ["| sentence | test | the mistake that makes it fail |", "|---|---|---|"]
    for each in mutations:
        lines.append(f"| {each.sentence} | `{each.test}` | {cell(each.why)} (`{each.file}`) |")
    return "\n".join(lines)


def with_table(page, mutations):
    """The page with the table of today between its marks."""
    begin, end = page.find(BEGIN), page.find(END)
    if begin < 0 or end < begin:
        raise SystemExit(f"{PAGE}: the marks of the table are missing")
    return page[: begin + len(BEGIN)] + "\n\n" + table(mutations) + "\n\n" + page[end:]


def write_table():
    mutations, problems = load()
    path = ROOT / PAGE
    path.write_text(with_table(path.read_text(), mutations))
    return report(problems)


# --- building and trying -------------------------------------------------------------------------------------------


class Workshop:
    """A copy of the tree and one build of it."""

    def __init__(self, folder):
        self.tree, self.build = folder / "tree", folder / "build"

    def prepare(self, targets):
        bring_up_to_date(ROOT, self.tree)
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        # As preset dev, but for warnings, which a mistake may cause, and debug information, which nobody reads.
        self.run(
            ["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=", "-DCMAKE_CXX_FLAGS=-w",
             "-DCMAKE_CXX_EXTENSIONS=OFF", "-DCORONET_HOOKS=ON", "-DCORONET_BUILD_BENCH=OFF",
             "-DCORONET_BUILD_SAMPLES=OFF", "-DCORONET_TEST_PACKAGE=OFF", *launcher]
        )  # fmt: skip
        for target in targets:
            self.build_target(target)

    def build_target(self, target):
        if target != "ctest":
            self.run(["cmake", "--build", self.build, "--target", target])

    def run(self, command):
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count()))
        environment = {"CCACHE_BASEDIR": str(self.tree), **os.environ, "CMAKE_BUILD_PARALLEL_LEVEL": jobs}
        done = subprocess.run(
            [*map(str, command)], env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode != 0:
            raise BuildFailed(done.stdout[-3000:])

    def outcome(self, mutation):
        """passed, skipped, failed, timed out, or not run."""
        if mutation.target == "ctest":
            pattern = f"^{re.escape(mutation.test)}$"
            return outcome_of(["ctest", "--test-dir", self.build, "--no-tests=error", "-V", "-R", pattern])
        program = next(p for p in self.build.rglob(mutation.target) if p.is_file() and os.access(p, os.X_OK))
        return outcome_of([program, f"--gtest_filter={mutation.test}:*/{mutation.test}/*"])

    def try_out(self, mutation):
        """What the test says with the mistake in place."""
        path = self.tree / mutation.file
        text = path.read_text()
        try:
            path.write_text(mutation.applied_to(text))
            self.build_target(mutation.target)
            return self.outcome(mutation)
        except BuildFailed as error:
            print(error)
            return "does not compile"
        finally:
            path.write_text(text)


class BuildFailed(Exception):
    pass


def bring_up_to_date(source, copy):
    """Copies what differs, so that what did not change is not built again."""
    wanted = {p.relative_to(source) for p in files_below(source)}
    for name in wanted:
        target = copy / name
        content = (source / name).read_bytes()
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target)
            os.utime(target)
    for stale in {p.relative_to(copy) for p in files_below(copy)} - wanted:
        (copy / stale).unlink()


def files_below(folder):
    for base, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if f not in NOT_COPIED]
        yield from (Path(base, name) for name in names)


def outcome_of(command, limit=LIMIT):
    process = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        start_new_session=True
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # what the test has started as well
        process.communicate()
        return "timed out"
    if process.returncode != 0:
        return "failed"
    if re.search(r"\[  PASSED  \] [1-9]\d* test|100% tests passed", output):
        return "skipped" if "***Skipped" in output else "passed"
    return "skipped" if "[  SKIPPED ]" in output else "not run"


def chosen(mutations, only):
    return [each for each in mutations if not only or each.sentence in only or each.test in only]


def try_all(mutations, folder):
    workshop = Workshop(folder)
    workshop.prepare(sorted({each.target for each in mutations}))
    # All of them before the first mistake: afterwards the programs have one in them.
    sound = {each.test: workshop.outcome(each) for each in {each.test: each for each in mutations}.values()}
    problems, skipped = [], []
    for each in mutations:
        if sound[each.test] == "skipped":
            skipped.append(f"{each.name}: skipped here")
        elif sound[each.test] != "passed":
            problems.append(f"{each.name}: {sound[each.test]} without any mistake")
            print(f"NOT TRIED   {problems[-1]}", flush=True)
        else:
            started = time.monotonic()
            outcome = workshop.try_out(each)
            caught = outcome in ("failed", "timed out")
            seconds = f"{time.monotonic() - started:4.0f} s"
            word = "caught" if caught else "NOT CAUGHT"
            print(f"{word:<11} {outcome:<10} {seconds} {each.name}: {each.why}", flush=True)
            if not caught:
                problems.append(f"{each.name}: not caught ({outcome}): {each.why}")
    print("\n".join(skipped))
    print(f"{len(mutations)} mistakes, {len(skipped)} not tried, {len(problems)} not caught")
    return report(problems)


# --- self-test -----------------------------------------------------------------------------------------------------


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        wrong = self_test_of_check(root) + self_test_of_outcomes() + self_test_of_copy(root)
    return wrong


def self_test_of_check(root):
    (root / "tests/mutations").mkdir(parents=True)
    (root / "lib").mkdir()
    (root / "lib/a.cpp").write_text("once twice twice\n")
    (root / "tests/a_tests.cpp").write_text("TEST(a, L1_holds) {\n}\nTYPED_TEST(b, T_S2_1_holds) {\n}\n")
    (root / "tests/CMakeLists.txt").write_text("coronet_add_unit_tests(a_tests lib)\n")
    good = dict(zip(KEYS, ("L1", "a.L1_holds", "a_tests", "lib/a.cpp", "once", "never", "it breaks")))
    bad = [
        {**good, "old": "twice"},
        {**good, "old": "thrice"},
        {**good, "new": "once"},
        {**good, "file": "lib/b.cpp"},
        {**good, "test": "a.L1_does_not_exist"},
        {**good, "sentence": "L2"},
        {**good, "target": "b_tests"},
        {**good, "why": None},
        {**good, "sentence": "first"},
        {"sentence": "L1"},
    ]
    wrong = []
    path = root / "tests/mutations/sample.json"
    typed = {**good, "sentence": "T-S2.1", "test": "b/int.T_S2_1_holds"}
    path.write_text(json.dumps([good, typed, {**typed, "test": "cases/b.T_S2_1_holds/0"}]))
    wrong += [f"should be clean: {each}" for each in check_tree(root)]
    for entry in bad:
        path.write_text(json.dumps([entry]))
        if not check_tree(root):
            wrong.append(f"should be found: {entry}")
    page = f"before {BEGIN} old {END} after"
    if "| L1 | `a.L1_holds` | it breaks (`lib/a.cpp`) |" not in with_table(page, [Mutation(**good)]):
        wrong.append("the table lacks its row")
    return wrong


def self_test_of_outcomes():
    def shell(script):
        return ["sh", "-c", script]

    expected = {
        "passed": shell("echo '[  PASSED  ] 1 test.'"),
        "failed": shell("kill -ABRT $$"),
        "skipped": shell("echo '[  PASSED  ] 0 tests.'; echo '[  SKIPPED ] 1 test, listed below:'"),
        "not run": shell("echo '[  PASSED  ] 0 tests.'"),
        "timed out": shell("sleep 60 & sleep 60"),
    }
    return [
        f"{outcome} was taken for {found}"
        for outcome, command in expected.items()
        if (found := outcome_of(command, limit=5 if outcome != "timed out" else 0.2)) != outcome
    ]


def self_test_of_copy(root):
    source, copy = root / "source", root / "copy"
    (source / "build").mkdir(parents=True)
    (source / "build/big").write_text("")
    (source / "a").write_text("new")
    copy.mkdir()
    (copy / "a").write_text("old")
    (copy / "stale").write_text("")
    bring_up_to_date(source, copy)
    names = {p.name for p in files_below(copy)}
    right = names == {"a"} and (copy / "a").read_text() == "new"
    return [] if right else [f"the copy has {names}"]


def main():
    parser = argparse.ArgumentParser(description="puts mistakes into the code and expects the tests to fail")
    for name in ("check", "list", "table", "self-test"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--only", action="append", default=[], metavar="SENTENCE|TEST")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/mutants")
    wanted = parser.parse_args()
    if wanted.self_test:
        return report(self_test())
    if wanted.check:
        return report(check_tree())
    if wanted.table:
        return write_table()
    mutations = chosen(load()[0], wanted.only)
    if wanted.list:
        for each in mutations:
            print(f"{each.sentence:<4} {each.test} ({each.target}): {each.file}: {each.why}")
        return 0
    problems = check_tree()
    if problems or not mutations:
        return report(problems or ["nothing to try"])
    return try_all(mutations, wanted.folder)


if __name__ == "__main__":
    sys.exit(main())
