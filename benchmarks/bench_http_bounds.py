"""What others cost a server: bodies beyond its limit in memory, and half-open connections in the time of good requests.

    python benchmarks/bench_http_bounds.py                      # needs Linux, for /proc

The server is `botwire serve` in a process of its own, with its defaults.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import Round, say
from report import Case, Goal, Report, parser

BODY = 100_000_000
PIECE = 65536
HEAD = "PUT /memory/agent-1/large HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
WITH_LENGTH = "a body of 100 MB that tells its length"
CHUNKED = "a body of 100 MB in chunks"
NOBODY = "nobody else"
HALF_HEADERS = "500 sockets with half of their headers"
HALF_BODIES = "500 sockets with half of a body"
OPEN = 500


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """The port and the process of a server."""
    command = [sys.executable, "-m", "botwire", "serve", "--port", "0", "--no-log"]
    command += ["--url", f"sqlite:///{folder / 'memory.db'}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        port = re.search(r":(\d+),", process.stderr.readline())
        assert port is not None
        yield int(port[1]), process.pid
        process.terminate()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 30)


def send_large(port: int, header: str, wrap: Callable[[bytes], bytes]) -> None:
    """Send 100 MB, or as much of it as the server takes."""
    piece = wrap(b" " * PIECE)
    with connected(port) as line, contextlib.suppress(ConnectionError):
        line.sendall((HEAD + header + "\r\n\r\n").encode())
        for _ in range(BODY // PIECE):
            line.sendall(piece)
        line.recv(1)


def memory(process: int, field: str) -> float:
    """MiB of a process: `VmRSS` now, or `VmHWM` the most since that was reset."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def grown(process: int, cause: Callable[[], None]) -> float:
    """By how many MiB a process has grown at most while something happened."""
    Path(f"/proc/{process}/clear_refs").write_text("5")  # the most starts anew
    before = memory(process, "VmRSS")
    cause()
    return max(memory(process, "VmHWM") - before, 0.01)


def put(port: int) -> None:
    """What is got later."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("PUT", "/memory/agent-1/key", b'{"value": 1}', {"Content-Type": "application/json"})
    assert client.getresponse().status == 200
    client.close()


def gets(port: int, count: int) -> Round:
    """The 99th percentile of gets on one connection, and the slowest; milliseconds."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        client.request("GET", "/memory/agent-1/key")
        client.getresponse().read()
        taken.append((time.perf_counter() - start) * 1000)
    client.close()
    taken.sort()
    return Round(taken[int(len(taken) * 0.99)], taken[-1])


def beside(port: int, sent: str, count: int) -> Round:
    """The same while others have begun a request, and do not go on."""
    with contextlib.ExitStack() as stack:
        for _ in range(OPEN if sent else 0):
            stack.enter_context(connected(port)).sendall(sent.encode())
        return gets(port, count)


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    others = {NOBODY: "", HALF_HEADERS: HEAD, HALF_BODIES: HEAD + 'Content-Length: 100\r\n\r\n{"value":'}
    bodies: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        WITH_LENGTH: (f"Content-Length: {BODY}", lambda piece: piece),
        CHUNKED: ("Transfer-Encoding: chunked", lambda piece: b"%x\r\n%s\r\n" % (len(piece), piece)),
    }
    growth: dict[str, list[Round]] = {name: [] for name in bodies}
    waits: dict[str, list[Round]] = {name: [] for name in others}
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        # A server that is new each time: memory that was taken once is not taken again.
        with tempfile.TemporaryDirectory(prefix="botwire-bench-") as folder, serving(Path(folder)) as (port, process):
            put(port)
            gets(port, 200)
            for name, (header, wrap) in bodies.items():
                size = grown(process, lambda header=header, wrap=wrap: send_large(port, header, wrap))  # type: ignore[misc]
                growth[name].append(Round(size, size))
            for name, sent in others.items():
                waits[name].append(beside(port, sent, options.gets))
    title = "by how much a server grows at most"
    report.add(
        Case(title, CHUNKED, growth, unit="MiB"),
        Goal("a body of 100 MB that tells its length: MiB of memory", title, WITH_LENGTH, at_most=20),
        Goal("a body of 100 MB in chunks: MiB of memory", title, CHUNKED, at_most=20),
    )
    title = "99th percentile of gets on one connection"
    report.add(
        Case(title, NOBODY, waits, unit="ms"),
        Goal("500 half-open sockets (headers): p99 of good requests, ms", title, HALF_HEADERS, at_most=500),
        Goal("500 half-open sockets (bodies): p99 of good requests, ms", title, HALF_BODIES, at_most=500),
    )
    return report


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.set_defaults(rounds=5)
    arguments.add_argument("--gets", type=int, default=1000, help="in each round")
    given = arguments.parse_args()
    compare(given).show(given.json)
