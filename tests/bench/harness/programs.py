# SPDX-License-Identifier: BSL-1.0
#
# Which servers there are and where their programs lie. {port} in a command is filled in when the
# server starts; {samples} and {bench} are folders of the build.
import os

CORONET, FLOOR, ASIO, EPOLL = "coronet", "c liburing", "asio epoll coro", "coronet epoll"

ECHO = {
    CORONET: "{samples}/echo_server --listen 127.0.0.1:{port} --threads 1",
    FLOOR: "{bench}/echo_liburing --port {port} --recv multi",
    ASIO: "{bench}/echo_asio {port} coro",
    EPOLL: "{samples}/echo_server --listen 127.0.0.1:{port} --threads 1 --driver epoll",
    "c liburing oneshot": "{bench}/echo_liburing --port {port} --recv oneshot",
    "asio epoll callback": "{bench}/echo_asio {port} callback",
}
HTTP = {
    CORONET: "{samples}/http_server --listen 127.0.0.1:{port} --threads 1",
    FLOOR: "{bench}/http_liburing --port {port} --recv multi",
    ASIO: "{bench}/http_asio {port} coro",
    EPOLL: "{samples}/http_server --listen 127.0.0.1:{port} --threads 1 --driver epoll",
    "c liburing oneshot": "{bench}/http_liburing --port {port} --recv oneshot",
    "asio epoll callback": "{bench}/http_asio {port} callback",
}
# Valgrind 3.19 lets no other thread run while one waits in its ring: all of a server must be one thread.
ONE_THREAD = {**{name: command for name, command in ECHO.items() if name != EPOLL}, CORONET: "{bench}/echo_one_thread {port}"}
KNOWN = {"echo": ECHO, "http": HTTP, "instructions": ONE_THREAD}
USUAL = (CORONET, FLOOR, ASIO, EPOLL)


class Missing(Exception):
    """A program that has not been built."""


class Programs:
    """The programs of one build folder."""

    def __init__(self, build):
        self.bench = os.path.join(build, "tests", "bench")
        self.samples = os.path.join(build, "samples")

    def tool(self, name):
        path = os.path.join(self.bench, name)
        if not os.access(path, os.X_OK):
            raise Missing(f"{path} is missing: build the target coronet_bench_programs")
        return path

    def fill(self, command):
        """The command with its folders filled in; {port} is left for the start."""
        return command.replace("{samples}", self.samples).replace("{bench}", self.bench)

    def usual(self, protocol):
        """The servers of a plain run. Asio's is left out where Asio was not found at build time."""
        chosen = {}
        for name in USUAL:
            if name not in KNOWN[protocol]:
                continue
            command = self.fill(KNOWN[protocol][name])
            program = command.split()[0]
            if os.access(program, os.X_OK):
                chosen[name] = command
            elif name != ASIO:
                raise Missing(f"{program} is missing: build the target coronet_bench_programs")
        return chosen

    def pick(self, protocol, names):
        """Servers by known name or as NAME=COMMAND; the usual ones if none is named."""
        if not names:
            return self.usual(protocol)
        known, chosen = KNOWN[protocol], {}
        for item in names:
            name, _, command = item.partition("=")
            if not command and name not in known:
                raise Missing(f"no server is called {name!r}; known: {', '.join(known)}")
            chosen[name] = self.fill(command or known[name])
        return chosen
