# SPDX-License-Identifier: BSL-1.0
"""Checks that what the documentation promises by number is tested by name, and that the test can fail.

A page of docs/ makes a sentence a promise by beginning it `- **L1.** ...`. Each needs a test whose name begins with the
number (`TEST(scheduler, L1_...)`, or one that CTest knows) and a mistake in tests/mutations/ that this test notices. A
test may not be named after a number that no page has, and the table of docs/kernel-lessons.md is that of today.
Usage: sentences.py [--self-test]
"""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "mutations"))
from run_mutations import PAGE, as_written, load, order, tests_of, with_table  # noqa: E402
from sources import ROOT, pages, report  # noqa: E402

PROMISE = re.compile(r"^- \*\*([A-Z]+\d+[a-z]?)\.\*\*", re.MULTILINE)
# Other letters are none of promises: a test may be named after a fact about the kernel (F6), say.
NAMED = re.compile(r"(?:\w+\.)?([LCDXWIKR]\d+[a-z]?)_")


def promises_in(texts):
    """Where each sentence stands, {sentence: page}, and which stand twice."""
    found, problems = {}, []
    for page, text in texts.items():
        for sentence in PROMISE.findall(text):
            if sentence in found:
                problems.append(f"{page}: {sentence} stands in {found[sentence]} already")
            found[sentence] = page
    return found, problems


def problems_of(promised, tests, mutations):
    """`promised`: {sentence: page}; `tests`: {name: file}; `mutations`: pairs of sentence and test."""
    tested = {name: match.group(1) for name in tests if (match := NAMED.match(name))}
    found = []
    for sentence in sorted(promised, key=order):
        where = f"{promised[sentence]}: {sentence}"
        if sentence not in tested.values():
            found.append(f"{where} has no test named {sentence}_...")
        if not any(each == sentence and tested.get(test) == sentence for each, test in mutations):
            found.append(f"{where} has no mistake in tests/mutations that its test notices")
    for name, sentence in tested.items():
        if sentence not in promised:
            found.append(f"{tests[name]}: {name}: no page promises {sentence}")
    return found


def check_tree():
    texts = {page.relative_to(ROOT).as_posix(): page.read_text() for page in pages()}
    promised, found = promises_in(texts)
    mutations, unreadable = load()
    found += unreadable
    found += problems_of(promised, tests_of(), [(each.sentence, as_written(each.test)) for each in mutations])
    if with_table(texts[PAGE], mutations) != texts[PAGE]:
        found.append(f"{PAGE}: the table is not that of tests/mutations: run_mutations.py --table writes it")
    return found


def self_test():
    page = {"docs/a.md": "- **L1.** It holds.\n- **D10.** It holds, too, **L1.** as well.\n"}
    promised, twice = promises_in(page)
    wrong = [] if list(promised) == ["L1", "D10"] and not twice else [f"promises: {promised}, {twice}"]
    if not promises_in({**page, "docs/b.md": "- **D10.** Again.\n"})[1]:
        wrong.append("should be found: a sentence that stands twice")
    tests = {"a.L1_holds": "a.cpp", "a.D10_holds": "a.cpp", "a.Lost_and_found": "a.cpp", "checks.layering": "b"}
    mutations = [("L1", "a.L1_holds"), ("D10", "a.D10_holds")]
    wrong += [f"should be clean: {each}" for each in problems_of(promised, tests, mutations)]
    without_test = {name: file for name, file in tests.items() if "L1" not in name}
    for case in (
        (promised, without_test, mutations),
        (promised, tests, mutations[1:]),
        (promised, tests, [("L1", "a.D10_holds"), mutations[1]]),
        (promised, {**tests, "a.L2_holds": "a.cpp"}, mutations),
    ):
        if not problems_of(*case):
            wrong.append(f"should be found: {case}")
    return wrong


if __name__ == "__main__":
    sys.exit(report(self_test() if "--self-test" in sys.argv[1:] else check_tree()))
