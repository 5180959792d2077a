"""What BotWire costs on PostgreSQL, beside psycopg 3 with prepared statements, in both colours.

    python benchmarks/bench_postgres.py
    python benchmarks/bench_postgres.py --postgres postgresql://me@db.example.com/empty

Without a URL it starts a PostgreSQL of its own, as the tests do, on the disk that TMPDIR names and with fsync on. A
database that is named must be empty. Everything is one process that waits for each answer, over TCP on the loopback
interface and on one processor, and a commit waits for the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from measure import SYNCED, interleave, keys, make_value, method_of, say
from postgres_peers import Bare, BareAsync, BareUpsert, Ours, OursAsync
from report import Case, Goal, Report, parser

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # how the tests start PostgreSQL

MANY = 128
GETS, SINGLE, LISTS, BATCHES = 300, 5, 20, 5
FINER, FINER_BATCHES = 8, 2  # the disk's mood changes within milliseconds: more rounds, each of them short
THREAD, LOOP = "psycopg", "psycopg, async"


@contextmanager
def database(url: str | None, **settings: object) -> Iterator[str]:
    """The URL of an empty database: as it is given, or on a server that is started; all of it on one processor.

    One side always waits for the other. On two processors it has to be woken on an idle one, or not, as the scheduler
    has placed them: the same get then takes 30 or 70 microseconds for minutes.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if url is not None:
        yield url
        return
    os.environ.setdefault("TMPDIR", "/tmp")  # else it is in memory, and no commit waits
    from with_postgres.clusters import Cluster
    from with_postgres.keeper import join

    cluster = Cluster(join(), "bench", fsync=True, settings=settings)
    try:
        yield cluster.start().create_database("bench")
    finally:
        cluster.remove()


def opened(url: str, options: argparse.Namespace, loop: asyncio.AbstractEventLoop, stack: ExitStack) -> dict[str, Any]:
    """The contenders of each colour, with all keys."""
    pairs = [(key, make_value(options.size, number)) for number, key in enumerate(keys(options.keys))]
    ours, bare = Ours(url), Bare(url)
    for start in range(0, len(pairs), 10_000):
        ours.set_many(dict(pairs[start : start + 10_000]))
    bare.prepare(pairs)
    bare.connection.execute("VACUUM ANALYZE botwire.versions")
    live: list[Any] = [ours, bare, BareUpsert(url), OursAsync(url), loop.run_until_complete(BareAsync.connect(url))]
    for contender in live:
        if contender.is_async:
            stack.callback(_closed, contender, loop)
            found = loop.run_until_complete(contender.get(pairs[7][0]))
        else:
            stack.callback(contender.close)
            found = contender.get(pairs[7][0])
        assert found == pairs[7][1], f"{contender.name} gave back {found!r}"
    say(f"{len(pairs):,} keys are there")
    return {contender.name: contender for contender in live}


def _closed(contender: Any, loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(contender.close())


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    choice = random.Random(1)
    names = keys(options.keys)
    prefixes = max(1, len(names) // 100)
    what = f"{options.size} B, {options.keys:,} keys"

    def some(count: int) -> list[str]:
        return [names[choice.randrange(len(names))] for _ in range(count)]

    def value() -> Any:
        return make_value(options.size, choice.randrange(10**6))

    with ExitStack() as stack:
        url = stack.enter_context(database(options.postgres, **dict(options.setting)))
        loop = stack.enter_context(asyncio.Runner()).get_loop()
        live = opened(url, options, loop, stack)
        gc.collect()
        gc.freeze()

        def cases(
            title: str,
            method: str,
            arguments: Callable[[], list[Any]],
            bound: float | None = None,
            *,
            finer: int = 1,
            also: tuple[str, ...] = (),
        ) -> None:
            """A case of each colour; what writes counts only in the quickest of its rounds."""
            for ours, bare in (("botwire", THREAD), ("botwire, async", LOOP)):
                chosen = [ours, bare, *(also if bare == THREAD else ())]
                call = {name: method_of(live[name], method, loop) for name in chosen}
                functions = {name: (lambda one=call[name]: one(arguments())) for name in chosen}
                whole = f"{title}, from {'a thread' if bare == THREAD else 'an event loop'}"
                say(whole)
                series = interleave(functions, options.rounds * finer, {})
                case = Case(whole, bare, series, quickest=1.0 if finer == 1 else SYNCED)
                goals = [Goal(f"{whole}: ours to {bare}", whole, ours, bare, at_most=bound)] if bound else []
                report.add(case, *(goals if bare == THREAD else []))

        cases(f"get, {what}", "get", lambda: [(key,) for key in some(GETS)], 1.25)
        cases(
            f"set, {what}",
            "set",
            lambda: [(key, value()) for key in some(SINGLE)],
            1.15,
            finer=FINER,
            also=("psycopg, upsert",),
        )
        cases(f"get_many of {MANY}, {what}", "get_many", lambda: [(some(MANY),) for _ in range(LISTS)])
        cases(
            f"set_many of {MANY}, {what}",
            "set_many",
            lambda: [({key: value() for key in some(MANY)},) for _ in range(BATCHES)],
            finer=FINER_BATCHES,
        )
        cases(
            f"list 100 keys of a prefix, {what}",
            "list_prefix",
            lambda: [(f"user{choice.randrange(prefixes):05d}:",) for _ in range(LISTS)],
        )
        cases(f"append one value of {options.size} B", "append", lambda: [(value(),)] * SINGLE, finer=FINER)
        cases("increment", "increment", lambda: [()] * SINGLE, finer=FINER)
        cases(f"fork of {options.keys:,} keys", "fork", lambda: [()] * SINGLE, finer=FINER)
    return report


def pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--postgres", metavar="URL", help="an empty database; else a server is started")
    arguments.add_argument("--keys", type=int, default=100_000)
    arguments.add_argument("--size", type=int, default=200, help="bytes of a value")
    arguments.add_argument(
        "--setting", type=pair, action="append", default=[], metavar="NAME=VALUE", help="of the PostgreSQL it starts"
    )
    given = arguments.parse_args()
    compare(given).show(given.json)
