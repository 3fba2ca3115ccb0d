# SPDX-License-Identifier: BSL-1.0
"""Turns the ```cpp blocks of README.md and docs/ into sources that the tests compile.

A block that has an #include or a main() is a program and becomes a file of its own. The other blocks of a page become
one file together: each is the content of a namespace within the one before, so that later blocks see what earlier ones
declared and may declare it anew. A block whose fence says ```cpp body is the inside of a coroutine and is wrapped into
one. There is no way to leave a block out.

Usage: snippets.py FOLDER [PAGE...] writes the sources and prints their paths; snippets.py --self-test
"""
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "checks"))
from sources import ROOT, cpp_blocks, pages, report  # noqa: E402

PROGRAM = re.compile(r"^\s*#\s*include\b|^\s*int main\(", re.MULTILINE)
HEAD = "// SPDX-License-Identifier: BSL-1.0\n// Written from {page} by the tests.\n"


def public_headers():
    """All of them, so that a snippet needs to include nothing; but those for Asio, which is not everywhere."""
    include = ROOT / "include"
    return [p.relative_to(include).as_posix() for p in sorted(include.rglob("*.hpp"))
            if not {"detail", "asio"} & set(p.parts)]


def is_program(block):
    return PROGRAM.search(block.text) is not None


def wrapped(block, number, page):
    """A block that is no program, between the lines that make it one namespace deeper than its predecessor."""
    text = f'#line {block.line} "{page}"\n{block.text}'
    if block.words == ["body"]:
        text = f"coronet::task<void> body() {{\n{text}co_return;\n}}\n"
    return f"namespace snippet_{number} {{\n{text}"


def sources_of(page, name):
    """Pairs of file name and text for one page."""
    blocks = cpp_blocks(page)
    unknown = [word for block in blocks for word in block.words if word != "body"]
    if unknown:
        raise SystemExit(f"{page}: a block is `cpp` or `cpp body`, not `cpp {unknown[0]}`")
    stem = re.sub(r"\W", "_", name.removesuffix(".md")).lower()
    head = HEAD.format(page=name)
    programs = [block for block in blocks if is_program(block)]
    written = [
        (f"{stem}_program_{n}.cpp", f'{head}#line {block.line} "{page}"\n{block.text}')
        for n, block in enumerate(programs, start=1)
    ]
    fragments = [block for block in blocks if not is_program(block)]
    if fragments:
        body = "".join(wrapped(block, n, page) for n, block in enumerate(fragments, start=1))
        written.append((f"{stem}.cpp", head + preamble() + body + "} " * len(fragments) + "\n"))
    return written


def preamble():
    includes = "".join(f"#include <{header}>\n" for header in public_headers())
    standard = "".join(f"#include <{h}>\n" for h in ("array", "chrono", "cstdio", "span", "string", "vector"))
    return includes + standard + "using namespace std::chrono_literals;\n"


def write_if_changed(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main(folder, chosen):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = set()
    for page in chosen or pages():
        for name, text in sources_of(Path(page), Path(page).relative_to(ROOT).as_posix()):
            write_if_changed(folder / name, text)
            written.add(folder / name)
    for stale in set(folder.glob("*.cpp")) - written:
        stale.unlink()
    print("\n".join(map(str, sorted(written))))
    return 0


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.md")
        page.write_text(
            "text\n```cpp\nint a();\n```\n```sh\nls\n```\n```cpp body\nco_await x();\n```\n"
            "```cpp\n#include <x>\nint main() {}\n```\n"
        )
        written = dict(sources_of(page, "docs/page.md"))
        wrong = [] if set(written) == {"docs_page.cpp", "docs_page_program_1.cpp"} else [f"files: {list(written)}"]
        joined = written.get("docs_page.cpp", "")
        for expected in ("namespace snippet_1 {", "int a();", "namespace snippet_2 {", "body() {", "co_await x();"):
            if expected not in joined:
                wrong.append(f"`{expected}` is missing")
        page.write_text("```cpp no-compile\nnonsense\n```\n")
        try:
            sources_of(page, "page.md")
            wrong.append("a block that nobody compiles was let through")
        except SystemExit:
            pass
    return wrong


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(report(self_test()))
    sys.exit(main(sys.argv[1], sys.argv[2:]))
