# SPDX-License-Identifier: BSL-1.0
"""Finds awaits that g++ 12 miscompiles, and coroutines whose parameters or captures may die before they do.

An await is a statement of its own, in one of four shapes:

    co_await x;    auto r = co_await x;    r = co_await x;    co_return co_await x;

Elsewhere (in a condition, in ?:, beside braces or a lambda) g++ 12 may skip the whole body or free a temporary
twice, without a warning. Usage: await_shapes.py [--self-test]
"""
import sys

from sources import ROOT, cpp_blocks, pages, report, source_files, tokenise

KEYWORDS = {"co_await", "co_return", "co_yield"}
CONTROL = {"if", "while", "for", "switch", "catch"}
JOINING = {"?", "&&", "||", "==", "!=", "<=", ">=", "+", "-", ","}
REFERENCE_CHECK = "cppcoreguidelines-avoid-reference-coroutine-parameters"
CAPTURE_CHECK = "cppcoreguidelines-avoid-capturing-lambda-coroutines"


def problems_of(text, name, first_line=1):
    source = tokenise(text)
    found = []
    for index, token in enumerate(source.tokens):
        if token.text not in KEYWORDS or source.text(index - 1) == "operator":
            continue
        messages = coroutine_problems(source, index)
        if token.text == "co_await":
            messages += await_problems(source, index)
        found += [f"{name}:{first_line + token.line - 1}: {message}" for message in messages]
    return sorted(set(found), key=found.index)


# --- the statement around an await ---------------------------------------------------------------------------------


def await_problems(source, index):
    opener = source.opener[index]
    if opener is not None and source.text(opener) != "{":
        before = source.text(opener - 1)
        before = source.text(opener - 2) if before == "constexpr" else before
        where = f"in the head of `{before}`" if before in CONTROL else "inside another expression"
        return [f"await {where}: name its result on the line before"]
    return prefix_problems(source, index) + tail_problems(source, index)


def prefix_problems(source, index):
    start = skip_control(source, statement_start(source, index), index)
    prefix = [token.text for token in source.tokens[start:index]]
    if prefix in ([], ["co_return"], ["(", "void", ")"]):
        return []
    if prefix[-1] != "=" or "?" in prefix or prefix.count("=") != 1:
        return ["await as part of an expression: name its result on the line before"]
    if "[" in prefix and prefix[prefix.index("[") - 1] in ("auto", "&", "&&") and "auto" in prefix:
        return ["structured binding straight from an await: name its result, then unpack it"]
    return []


def statement_start(source, index):
    """The first token of the statement that holds `index`: behind the nearest ; { or } of its own level."""
    opener, start = source.opener[index], index
    while start > 0:
        before = start - 1
        if before == opener or source.text(before) == ";" or source.text(before) == "}":
            break
        start = source.match[before] if source.text(before) in (")", "]") and before in source.match else before
    return start


def skip_control(source, start, end):
    """Steps over `if (...)`, `else`, `case x:` and the like, which may stand before a statement."""
    while start < end:
        text = source.text(start)
        if text in CONTROL:
            parenthesis = start + 2 if source.text(start + 1) == "constexpr" else start + 1
            start = source.match[parenthesis] + 1
        elif text in ("else", "do"):
            start += 1
        elif text in ("case", "default"):
            while source.text(start) != ":":
                start += 1
            start += 1
        elif text == "[" and source.text(start + 1) == "[":
            start = source.match[start] + 1
        else:
            break
    return start


def tail_problems(source, index):
    """What stands between an await and its semicolon."""
    position = index + 1
    while position < len(source.tokens) and source.text(position) != ";":
        text = source.text(position)
        if text in (")", "]", "}") and source.match.get(position, -1) < index:
            break  # The bracket around the await closed before a semicolon came.
        if text == "[" and opens_lambda(source, position):
            return ["lambda beside an await: name it on the line before"]
        if text == "co_await":
            return ["two awaits in a statement: name the first one's result"]
        if text == "{":
            return ["braces beside an await: name the argument on the line before"]
        if text in JOINING and source.opener[position] == source.opener[index]:
            if text != "," or not inside_angles(source, index, position):
                return ["await as part of an expression: name its result on the line before"]
        position += 1
    if source.text(position) == ";":
        return []
    return ["await beside braces: name its result on the line before"]


def inside_angles(source, start, position):
    texts = [source.text(i) for i in range(start, position) if source.opener[i] == source.opener[start]]
    return texts.count("<") > texts.count(">")


# --- lambdas and functions -----------------------------------------------------------------------------------------


def opens_lambda(source, index):
    before = source.text(index - 1)
    return not (before in (")", "]", '""') or before.isidentifier()) or before in ("return", "co_await", "co_return")


def coroutine_problems(source, index):
    """Problems of the coroutine whose body holds the token at `index`."""
    opener = source.opener[index]
    while opener is not None:
        if source.text(opener) == "{":
            kind, introducer, parameters = body_of(source, opener)
            if kind == "lambda":
                return capture_problems(source, introducer) + parameter_problems(source, parameters)
            if kind == "function":
                return parameter_problems(source, parameters)
        opener = source.opener[opener]
    return []


def body_of(source, brace):
    """Whether the block at `brace` is the body of a function or of a lambda, and where its head lies."""
    position = brace - 1
    while position >= 0:
        text = source.text(position)
        if text == ")":
            opened = source.match.get(position, position)
            before = angle_start(source, opened - 1)
            if source.text(before) in ("noexcept", "requires", "decltype"):
                position = before - 1
                continue
            if source.text(before) in CONTROL or source.text(before) == "constexpr":
                return "block", None, None
            if source.text(before) == "]":
                return "lambda", source.match.get(before), opened
            return "function", None, opened
        if text == "]":
            introducer = source.match.get(position)
            if introducer is not None and opens_lambda(source, introducer):
                return "lambda", introducer, None
            return "block", None, None
        if text in (";", "{", "}", "=", "(", "else", "do", "try") or position == source.opener[brace]:
            return "block", None, None
        position -= 1
    return "block", None, None


def angle_start(source, position):
    """Steps back over the `<...>` that ends at `position`, if one does."""
    if source.text(position) != ">":
        return position
    depth = 0
    while position >= 0:
        depth += {">": 1, "<": -1}.get(source.text(position), 0)
        if depth == 0:
            return position - 1
        position -= 1
    return position


def silenced(source, index, check):
    line = source.tokens[index].line
    return any(check in source.comments.get(near, "") for near in (line - 1, line, line + 1))


def capture_problems(source, introducer):
    if introducer is None or source.match[introducer] == introducer + 1 or silenced(source, introducer, CAPTURE_CHECK):
        return []
    return ["capturing lambda as a coroutine: its captures die with the lambda; pass arguments instead"]


def parameter_problems(source, parenthesis):
    if parenthesis is None or silenced(source, parenthesis, REFERENCE_CHECK):
        return []
    depth = 0
    for position in range(parenthesis + 1, source.match.get(parenthesis, parenthesis)):
        text = source.text(position)
        depth += {"<": 1, ">": -1}.get(text, 0)
        if text in ("&", "&&") and depth == 0 and source.opener[position] == parenthesis:
            return ["reference parameter of a coroutine: take it by value, or by pointer with a stated lifetime"]
    return []


# --- self-test -----------------------------------------------------------------------------------------------------

GOOD = [
    "co_await x;",
    "auto r = co_await x(1, 2);",
    "const std::map<a, b> r = co_await f(x);",
    "r = co_await x;",
    "items[2] = co_await x;",
    "(void)co_await x;",
    "co_return co_await x(a && b);",
    "if (ready) co_await x; else co_await y;",
    "for (;;) co_await x;",
    "if (a) { co_await x; } while (b) { r = co_await y; }",
    "switch (v) { case 1: co_await x; break; default: r = co_await y; }",
    "auto r = co_await x<int, long>(y);",
    "// if (co_await x)\n/* (co_await y) */ const char* s = \"if (co_await x)\";",
]
BAD = [
    "if (co_await x) f();",
    "if (auto r = co_await x; r) f();",
    "while (co_await x) f();",
    "for (auto i = 0; co_await x; ++i) f();",
    "for (auto i : co_await x) f();",
    "switch (co_await x) {}",
    "auto r = a ? co_await x : 0;",
    "auto r = co_await x ? 1 : 2;",
    "auto [a, b] = co_await x;",
    "const auto& [a, b] = co_await x;",
    "auto r = (co_await x).value();",
    "f(co_await x);",
    "auto r = 1 + co_await x;",
    "n += co_await x;",
    "auto r = co_await x + 1;",
    "auto ok = co_await x && y;",
    "pair p{co_await x, co_await y};",
    "co_return {co_await x};",
    "auto r = co_await fetch(request{path});",
    "auto r = co_await fetch({.path = path});",
    "auto r = co_await run([&] { return 1; });",
    "auto r = co_await run([this](int n) { return n; });",
    "auto r = co_await run(s, [](int n) -> task<int> { co_return n; });",
    "auto r = co_await f([] { return 1; }());",
    "auto r = co_await f(co_await g());",
    "auto t = [](int n) -> task<int> { if (co_await f(n)) co_return 1; co_return 2; };",
]
GOOD_FUNCTIONS = [
    "task<int> f(int n, std::span<const std::byte> s, std::function<void(int&)> g) { co_return n; }",
    "auto t = [](int n) -> task<int> { co_return n; };",
    "int f(int& n) { auto t = [](int n) -> task<int> { co_return n; }; return n; }",
    "awaiter operator co_await() noexcept { return {}; }",
    "task<int> f(int& n) { // NOLINT(cppcoreguidelines-avoid-reference-coroutine-parameters)\n co_return n; }",
]
BAD_FUNCTIONS = [
    "task<int> f(int& n) { co_return n; }",
    "task<int> f(std::string&& s) const noexcept { if (a) { co_return 1; } co_return 2; }",
    "template <class T> task<T> c<T>::f(const T& s) { for (;;) { co_await x; } }",
    "auto t = [n]() -> task<int> { co_return n; };",
    "auto t = [&] { co_await x; };",
    "auto t = []<class T>(T& x) -> task<int> { co_return x; };",
]


def self_test():
    wrong = [f"should be clean: {s}" for s in GOOD if problems_of(f"task<int> f() {{ {s} }}", "self")]
    wrong += [f"should be found: {s}" for s in BAD if not problems_of(f"task<int> f() {{ {s} }}", "self")]
    wrong += [f"should be clean: {s}" for s in GOOD_FUNCTIONS if problems_of(s, "self")]
    wrong += [f"should be found: {s}" for s in BAD_FUNCTIONS if not problems_of(s, "self")]
    return wrong


def check_tree():
    found = []
    for path in source_files():
        found += problems_of(path.read_text(), path.relative_to(ROOT))
    for page in pages():
        for block in cpp_blocks(page):
            found += problems_of(block.text, page.relative_to(ROOT), block.line)
    return found


if __name__ == "__main__":
    sys.exit(report(self_test() if "--self-test" in sys.argv[1:] else check_tree()))
