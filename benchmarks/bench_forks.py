"""What a fork costs: to make, to keep, to open among many, and to compare.

python benchmarks/bench_forks.py
python benchmarks/bench_forks.py --sizes 10,10000 --forks 1000       # quicker
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measure import SYNCED, Round, call_each, interleave, keys, make_value, say
from ours import NAMESPACE, Botwire, BotwireFull
from peers import ApswOrjson, ApswOrjsonFull
from report import Case, Goal, Report, parser

from botwire import Memory
from botwire_core.stores.sqlite import SqliteStore

SIZE = 200
SHORT, FINER = 5, 8  # the disk's mood changes within milliseconds: more rounds, each of them short


def filled(folder: str, count: int) -> None:
    """A file with so many keys, closed again."""
    contender = Botwire()
    contender.open(folder)
    contender.load((name, make_value(SIZE, number)) for number, name in enumerate(keys(count)))
    contender.close()


def fork_of_sizes(options: argparse.Namespace, report: Report) -> None:
    """A fork against a minimal commit, a set of one small value in a namespace of its own, in the same file."""
    with ExitStack() as stack:
        folders = {}
        for size in options.sizes:
            say(f"fill a memory of {size:,} keys")
            folders[size] = stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-"))
            filled(folders[size], size)
        gc.collect()
        numbers = itertools.count()
        for made, bare, durability in ((BotwireFull, ApswOrjsonFull, "FULL"), (Botwire, ApswOrjson, "NORMAL")):
            functions: dict[str, Callable[[], list[int]]] = {}
            for size, folder in folders.items():
                contender = made()
                contender.open(folder)
                stack.callback(contender.close)
                base = contender.memory
                tick = Memory("tick", store=base.store)

                def fork(base: Memory = base) -> list[int]:
                    return call_each(base.fork, [(f"fork-{next(numbers)}",) for _ in range(SHORT)])

                def one_row(tick: Memory = tick) -> list[int]:
                    return call_each(tick.set, [("tick", next(numbers)) for _ in range(SHORT)])

                functions[f"fork of {size:,} keys"] = fork
                functions[f"set of one row beside {size:,} keys"] = one_row
            table = bare()
            table.open(stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-")))
            stack.callback(table.close)
            functions["set of one row in a bare table"] = lambda table=table: call_each(  # type: ignore[misc]
                table.set, [("tick", next(numbers)) for _ in range(SHORT)]
            )
            title = f"fork, {durability}"
            say(title)
            series = interleave(functions, options.rounds * FINER, {})
            smallest, largest = min(options.sizes), max(options.sizes)
            goals = [
                Goal(
                    f"fork of {size:,} keys to a set of one row, {durability}",
                    title,
                    f"fork of {size:,} keys",
                    f"set of one row beside {size:,} keys",
                    at_most=1.5,
                )
                for size in options.sizes
            ]
            goals.append(
                Goal(
                    f"fork of {largest:,} keys to a fork of {smallest:,}, {durability}",
                    title,
                    f"fork of {largest:,} keys",
                    f"fork of {smallest:,} keys",
                    at_most=1.5,
                )
            )
            share = SYNCED if durability == "FULL" else 1.0
            report.add(Case(title, f"set of one row beside {smallest:,} keys", series, quickest=share), *goals)


def many_forks(options: argparse.Namespace, report: Report) -> None:
    """Many live forks of one base: bytes of each, opening one, and reading them in any order, against few forks."""
    count, few = options.forks, 10
    names = keys(10_000)
    with ExitStack() as stack:
        stores: dict[int, Path] = {}
        for live in (few, count):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-"))
            path = stores[live] = Path(folder) / "memory.db"
            filled(folder, len(names))
            before = path.stat().st_size
            say(f"make {live:,} forks")
            with Memory(NAMESPACE, f"sqlite:///{path}?durability=normal") as base:
                for number in range(live):
                    base.fork(f"fork-{number}")
            each = (path.stat().st_size - before) / live
        title = f"bytes in the file of an idle fork, {count:,} of them"
        goal = Goal(title, title, "an idle fork", at_most=1023)
        report.add(Case(title, "an idle fork", {"an idle fork": [Round(each, each)]}, unit="bytes"), goal)

        choice = random.Random(4)

        def some_key() -> str:
            return names[choice.randrange(len(names))]

        def first_look(live: int) -> list[int]:
            """In a store that has just been opened: nothing is remembered of any fork."""
            store = SqliteStore(stores[live])
            Memory(NAMESPACE, store=store).get(names[0])
            chosen = [(f"fork-{number}", some_key()) for number in choice.sample(range(live), few)]
            samples = call_each(lambda name, key: Memory(name, store=store).get(key), chosen)
            store.close()
            return samples

        title = "open a fork and get a key, first time in the process"
        say(title)
        wide, narrow = f"one of {count:,} forks", f"one of {few} forks"
        series = interleave({wide: lambda: first_look(count), narrow: lambda: first_look(few)}, options.rounds * 4, {})
        report.add(Case(title, narrow, series), Goal(f"{title}: {wide} to {narrow}", title, wide, narrow, at_most=1.5))

        store = SqliteStore(stores[count])
        stack.callback(store.close)
        base = Memory(NAMESPACE, store=store)
        forks = [Memory(f"fork-{number}", store=store) for number in range(count)]
        for fork in forks:
            fork.get(names[0])
        title = f"get with {count:,} live forks"
        say(title)
        functions = {
            "from the base": lambda: call_each(base.get, [(some_key(),) for _ in range(300)]),
            "from any fork": lambda: call_each(
                lambda fork, key: fork.get(key), [(choice.choice(forks), some_key()) for _ in range(300)]
            ),
        }
        series = interleave(functions, options.rounds, {})
        goal = Goal(f"{title}: from any fork to from the base", title, "from any fork", "from the base", at_most=1.5)
        report.add(Case(title, "from the base", series), goal)


def diff(options: argparse.Namespace, report: Report) -> None:
    """Two forks of a base, a few keys changed, against a get from the base."""
    names = keys(options.keys)
    choice = random.Random(5)
    with tempfile.TemporaryDirectory(prefix="botwire-bench-") as folder:
        say(f"fill a memory of {options.keys:,} keys")
        filled(folder, options.keys)
        with Memory(NAMESPACE, f"sqlite:///{folder}/memory.db") as base:
            untouched, left, right = base.fork("untouched"), base.fork("left"), base.fork("right")
            for side, sample in ((left, choice.sample(names, 10)), (right, choice.sample(names, 10))):
                side.set_many({key: make_value(SIZE, -1) for key in sample})
            assert len(untouched.diff(right).changed) == 10
            assert len(left.diff(right).changed) == 20
            title = f"diff of two forks of {options.keys:,} keys"
            say(title)
            functions: dict[str, Callable[[], list[int]]] = {
                "get": lambda: call_each(base.get, [(choice.choice(names),) for _ in range(300)]),
                "10 keys changed in one": lambda: call_each(untouched.diff, [(right,)] * 10),
                "10 keys changed in each": lambda: call_each(left.diff, [(right,)] * 10),
            }
            goals = [
                Goal(f"{title}, {what}, to a get", title, what, "get", at_most=100)
                for what in ("10 keys changed in one", "10 keys changed in each")
            ]
            report.add(Case(title, "get", interleave(functions, options.rounds * 2, {})), *goals)


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    parts: dict[str, Any] = {"sizes": fork_of_sizes, "many": many_forks, "diff": diff}
    for part in options.parts:
        parts[part](options, report)
    return report


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument(
        "--sizes", type=lambda text: [int(one) for one in text.split(",")], default=[10, 10_000, 1_000_000]
    )
    arguments.add_argument("--forks", type=int, default=10_000)
    arguments.add_argument("--keys", type=int, default=100_000)
    arguments.add_argument("--parts", type=lambda text: text.split(","), default=["sizes", "many", "diff"])
    given = arguments.parse_args()
    compare(given).show(given.json)
