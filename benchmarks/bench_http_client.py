"""One client, one get after another: ours to our server, beside SDK 0.2.1 to a service of the first one's shape.

    python benchmarks/bench_http_client.py                      # makes an environment with botwire 0.2.1
    python benchmarks/bench_http_client.py --theirs PYTHON      # takes this one

Each client is a process of its own with one connection, and each takes its turn in every round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench_http import FIRST, OURS, started
from bench_import import environment
from measure import interleave
from report import Case, Goal, Report, parser

# A client reads how many gets to make, and answers with the nanoseconds of each.
LOOP = """
import json, sys, time
clock = time.perf_counter_ns
keys = [f"user{number:05d}:fact" for number in range(1000)]
for line in sys.stdin:
    taken = []
    for number in range(int(line)):
        key = keys[(number * 7 + 13) % 1000]
        start = clock()
        value = get(key)
        taken.append(clock() - start)
        assert value
    print(json.dumps(taken), flush=True)
"""
ASYNC_LOOP = """
import asyncio, json, sys, time
clock = time.perf_counter_ns
keys = [f"user{number:05d}:fact" for number in range(1000)]
async def main():
    for line in sys.stdin:
        taken = []
        for number in range(int(line)):
            key = keys[(number * 7 + 13) % 1000]
            start = clock()
            value = await get(key)
            taken.append(clock() - start)
            assert value
        print(json.dumps(taken), flush=True)
asyncio.run(main())
"""
SYNC = "ours"
HEADER = "import sys\nfrom botwire import Memory\n"
CLIENTS = {
    SYNC: (OURS, HEADER + "get = Memory('agent-1', sys.argv[1]).get\n" + LOOP),
    "ours, async": (OURS, HEADER + "get = Memory('agent-1', sys.argv[1]).aget\n" + ASYNC_LOOP),
    "httpx to our server": (
        OURS,
        """
import httpx, sys
client = httpx.Client(base_url=sys.argv[1])
def get(key):
    return client.get(f"/memory/agent-1/{key}").raise_for_status().json()["value"]
"""
        + LOOP,
    ),
    "SDK 0.2.1": (FIRST, HEADER + "get = Memory('agent-1', base_url=sys.argv[1]).get\n" + LOOP),
}


@contextmanager
def talking(python: str, code: str, url: str, folder: Path) -> Iterator[Callable[[int], list[int]]]:
    """A client in a process of its own: called with a number of gets, it gives the nanoseconds of each."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BOTWIRE"))}
    # In a folder of its own: Python looks for modules in the current one first.
    command = [python, "-c", code, url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=settings
    ) as process:

        def gets(count: int) -> list[int]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{count}\n")
            process.stdin.flush()
            taken: list[int] = json.loads(process.stdout.readline())
            return taken

        try:
            yield gets
        finally:
            process.kill()


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-")))
        theirs = options.theirs or environment(folder / "theirs", "botwire==0.2.1")
        servers = {name: stack.enter_context(started(name, folder))[0] for name in (OURS, FIRST)}
        calls = {}
        for name, (server, code) in CLIENTS.items():
            python = theirs if name == "SDK 0.2.1" else sys.executable
            gets = stack.enter_context(talking(python, code, servers[server], folder))
            calls[name] = partial(gets, options.gets)
        series = interleave(calls, options.rounds, {})
        title = "one get after another, 200 B, one connection"
        goal = Goal("one client GET: ours to SDK 0.2.1 and its service", title, SYNC, "SDK 0.2.1", at_most=0.45)
        report.add(Case(title, "SDK 0.2.1", series), goal)
    return report


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.set_defaults(rounds=10)
    arguments.add_argument("--theirs", help="a Python that has botwire 0.2.1")
    arguments.add_argument("--gets", type=int, default=200, help="in each round")
    given = arguments.parse_args()
    compare(given).show(given.json)
