# SPDX-License-Identifier: BSL-1.0
#
# Which servers there are and where their programs lie. {port} in a command is filled in when the
# server starts; {samples}, {bench} and {here} are folders of the build and of the sources; {buffer}
# is the receive buffer that a run with messages of that size is given.
import os
import shutil

CORONET, EPOLL = "coronet", "coronet epoll"
NESTED = "coronet nested"  # a task for every request
READ_SOME = "coronet read_some"  # one thread, a buffer as long as a message
FLOOR, FLOOR_AGAIN, ONESHOT = "c liburing", "c liburing again", "c liburing oneshot"
C_EPOLL = "c epoll"
ASIO, ASIO_URING = "asio epoll coro", "asio uring coro"
LIBUV, NGINX = "libuv", "nginx"
TWO_SCHEDULERS = "coronet two schedulers"
# What acceptance runs hold against the floor: the best way to receive, and the plain one. Both are
# what the sample does; a mode of it that is faster belongs here.
STREAM, BUFFER = CORONET, CORONET

ECHO = {
    CORONET: "{samples}/echo_server --listen 127.0.0.1:{port} --threads 1",
    FLOOR: "{bench}/echo_liburing --port {port} --recv multi --size {buffer}",
    ASIO: "{bench}/echo_asio {port} coro {buffer}",
    EPOLL: "{samples}/echo_server --listen 127.0.0.1:{port} --threads 1 --driver epoll",
    C_EPOLL: "{bench}/echo_epoll {port}",
    ONESHOT: "{bench}/echo_liburing --port {port} --recv oneshot --size {buffer}",
    READ_SOME: "{bench}/echo_one_thread {port} buffer {buffer}",
    ASIO_URING: "{bench}/echo_asio_uring {port} coro {buffer}",
    LIBUV: "{bench}/echo_libuv {port} {buffer}",
    FLOOR_AGAIN: "{bench}/echo_liburing --port {port} --recv multi --size {buffer}",
    "c liburing few buffers": "{bench}/echo_liburing --port {port} --recv multi --size {buffer} --bufs 64",
    "c liburing select": "{bench}/echo_liburing --port {port} --recv select --size {buffer}",
    "asio epoll callback": "{bench}/echo_asio {port} callback {buffer}",
    # The same program: on Coronet's loop, and with Coronet below its sockets.
    "asio on coronet": "{bench}/echo_asio_on_coronet {port} coro {buffer}",
    "asio native": "{bench}/echo_asio_native {port} coro {buffer}",
    "asio native streams": "{bench}/echo_asio_native {port} stream {buffer}",
    TWO_SCHEDULERS: "{samples}/echo_server --listen 127.0.0.1:{port} --threads 2",
}
HTTP = {
    CORONET: "{samples}/http_server --listen 127.0.0.1:{port} --threads 1",
    FLOOR: "{bench}/http_liburing --port {port} --recv multi",
    ASIO: "{bench}/http_asio {port} coro",
    EPOLL: "{samples}/http_server --listen 127.0.0.1:{port} --threads 1 --driver epoll",
    NGINX: "sh {here}/yardsticks/nginx.sh {port}",
    ASIO_URING: "{bench}/http_asio_uring {port} coro",
    FLOOR_AGAIN: "{bench}/http_liburing --port {port} --recv multi",
    ONESHOT: "{bench}/http_liburing --port {port} --recv oneshot",
    "asio epoll callback": "{bench}/http_asio {port} callback",
    TWO_SCHEDULERS: "{samples}/http_server --listen 127.0.0.1:{port} --threads 2",
}
UDP = {
    CORONET: "{bench}/udp_echo {port}",
    FLOOR: "{bench}/udp_liburing {port} multi",
    EPOLL: "{bench}/udp_echo {port} epoll",
    ONESHOT: "{bench}/udp_liburing {port} oneshot",
    C_EPOLL: "{bench}/udp_epoll {port}",
    "c epoll batch": "{bench}/udp_epoll {port} batch",
    ASIO: "{bench}/udp_asio {port}",
    ASIO_URING: "{bench}/udp_asio_uring {port}",
    FLOOR_AGAIN: "{bench}/udp_liburing {port} multi",
}
STREAMS = {
    CORONET: "{bench}/stream_server {port}",
    FLOOR: "{bench}/stream_liburing {port}",
    EPOLL: "{bench}/stream_server {port} epoll",
    ASIO: "{bench}/stream_asio {port}",
    ASIO_URING: "{bench}/stream_asio_uring {port}",
    FLOOR_AGAIN: "{bench}/stream_liburing {port}",
}
# {from} and {to} are files. All have the contents on the device when they end.
COPY = {
    CORONET: "{samples}/file_copy {from} {to}",
    FLOOR: "{bench}/copy_liburing {from} {to}",
    EPOLL: "{samples}/file_copy --driver epoll {from} {to}",
    "cp": "sh -c 'cp --reflink=never \"$0\" \"$1\" && sync \"$1\"' {from} {to}",
    FLOOR_AGAIN: "{bench}/copy_liburing {from} {to}",
}
# Valgrind 3.19 lets no other thread run while one waits in its ring: all of a server must be one thread.
ONE_THREAD = {
    CORONET: "{bench}/echo_one_thread {port} stream 2048 flat",
    NESTED: "{bench}/echo_one_thread {port} stream 2048 nested",
    FLOOR: ECHO[FLOOR],
    ASIO: ECHO[ASIO],
    ONESHOT: ECHO[ONESHOT],
    C_EPOLL: ECHO[C_EPOLL],
}
KNOWN = {"echo": ECHO, "churn": ECHO, "firehose": ECHO, "http": HTTP, "udp": UDP, "sink": STREAMS,
         "source": STREAMS, "copy": COPY, "instructions": ONE_THREAD}
USUAL = (CORONET, FLOOR, ASIO, EPOLL)
# Left out where they are not installed or were not found at build time.
OPTIONAL = ("echo_libuv", "nginx.sh", "echo_asio_on_coronet", "echo_asio_native", *(f"{each}_asio{backend}" for backend in ("", "_uring")
                                       for each in ("echo", "http", "stream", "udp")))
# What a protocol asks of the load.
LOADS = {"echo": [], "http": ["--http"], "churn": ["--requests-per-connection", "10"],
         "udp": ["--udp"], "sink": ["--sink"], "source": ["--source"], "firehose": ["--firehose"]}


class Missing(Exception):
    """A program that has not been built."""


class Programs:
    """The programs of one build folder."""

    def __init__(self, build):
        self.here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.bench = os.path.join(build, "tests", "bench")
        self.samples = os.path.join(build, "samples")

    def tool(self, name):
        path = os.path.join(self.bench, name)
        if not os.access(path, os.X_OK):
            raise Missing(f"{path} is missing: build the target coronet_bench_programs")
        return path

    def fill(self, command, size=64):
        """The command with its folders filled in; {port} is left for the start."""
        for name, value in (("samples", self.samples), ("bench", self.bench), ("here", self.here),
                            ("buffer", str(max(2048, size)))):
            command = command.replace("{" + name + "}", value)
        return command

    def present(self, command):
        words = [word for word in command.split()[:2] if "/" in word]
        if any(word.endswith("nginx.sh") for word in words):
            return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") is not None
        return all(os.access(word, os.X_OK) for word in words[:1])

    def choose(self, protocol, names, size=64):
        """Those of the known servers `names` that are there. Optional ones may be left out."""
        chosen = {}
        for name in names:
            if name not in KNOWN[protocol]:
                continue
            command = self.fill(KNOWN[protocol][name], size)
            if self.present(command):
                chosen[name] = command
            elif not any(os.path.basename(word) in OPTIONAL for word in command.split()[:2]):
                raise Missing(f"{command.split()[0]} is missing: build the target coronet_bench_programs")
        return chosen

    def pick(self, protocol, names, size=64):
        """Servers by known name or as NAME=COMMAND; the usual ones if none is named."""
        if not names:
            return self.choose(protocol, USUAL if protocol != "instructions" else ONE_THREAD, size)
        known, chosen = KNOWN[protocol], {}
        for item in names:
            name, _, command = item.partition("=")
            if not command and name not in known:
                raise Missing(f"no server is called {name!r}; known: {', '.join(known)}")
            chosen[name] = self.fill(command or known[name], size)
        return chosen
