"""Get, set and list in one process, beside the limit and beside other stores.

    python benchmarks/bench_embedded.py                      # beside a bare table in apsw, with orjson
    python benchmarks/bench_embedded.py --peers              # beside what else persists for a Python program
    python benchmarks/bench_embedded.py --keys 10000 --size 4000

Values are objects, and come back as objects equal to what went in, which is checked once for each contender.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import inspect
import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from frameworks import FRAMEWORKS
from measure import SYNCED, clock, interleave, keys, make_value, method_of, say
from ours import Botwire, BotwireFull
from peers import LIMITS, PEERS
from report import Case, Goal, Report, parser

GETS, SETS, LISTS = 400, 40, 20
SETS_FULL, FINER = 5, 8  # the disk's mood changes within milliseconds: more rounds, each of them short
LIMIT, LIMIT_FULL = "apsw+orjson", "apsw+orjson FULL"


def opened(classes: list[Any], options: argparse.Namespace, stack: ExitStack, loop: Any) -> tuple[dict[str, Any], Any]:
    """The contenders that are installed, each with its own folder and all keys; and who is left out."""
    live: dict[str, Any] = {}
    missing: dict[str, str] = {}
    names = keys(options.keys)
    for number, made in enumerate(classes):
        contender = made()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"botwire-bench-{number}-"))
        start = clock()
        try:
            contender.open(folder)
        except (ImportError, NotImplementedError) as error:
            missing[contender.name] = f"{error or 'not installed'}"
            continue
        stack.callback(contender.close)
        done = contender.load((name, make_value(options.size, i)) for i, name in enumerate(names))
        if inspect.isawaitable(done):
            loop.run_until_complete(done)
        found = contender.get(names[7])
        if inspect.isawaitable(found):
            found = loop.run_until_complete(found)
        assert found == make_value(options.size, 7), f"{contender.name} gave back {found!r}"
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        say(f"{contender.name}: {len(names):,} keys in {(clock() - start) / 1e9:.1f} s, {size / 1e6:.0f} MB")
        live[contender.name] = contender
    return live, missing


def compare(options: argparse.Namespace) -> Report:
    loop = asyncio.new_event_loop()
    names = keys(options.keys)
    choice = random.Random(1)
    classes = [
        Botwire,
        BotwireFull,
        *([*PEERS, *FRAMEWORKS] if options.peers else LIMITS),
        *map(resolve_name, options.contender),
    ]
    if options.peers:
        classes.remove(BotwireFull)
    with ExitStack() as stack:
        stack.callback(loop.close)
        live, missing = opened(classes, options, stack, loop)
        gc.collect()
        gc.freeze()  # what one contender holds in memory must not slow the garbage collection of the others
        what = f"{options.size} B, {options.keys:,} keys"

        def case(
            title: str,
            method: str,
            arguments: Callable[[], list[Any]],
            chosen: list[str],
            *,
            note: bool = False,
            finer: int = 1,
            quickest: float = 1.0,
        ) -> Case:
            say(title)

            def timed(one: Any) -> Callable[[], list[int]]:
                function = method_of(one, method, loop)
                return lambda: function(arguments())

            left_out = dict(missing)
            series = interleave({name: timed(live[name]) for name in chosen}, options.rounds * finer, left_out)
            durability = {name: live[name].durability for name in chosen} if note else {}
            reference = LIMIT_FULL if LIMIT not in series else LIMIT
            return Case(title, reference, series, notes=durability, missing=left_out, quickest=quickest)

        def random_keys(count: int) -> list[Any]:
            return [(names[choice.randrange(len(names))],) for _ in range(count)]

        def new_values(count: int) -> list[Any]:
            return [(key, make_value(options.size, choice.randrange(10**6))) for (key,) in random_keys(count)]

        relaxed = [name for name in live if not name.endswith(" FULL")]
        synced = [name for name in live if name.endswith(" FULL")]
        report = Report()
        get = case(f"get, {what}", "get", lambda: random_keys(GETS), relaxed)
        report.add(get, *get_goals(get, options))
        absent = [(f"nobody{number}",) for number in range(GETS)]
        report.add(case(f"get of a missing key, {what}", "get", lambda: absent, relaxed))
        report.add(case(f"set, {what}", "set", lambda: new_values(SETS), relaxed, note=True))
        if synced:
            full = case(
                f"set FULL, {what}",
                "set",
                lambda: new_values(SETS_FULL),
                synced,
                note=True,
                finer=FINER,
                quickest=SYNCED,
            )
            report.add(full, Goal(f"set FULL, {what}", full.title, "botwire FULL", LIMIT_FULL, at_most=1.15))
        prefixes = len(names) // 100
        listed = case(
            f"list 100 keys of a prefix, {what}",
            "list_prefix",
            lambda: [(f"user{choice.randrange(prefixes):05d}:",) for _ in range(LISTS)],
            [name for name in relaxed if not live[name].is_async],
        )
        goal = Goal(f"list 100 keys of a prefix, {what}", listed.title, "botwire", LIMIT, at_most=2.5)
        report.add(listed, *([goal] if not options.peers else []))
        return report


def get_goals(case: Case, options: argparse.Namespace) -> list[Goal]:
    what = f"{options.size} B, {options.keys:,} keys"
    if not options.peers:
        return [Goal(f"get, {what}: ours to {LIMIT}", case.title, "botwire", LIMIT, at_most=1.3)]
    wanted = {"diskcache": 1.7, "LangGraph SqliteStore": 4.0}
    persistent = ["diskcache", "LangGraph SqliteStore", "LangGraph SqliteStore in WAL", "py-key-value DiskStore"]
    persistent += ["py-key-value RocksDBStore", "redis on loopback"]
    return [
        Goal(f"get, {what}: {name} to ours", case.title, name, "botwire", at_least=wanted.get(name, 1.0))
        for name in persistent
    ]


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--peers", action="store_true", help="beside other stores in place of the limit")
    arguments.add_argument("--keys", type=int, default=100_000)
    arguments.add_argument("--size", type=int, default=200, help="bytes of a value")
    arguments.add_argument("--contender", action="append", default=[], help="module:Class, may be repeated")
    given = arguments.parse_args()
    compare(given).show(given.json)
