"""GET and PUT over HTTP beside the least an ASGI application can do, and beside a service of the first one's shape.

    python benchmarks/bench_http.py
    python benchmarks/bench_http.py --connections 1 --rounds 10

wrk (on the path) is the load, on the same machine: so all numbers are low, and the ratios count. A round is a second
of load on each server in turn. All values are 200 bytes, and every commit is synced to the disk (FULL).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from http_servers import KEYS, SERVERS, SPACE
from measure import Round, Series, make_value, say
from report import Case, Goal, Report, parser

GET_SCRIPT = """
local n = 0
request = function()
  n = (n + 7) % 1000
  return wrk.format("GET", string.format("/memory/%s/user%%05d:fact", n))
end
"""
PUT_SCRIPT = """
local n = 0
local body = '%s'
local headers = { ["Content-Type"] = "application/json" }
request = function()
  n = (n + 7) %% 1000
  return wrk.format("PUT", string.format("/memory/%s/user%%05d:fact", n), headers, body)
end
"""
FOUND = re.compile(r"99%\s+([\d.]+)(us|ms|s)\s+(\d+) requests in.*?Requests/sec:\s+([\d.]+)", re.DOTALL)
UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}
OURS, LOGGED, BARE, FIRST = SERVERS


@contextmanager
def started(name: str, folder: Path) -> Iterator[tuple[str, int]]:
    """A server in a process of its own: its URL and the number of the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / name.replace(" ", "-").replace(",", "")
    home.mkdir()
    script = Path(__file__).with_name("http_servers.py")
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, script, name, str(port), home]
    with (home / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{url}/memory/{SPACE}/{KEYS[0]}").close()
                    break
                except OSError:
                    assert process.poll() is None, f"{name} has ended"
                    time.sleep(0.1)
            yield url, process.pid
        finally:
            process.terminate()


def loaded(url: str, process: int, script: Path, options: argparse.Namespace) -> tuple[Round, Round]:
    """For each request at so many connections: microseconds that passed, and those that the server took of a processor.

    Beside the first stands the 99th percentile of the waits.
    """
    before = processor_seconds(process)
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = processor_seconds(process) - before
    assert "Non-2xx" not in text, text
    match = FOUND.search(text)
    assert match is not None, text
    each = 1e6 * used / int(match[3])
    return Round(1e6 / float(match[4]), float(match[1]) * UNITS[match[2]]), Round(each, each)


def processor_seconds(process: int) -> float:
    """What a process has used of a processor since it began; other load on the machine changes it little."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(options: argparse.Namespace) -> Report:
    assert shutil.which("wrk"), "wrk is not on the path"
    report = Report()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-")))
        urls = {name: stack.enter_context(started(name, folder)) for name in SERVERS}
        (folder / "get.lua").write_text(GET_SCRIPT.replace("%s/user%%", f"{SPACE}/user%").replace("%%", "%"))
        body = json.dumps({"value": make_value(200)}, separators=(",", ":"))
        (folder / "put.lua").write_text(PUT_SCRIPT % (body, SPACE))
        shuffled = random.Random(7)
        for method in ("GET", "PUT"):
            elapsed: dict[str, Series] = {name: [] for name in SERVERS}
            processor: dict[str, Series] = {name: [] for name in SERVERS}
            for number in range(-1, options.rounds):
                say(f"{method}, round {number + 1} of {options.rounds}")
                order = list(SERVERS)
                shuffled.shuffle(order)
                for name in order:
                    wall, own = loaded(*urls[name], folder / f"{method.lower()}.lua", options)
                    if number >= 0:
                        elapsed[name].append(wall)
                        processor[name].append(own)
            title = f"{method}, {options.connections} connections"
            report.add(Case(title, BARE, elapsed), *(goals(method, title) if options.connections == 32 else ()))
            report.add(Case(f"{title}, processor time of the server", BARE, processor))
    return report


def goals(method: str, title: str) -> list[Goal]:
    """A ratio of microseconds per request is the inverse of one of requests per second."""
    text = f"{method} a second: ours to FastAPI and sqlite3, both with a line of log for each request"
    first = Goal(text, title, FIRST, LOGGED, at_least=10)
    if method == "GET":
        return [
            Goal("GET a second: ours to bare ASGI with one point get", title, BARE, OURS, at_least=0.7),
            Goal("the same, with a line of log for each request", title, BARE, LOGGED, at_least=0.7),
            first,
        ]
    return [Goal("PUT a second at FULL: ours to a commit per request", title, BARE, OURS, at_least=3.5), first]


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.set_defaults(rounds=7)
    arguments.add_argument("--connections", type=int, default=32)
    arguments.add_argument("--seconds", type=int, default=1, help="of load in each round")
    given = arguments.parse_args()
    compare(given).show(given.json)
