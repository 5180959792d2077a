"""GET and PUT over HTTP through one and through three servers on one PostgreSQL, beside one server on SQLite.

    python benchmarks/servers_on_postgres.py
    python benchmarks/servers_on_postgres.py --postgres postgresql://me@db.example.com/memory

Without a URL it starts a PostgreSQL of its own, on the disk that TMPDIR names and with fsync on; with one, the
database is to be empty. wrk (on the path) is the load, on the same machine; a round is some seconds of load on each in
turn. With three servers there are three of wrk at once, each with its share of the connections. Requests are spread
over some namespaces (`--namespaces`), since writers of one namespace wait for each other.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from bench_postgres import database
from measure import Round, Series, make_value, say
from report import Case, Report, parser

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # how the tests start servers

from with_postgres.fleet import Fleet, fleet

from botwire import Memory

KEYS = 1000
GET_SCRIPT = """
local n = 0
request = function()
  n = (n + 7) % KEYS
  return wrk.format("GET", string.format("/memory/space-%d/user%05d:fact", n % SPACES, n))
end
"""
PUT_SCRIPT = """
local n = math.random(KEYS)
local headers = { ["Content-Type"] = "application/json" }
request = function()
  n = (n + 7) % KEYS
  return wrk.format("PUT", string.format("/memory/space-%d/user%05d:fact", n % SPACES, n), headers, 'BODY')
end
"""
KEYED_PUT_SCRIPT = PUT_SCRIPT.replace(
    "  return wrk", '  headers["Idempotency-Key"] = string.format("THREAD-%d-%d", os.time(), count)\n  return wrk'
).replace("request = function()", "local count = 0\nrequest = function()\n  count = count + 1")
FOUND = re.compile(r"50%\s+([\d.]+)(us|ms|s)\s.*?99%\s+([\d.]+)(us|ms|s)\s+(\d+) requests in", re.DOTALL)
RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
SQLITE, ONE, THREE = "1 server on SQLite", "1 server on PostgreSQL", "3 servers on PostgreSQL"


@contextmanager
def started(options: argparse.Namespace) -> Iterator[dict[str, Fleet]]:
    """What is compared, by name; each has the same entries."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-")))
        postgres = stack.enter_context(database(options.postgres, **dict(options.setting)))
        stores = {SQLITE: f"sqlite:///{folder}/memory.db", ONE: postgres, THREE: postgres}
        for url in set(stores.values()):
            for space in range(options.namespaces):
                with Memory(f"space-{space}", url) as memory:
                    memory.set_many(
                        {
                            f"user{number:05}:fact": make_value(200, number)
                            for number in range(space, KEYS, options.namespaces)
                        }
                    )
        yield {name: stack.enter_context(fleet(url, count=3 if name == THREE else 1)) for name, url in stores.items()}


def loaded(urls: Sequence[str], script: str, folder: Path, options: argparse.Namespace) -> tuple[float, float, float]:
    """Requests a second of all servers together, and the median and 99th percentile of the waits in milliseconds.

    Of several servers, the waits of the slowest.
    """
    each = max(1, options.connections // len(urls))
    running = []
    for number, url in enumerate(urls):
        path = folder / f"{uuid4().hex}.lua"
        path.write_text(script.replace("THREAD", f"{uuid4().hex}-{number}"))
        command = ["wrk", "-t1", f"-c{each}", f"-d{options.seconds}s", "--latency", "-s", str(path), url]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    rate, median, p99 = 0.0, 0.0, 0.0
    for process in running:
        text, _ = process.communicate()
        assert process.returncode == 0, text
        assert "Non-2xx" not in text, text
        waits, found = FOUND.search(text), RATE.search(text)
        assert waits is not None, text
        assert found is not None, text
        rate += float(found[1])
        median = max(median, float(waits[1]) * UNITS[waits[2]])
        p99 = max(p99, float(waits[3]) * UNITS[waits[4]])
    return rate, median, p99


def compare(options: argparse.Namespace) -> Report:
    assert shutil.which("wrk"), "wrk is not on the path"
    report = Report()
    body = json.dumps({"value": make_value(200)}, separators=(",", ":"))
    scripts = {"GET": GET_SCRIPT, "PUT": PUT_SCRIPT, "PUT with an Idempotency-Key": KEYED_PUT_SCRIPT}
    shuffled = random.Random(7)
    with started(options) as fleets, tempfile.TemporaryDirectory(prefix="botwire-wrk-") as folder:
        for what, template in scripts.items():
            script = template.replace("KEYS", str(KEYS)).replace("SPACES", str(options.namespaces))
            script = script.replace("BODY", body)
            rates: dict[str, Series] = {name: [] for name in fleets}
            waits: dict[str, Series] = {name: [] for name in fleets}
            for number in range(-1, options.rounds):
                say(f"{what}, round {number + 1} of {options.rounds}")
                order = list(fleets)
                shuffled.shuffle(order)
                for name in order:
                    rate, median, p99 = loaded(fleets[name].urls, script, Path(folder), options)
                    if number >= 0:
                        rates[name].append(Round(rate, rate))
                        waits[name].append(Round(median, p99))
            title = f"{what}, {options.connections} connections"
            report.add(Case(f"{title}, requests a second", SQLITE, rates, unit="requests"))
            report.add(Case(f"{title}, waits", SQLITE, waits, unit="ms"))
    return report


def pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.set_defaults(rounds=5)
    arguments.add_argument("--postgres", metavar="URL", help="a PostgreSQL that runs; else one is started")
    arguments.add_argument("--connections", type=int, default=32)
    arguments.add_argument("--namespaces", type=int, default=8, help="that the requests are spread over")
    arguments.add_argument("--seconds", type=int, default=2, help="of load in each round")
    arguments.add_argument(
        "--setting", type=pair, action="append", default=[], metavar="NAME=VALUE", help="of the PostgreSQL it starts"
    )
    given = arguments.parse_args()
    compare(given).show(given.json)
