# SPDX-License-Identifier: BSL-1.0
"""Checks the models of our protocols with spin: each holds, and each named mutation of it is found.

A model says in its head what there is to run:

    // variant NAME: what is different
    // mutation NAME [with VARIANT]: hang|assertion|cycle: what goes wrong

Names are macros of the model. `hang` is a state without a way out, `assertion` a broken one, and `cycle` a way to go on
for ever without keeping the promise (`ltl`) that a variant named FAIR_... makes. A model that would find nothing in a
broken protocol says nothing about ours, hence the mutations.

Usage: run_models.py [MODEL...] | --self-test      (needs spin and cc; ends with 77, "skipped", without them)
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "checks"))
from sources import report  # noqa: E402

HERE = Path(__file__).resolve().parent
SKIPPED = 77
DECLARATION = re.compile(
    r"^// (variant|mutation) (\w+)(?: with (\w+))?: (?:(hang|assertion|cycle): )?(.+)$", re.MULTILINE
)
SYMPTOMS = {"hang": "invalid end state", "assertion": "assertion violated", "cycle": "acceptance cycle"}
DEADLINE = 200  # seconds for one search; on an idle machine the longest takes ten
DEPTH = 400_000


@dataclass
class Run:
    model: Path
    macros: list
    expected: str  # a symptom, or "" when the protocol is meant to hold

    @property
    def name(self):
        return " ".join([self.model.stem, *self.macros])

    @property
    def fair(self):
        return any(macro.startswith("FAIR_") for macro in self.macros)


def runs_of(model):
    """What a model declares; its macros and its declarations must agree."""
    text = model.read_text()
    used = set(re.findall(r"^#\s*(?:ifn?def\s+|(?:el)?if\b.*?defined\()(\w+)", text, re.MULTILINE))
    used |= set(re.findall(r"defined\((\w+)\)", text))
    declared = DECLARATION.findall(text)
    names = {name for _, name, *_ in declared}
    if names != used:
        raise SystemExit(f"{model.name}: declared and used do not agree: {sorted(names ^ used)}")
    runs = [Run(model, [], "")]
    for kind, name, variant, symptom, _ in declared:
        if (kind == "mutation") != bool(symptom) or (variant and variant not in names):
            raise SystemExit(f"{model.name}: cannot make sense of the line of {name}")
        runs.append(Run(model, [name] + ([variant] if variant else []), symptom))
    return runs


def checked(run, folder):
    """Generates, compiles and runs the search of one variant: (what spin found or "", states, seconds)."""
    where = Path(tempfile.mkdtemp(dir=folder))
    started = time.monotonic()
    call(["spin", "-a", *[f"-D{macro}" for macro in run.macros], str(run.model)], where)
    kind = ["-DNFAIR=3"] if run.fair else ["-DSAFETY", "-DNOFAIR"]
    call([os.environ.get("CC", "cc"), "-O0", "-w", "-DCOLLAPSE", *kind, "-o", "pan", "pan.c"], where)
    output = call(["./pan", f"-m{DEPTH}", *(["-a", "-f"] if run.fair else [])], where)
    return symptom_of(output), states_of(output), time.monotonic() - started


def call(command, where):
    outcome = subprocess.run(
        command, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE, check=False
    )
    if outcome.returncode != 0 and "pan" not in command[0]:
        raise SystemExit(f"{' '.join(command)}:\n{outcome.stdout}")
    return outcome.stdout


def symptom_of(output):
    errors = re.search(r"errors: (\d+)", output)
    if not errors or re.search(r"max search depth too small|out of memory", output):
        raise SystemExit(f"the search did not come to an end:\n{output}")
    found = [name for name, text in SYMPTOMS.items() if re.search(rf"pan:\d+: {text}", output)]
    if bool(found) != (errors.group(1) != "0"):
        raise SystemExit(f"an error that is none of {list(SYMPTOMS)}:\n{output}")
    return found[0] if found else ""


def states_of(output):
    return int(float(re.search(r"([\d.e+]+) states, stored", output).group(1)))


def verdict(run, found):
    """What is wrong with the outcome of a run, or nothing."""
    if found == run.expected:
        return None
    if not run.expected:
        return f"does not hold: {found}"
    return f"is not found (expected: {run.expected})" if not found else f"{found} instead of {run.expected}"


def check(models):
    runs = [run for model in models for run in runs_of(model)]
    problems, started = [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        for run, (found, states, seconds) in zip(runs, pool.map(lambda run: checked(run, folder), runs)):
            wrong = verdict(run, found)
            outcome = f"{found or 'holds':<10} {states:>9} states {seconds:5.1f} s"
            print(f"{run.name:<55} {outcome} {wrong or ''}", flush=True)
            if wrong:
                problems.append(f"{run.name}: {wrong}")
    print(f"{len(runs)} searches in {time.monotonic() - started:.0f} s")
    return report(problems)


SAMPLE = """// variant TWICE: two of them
// mutation FORGETS: hang: nobody sends
// mutation COUNTS with TWICE: assertion: one too many
bool sent; byte n;
active proctype sender() {
#ifndef FORGETS
    sent = true
#else
    skip
#endif
}
active proctype receiver() {
    sent; n++;
#ifdef TWICE
    n++;
#endif
#ifdef COUNTS
    assert(n < 2)
#endif
}
"""


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder, "sample.pml")
        sample.write_text(SAMPLE)
        runs = runs_of(sample)
        wrong += [f"{run.name}: {problem}" for run in runs if (problem := verdict(run, checked(run, folder)[0]))]
        if [run.expected for run in runs] != ["", "", "hang", "assertion"]:
            wrong.append(f"declarations: {runs}")
        # A model that does not hold, and a mutation that changes nothing, are told apart from the others.
        sample.write_text(SAMPLE.replace("#ifndef FORGETS", "#ifdef FORGETS"))
        verdicts = [verdict(run, checked(run, folder)[0]) for run in runs_of(sample)]
        if not verdicts[0] or not verdicts[2]:
            wrong.append(f"should be found: {verdicts}")
        sample.write_text(SAMPLE.replace("// mutation FORGETS: hang: nobody sends\n", ""))
        try:
            runs_of(sample)
            wrong.append("a macro that is not declared was let through")
        except SystemExit:
            pass
    return wrong


def main(arguments):
    missing = [tool for tool in ("spin", os.environ.get("CC", "cc").split()[0]) if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not found (apt-get install spin gcc)")
        return SKIPPED
    if arguments == ["--self-test"]:
        return report(self_test())
    chosen = [HERE / f"{Path(name).stem}.pml" for name in arguments]
    return check(chosen or sorted(HERE.glob("*.pml")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
