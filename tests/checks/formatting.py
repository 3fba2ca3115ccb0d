# SPDX-License-Identifier: BSL-1.0
"""Checks the form of our sources: clang-format 14 has nothing to change, and every file begins with its licence line.

Usage: formatting.py [--self-test | --fix]
"""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sources import C_SUFFIXES, CPP_SUFFIXES, ROOT, report, source_files

LICENCE = "// SPDX-License-Identifier: BSL-1.0"
# Other versions format some constructs differently; a verdict is worth something only if it is everybody's.
TOOL = "clang-format-14"


def format_problems(files):
    if not files:
        return []
    command = [TOOL, "--style=file", "--dry-run", "-Werror", *map(str, files)]
    outcome = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    lines = [line for line in outcome.stderr.splitlines() if "[-Wclang-format-violations]" in line]
    if outcome.returncode != 0 and not lines:
        return [outcome.stderr.strip()]
    first_of_file = {}
    for line in lines:
        path, number = line.split(":")[:2]
        first_of_file.setdefault(path, f"{path}:{number}: not as {TOOL} writes it; ./dev format does it for you")
    return list(first_of_file.values())


def licence_problems(files):
    return [f"{p}:1: does not begin with `{LICENCE}`" for p in files if not p.read_text().startswith(LICENCE)]


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / ".clang-format", folder)
        good, bad = Path(folder, "good.cpp"), Path(folder, "bad.cpp")
        good.write_text(f"{LICENCE}\nint main() {{\n    return 0;\n}}\n")
        bad.write_text("int  main( ){return 0;}\n")
        if format_problems([good]) or licence_problems([good]):
            wrong.append("should be clean: good.cpp")
        if not format_problems([bad]) or not licence_problems([bad]):
            wrong.append("should be found: bad.cpp")
    return wrong


def main(arguments):
    if shutil.which(TOOL) is None:
        print(f"{TOOL} is missing: apt-get install {TOOL}")
        return 1
    if "--self-test" in arguments:
        return report(self_test())
    files = source_files(CPP_SUFFIXES | C_SUFFIXES)
    if "--fix" in arguments:
        return subprocess.run([TOOL, "--style=file", "-i", *map(str, files)], check=False).returncode
    return report(format_problems(files) + licence_problems(files))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
