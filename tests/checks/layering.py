# SPDX-License-Identifier: BSL-1.0
"""Checks that includes point downward only: samples -> net -> coro -> lib.

A public header belongs to the storey of its folder, a source file to that of its own. Public headers further need
nothing but the standard library, the kernel's headers and liburing, so that nobody has to install our logger to compile
against us; the engine knows neither <coroutine> nor sockets. Usage: layering.py [--self-test]
"""
import posixpath
import re
import sys

from sources import CPP_SUFFIXES, ROOT, report, source_files

# Storeys by the beginning of a path, longest first; a storey may include itself and the storeys named with it.
STOREYS = {
    "include/coronet/net/asio/": ("asio", {"net", "coro", "core"}),
    "include/coronet/net/http/": ("http", {"net", "coro", "core"}),
    "include/coronet/net/": ("net", {"coro", "core"}),
    "include/coronet/coro/": ("coro", {"core"}),
    "include/coronet/": ("core", set()),
    "net/asio/": ("asio", {"net", "coro", "core"}),
    "net/http/": ("http", {"net", "coro", "core"}),
    "net/": ("net", {"coro", "core"}),
    "coro/": ("coro", {"core"}),
    "lib/": ("core", set()),
    "samples/": ("samples", {"asio", "http", "net", "coro", "core"}),
}
NEVER = {
    "core": {"coroutine": "the engine knows no coroutine"},
    "public": {
        "spdlog/": "public headers do not show the logger",
        "fmt/": "public headers do not show the formatter",
        "iostream": "public headers do not bring static initialisers",
    },
    "samples": {"coronet/detail/": "samples use what users may use"},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def storey_of(path):
    for beginning, storey in STOREYS.items():
        if path.startswith(beginning):
            return storey
    return None


def problems_of(path, text):
    """Problems of one file; `path` is relative to the tree."""
    storey = storey_of(path)
    if storey is None:
        return []
    name, below = storey
    found = []
    for include in INCLUDE.finditer(text):
        line = text.count("\n", 0, include.start()) + 1
        message = problem_of_include(path, name, below, include.group(1), include.group(2))
        if message:
            found.append(f"{path}:{line}: {include.group(2)}: {message}")
    return found


def problem_of_include(path, name, below, mark, target):
    public = path.startswith("include/")
    for kind in [name] + (["public"] if public else []):
        for forbidden, reason in NEVER.get(kind, {}).items():
            if target == forbidden or (forbidden.endswith("/") and target.startswith(forbidden)):
                return reason
    if mark == '"':
        if public:
            return "public headers include by <coronet/...>"
        reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        return None if storey_of(reached) == storey_of(path) else "private headers stay within their storey"
    if target.startswith("coronet/"):
        other = storey_of("include/" + target)[0]
        if other != name and other not in below:
            return f"{name} may not include {other}"
    return None


GOOD = [
    ("lib/scheduler.cpp", '#include "mailbox.hpp"\n#include <coronet/scheduler.hpp>\n#include <spdlog/spdlog.h>\n'),
    ("lib/drivers/uring.cpp", '#include "../ring.hpp"\n'),
    ("coro/sleep.cpp", "#include <coronet/coro/sleep.hpp>\n#include <coronet/scheduler.hpp>\n#include <coroutine>\n"),
    ("include/coronet/net/http/server.hpp", "#include <coronet/net/tcp_stream.hpp>\n#include <liburing.h>\n"),
    ("samples/echo_server.cpp", "#include <coronet/net/tcp_stream.hpp>\n#include <CLI/CLI.hpp>\n"),
    ("tests/unit/lib/ring_tests.cpp", '#include "ring.hpp"\n'),
]
BAD = [
    ("lib/scheduler.cpp", "#include <coronet/coro/task.hpp>\n"),
    ("lib/operation.cpp", "#include <coroutine>\n"),
    ("include/coronet/scheduler.hpp", "#  include <coronet/net/endpoint.hpp>\n"),
    ("include/coronet/log.hpp", "#include <spdlog/spdlog.h>\n"),
    ("include/coronet/scheduler.hpp", '#include "mailbox.hpp"\n'),
    ("coro/task.cpp", "#include <coronet/net/endpoint.hpp>\n"),
    ("coro/task.cpp", '#include "../lib/mailbox.hpp"\n'),
    ("net/tcp_stream.cpp", "#include <coronet/net/http/server.hpp>\n"),
    ("samples/timeout.cpp", "#include <coronet/detail/assert.hpp>\n"),
]


def self_test():
    wrong = [f"should be clean: {path}: {text}" for path, text in GOOD if problems_of(path, text)]
    return wrong + [f"should be found: {path}: {text}" for path, text in BAD if not problems_of(path, text)]


def check_tree():
    found = []
    for path in source_files(CPP_SUFFIXES):
        found += problems_of(path.relative_to(ROOT).as_posix(), path.read_text())
    return found


if __name__ == "__main__":
    sys.exit(report(self_test() if "--self-test" in sys.argv[1:] else check_tree()))
