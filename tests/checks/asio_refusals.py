# SPDX-License-Identifier: BSL-1.0
"""Checks that what coronet::asio cannot have is refused when compiling, with the cause as the first error.

Each case is a small file that must not compile; the same file without the cause must, so that no case fails for a
reason of its own. With an Asio that is too old there is one case: that it is. A guest needs exceptions only.

Usage: asio_refusals.py COMPILER ASIO_INCLUDE_DIR [--boost]
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from sources import ROOT, report

OLDEST = 102200
LOOP = "#include <coronet/net/asio/io_context.hpp>\n#include <coronet/net/asio/tcp.hpp>\n"
GUEST = "#include <coronet/net/asio/guest.hpp>\n"
WITHOUT_ASIO = ROOT / "tests/install/without_asio"

# Options, and what the first error must say.
REFUSED = (
    ("ASIO_DISABLE_EPOLL", ["-D{}ASIO_DISABLE_EPOLL"], "do not define ASIO_DISABLE_EPOLL"),
    ("io_uring as Asio's default", ["-D{}ASIO_HAS_IO_URING", "-D{}ASIO_DISABLE_EPOLL"], "do not make Asio's own io_uring the default"),
    ("-fno-exceptions", ["-fno-exceptions"], "do not compile with -fno-exceptions"),
)
ACCEPTED = (
    ("nothing", []),
    ("ASIO_HAS_IO_URING alone", ["-D{}ASIO_HAS_IO_URING"]),
)

DEFAULT = "#include <coronet/net/asio/default_native.hpp>\n"
WHOLE_ASIO = "#if defined(CORONET_ASIO_USE_BOOST)\n#include <boost/asio.hpp>\n#else\n#include <asio.hpp>\n#endif\n"


class Compiler:
    def __init__(self, command, asio, boost):
        self.prefix = "BOOST_" if boost else ""
        self.command = [command, "-std=c++20", "-fsyntax-only", "-Wfatal-errors", "-w", f"-I{ROOT / 'include'}"]
        self.command += ["-DCORONET_ASIO_USE_BOOST"] if boost else []
        self.asio = f"-I{asio}"

    def first_error(self, text, options=()):
        """Its message; None if it compiles."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "case.cpp"
            source.write_text(text)
            command = self.command + [option.format(self.prefix) for option in options] + [self.asio, str(source)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode == 0:
            return None
        found = re.search(r"error: (.*)", done.stderr)
        return found.group(1) if found else done.stderr


def version_of(asio, boost):
    header = Path(asio) / ("boost/asio/version.hpp" if boost else "asio/version.hpp")
    return int(re.search(r"define (?:BOOST_)?ASIO_VERSION (\d+)", header.read_text()).group(1))


def must_refuse(name, wanted, told):
    if told is None:
        return [f"{name}: is not refused"]
    return [] if wanted in told else [f"{name}: the first error does not name it: {told}"]


def must_accept(name, told):
    return [] if told is None else [f"{name}: {told}"]


def problems_of_version(compiler):
    found = []
    for name, options in ACCEPTED:
        found += must_accept(name, compiler.first_error(LOOP, options))
    for name, options, wanted in REFUSED:
        found += must_refuse(name, wanted, compiler.first_error(LOOP, options))
        if name != "-fno-exceptions":
            found += must_accept(f"a guest with {name}", compiler.first_error(GUEST, options))
    found += must_refuse("a guest without exceptions", "exceptions", compiler.first_error(GUEST, ["-fno-exceptions"]))
    found += must_accept("other defaults before Asio", compiler.first_error(DEFAULT + WHOLE_ASIO))
    too_late = compiler.first_error(WHOLE_ASIO + DEFAULT)
    found += must_refuse("other defaults after Asio", "before any header of Asio's", too_late)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("compiler")
    parser.add_argument("asio")
    parser.add_argument("--boost", action="store_true")
    wanted = parser.parse_args()
    compiler = Compiler(wanted.compiler, wanted.asio, wanted.boost)
    if version_of(wanted.asio, wanted.boost) < OLDEST:
        found = must_refuse("an Asio that is too old", "needs Asio 1.22", compiler.first_error(LOOP))
        return report(found + must_accept("a guest of an old Asio", compiler.first_error(GUEST)))
    found = problems_of_version(compiler)
    # What shows, in tests/install, that nothing but coronet::asio includes Asio.
    found += must_refuse("Asio where it is absent", "Asio is absent", compiler.first_error(LOOP, [f"-I{WITHOUT_ASIO}"]))
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
