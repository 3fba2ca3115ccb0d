# SPDX-License-Identifier: BSL-1.0
"""What the checks share: which files are ours, the C++ blocks of the documentation, and C++ as tokens.

The tokeniser knows just enough of C++ to see statements and brackets. It is no parser: the checks built on it find what
is easily seen and leave the rest to clang-tidy.
"""
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("include", "lib", "coro", "net", "samples", "tests")
CPP_SUFFIXES = {".hpp", ".cpp"}
C_SUFFIXES = {".h", ".c"}


def source_files(suffixes=CPP_SUFFIXES, root=ROOT):
    """Our sources, sorted; the tree is walked, so that files are checked before they are first committed."""
    found = []
    for folder in FOLDERS:
        found += [p for p in (root / folder).rglob("*") if p.suffix in suffixes and p.is_file()]
    return sorted(found)


def pages(root=ROOT):
    """README.md and the pages of docs/."""
    readme = root / "README.md"
    return ([readme] if readme.exists() else []) + sorted((root / "docs").rglob("*.md"))


@dataclass
class Block:
    """A fenced C++ block of a page."""

    line: int  # of its first line of code
    words: list  # what follows `cpp` on the fence
    text: str


def cpp_blocks(page):
    """The ```cpp blocks of a Markdown page, in order."""
    blocks, lines, opened = [], None, None
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        fence = re.match(r"\s*```(.*)$", line)
        if fence and opened is None:
            opened, lines = (number + 1, fence.group(1).split()), []
        elif fence:
            if opened[1][:1] == ["cpp"]:
                blocks.append(Block(opened[0], opened[1][1:], "\n".join(lines) + "\n"))
            opened = None
        elif opened is not None:
            lines.append(line)
    return blocks


@dataclass
class Token:
    text: str
    line: int


@dataclass
class Source:
    """C++ text as tokens: `match` pairs brackets, `opener` names the innermost open bracket of each token."""

    tokens: list = field(default_factory=list)
    match: dict = field(default_factory=dict)
    opener: list = field(default_factory=list)
    comments: dict = field(default_factory=dict)  # line -> text of the comments that start there

    def text(self, index):
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""


_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<raw>(?:u8|[uUL])?R"(?P<delimiter>[^(\s]*)\(.*?\)(?P=delimiter)")
    | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"|(?:u8|[uUL])?'(?:\\.|[^'\\\n])*')
    | (?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
    | (?P<word>[A-Za-z_]\w*|\d(?:'?[\w.])*)
    | (?P<mark>::|->|&&|\|\||==|!=|<=|>=|\+=|-=|\*=|/=|%=|\|=|\^=|<<=|\+\+|--|.)
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def tokenise(text):
    source, line = Source(), 1
    stack = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        kind = found.lastgroup if found.lastgroup != "delimiter" else "raw"
        piece = found.group()
        if kind == "comment":
            source.comments[line] = source.comments.get(line, "") + piece
        elif kind in ("raw", "string"):
            _add(source, stack, '""', line)
        elif kind in ("word", "mark"):
            _add(source, stack, piece, line)
        line += piece.count("\n")
        position = found.end()
    return source


def _add(source, stack, text, line):
    index = len(source.tokens)
    if text in (")", "]", "}") and stack:
        opened = stack.pop()
        source.match[opened], source.match[index] = index, opened
    source.tokens.append(Token(text, line))
    source.opener.append(stack[-1] if stack else None)
    if text in ("(", "[", "{"):
        stack.append(index)


def report(problems):
    """Prints what was found; the exit status of a check."""
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problem(s)" if problems else "clean")
    return 1 if problems else 0
