# SPDX-License-Identifier: BSL-1.0
"""Checks that the library keeps away from calls of io_uring that it must not use.

A synchronous cancel never returns on a DEFER_TASKRUN ring whose target is in a kernel worker, and on an SQPOLL ring it
does not find that target: waiting for what was cancelled is waiting for its terminal completion (docs/cancellation.md, C13). Usage:
kernel_calls.py [--self-test]
"""
import re
import sys

from sources import CPP_SUFFIXES, ROOT, report, source_files

FOLDERS = ("include/", "lib/", "coro/", "net/")
FORBIDDEN = re.compile(
    r"register_sync_cancel|REGISTER_SYNC_CANCEL|io_uring_sync_cancel_reg"
    r"|(?:io_uring_register|SYS_io_uring_register|__NR_io_uring_register)\s*[(,][^;]*?[,(]\s*24\s*,"
)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def problems_of(path, text):
    """Problems of one file; `path` is relative to the tree."""
    if not path.startswith(FOLDERS):
        return []
    code = COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    return [
        f"{path}:{code.count(chr(10), 0, call.start()) + 1}: cancelling is asking: no synchronous cancel (C13)"
        for call in FORBIDDEN.finditer(code)
    ]


GOOD = [
    ("lib/canceller.cpp", "io_uring_prep_cancel64(sqe, op.id(), 0);\n"),
    ("lib/ring.cpp", "const int rc = ::io_uring_register(fd, kernel::register_enable_rings, nullptr, 0);\n"),
    ("lib/ring.cpp", "// never io_uring_register_sync_cancel(3)\n::io_uring_register(fd, 12, nullptr, 24);\n"),
    ("tests/unit/lib/ring_tests.cpp", "io_uring_register_sync_cancel(&ring, &reg);\n"),
]
BAD = [
    ("lib/canceller.cpp", "int rc = io_uring_register_sync_cancel(&ring_, &reg);\n"),
    ("lib/ring.cpp", "int x;\n::io_uring_register(fd, IORING_REGISTER_SYNC_CANCEL, &reg, 1);\n"),
    ("coro/operations.cpp", "::io_uring_register(fd, 24, &reg, 1);\n"),
    ("net/tcp_stream.cpp", "::syscall(SYS_io_uring_register, fd, 24, &reg, 1);\n"),
    ("include/coronet/scheduler.hpp", "io_uring_sync_cancel_reg reg{};\n"),
]


def self_test():
    wrong = [f"should be clean: {path}: {text}" for path, text in GOOD if problems_of(path, text)]
    return wrong + [f"should be found once: {path}: {text}" for path, text in BAD if len(problems_of(path, text)) != 1]


def check_tree():
    found = []
    for path in source_files(CPP_SUFFIXES):
        found += problems_of(path.relative_to(ROOT).as_posix(), path.read_text())
    return found


if __name__ == "__main__":
    sys.exit(report(self_test() if "--self-test" in sys.argv[1:] else check_tree()))
