"""What many values cost when they are written together, against one at a time.

python benchmarks/bench_batches.py
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable
from typing import Any

from measure import SYNCED, call_each, clock, interleave, keys, make_value, say
from ours import Botwire, BotwireFull
from report import Case, Goal, Report, parser

BATCH = 128
SINGLES = 5
SIZE = 200
SHARES = {"FULL": SYNCED, "NORMAL": 1.0}


def values_together(options: argparse.Namespace, made: type[Botwire], durability: str, folder: str) -> Case:
    """Sets of one value, and of 128 in one call, on the same store; per value."""
    contender = made()
    contender.open(folder)
    names = keys(options.keys)
    contender.load((name, make_value(SIZE, number)) for number, name in enumerate(names))
    memory, choice = contender.memory, random.Random(3)

    def pairs(count: int) -> list[tuple[str, Any]]:
        return [(names[i], make_value(SIZE, choice.randrange(10**6))) for i in choice.sample(range(len(names)), count)]

    def per_value(call: Callable[[list[tuple[str, Any]]], Any]) -> list[int]:
        batch = pairs(BATCH)
        start = clock()
        call(batch)
        return [(clock() - start) // BATCH]

    def transaction(batch: list[tuple[str, Any]]) -> None:
        with memory.transaction() as steps:
            for key, value in batch:
                steps.set(key, value)

    single = f"set, {durability}"
    functions = {
        single: lambda: call_each(memory.set, pairs(SINGLES)),
        f"set_many of {BATCH}": lambda: per_value(lambda batch: memory.set_many(dict(batch))),
        f"transaction of {BATCH} sets": lambda: per_value(transaction),
        f"append of {BATCH} values": lambda: per_value(lambda batch: memory.append("log", *(one for _, one in batch))),
    }
    title = f"per value, among {options.keys:,}, {durability}"
    say(title)
    case = Case(title, single, interleave(functions, options.rounds * 8, {}), quickest=SHARES[durability])
    contender.close()
    return case


def appends(options: argparse.Namespace, made: type[Botwire], durability: str, folder: str) -> Case:
    """One append to logs of several lengths, on the same store."""
    contender = made()
    contender.open(folder)
    memory = contender.memory
    functions: dict[str, Callable[[], list[int]]] = {}
    for length in (10, 1000, 10_000):
        log = f"conversation-{length}"
        memory.append(log, *(make_value(SIZE, number) for number in range(length)))

        def timed(log: str = log) -> list[int]:
            return call_each(memory.append, [(log, make_value(SIZE, number)) for number in range(SINGLES)])

        functions[f"append at {length:,}"] = timed
    title = f"append one value to a log, {durability}"
    say(title)
    case = Case(title, "append at 1,000", interleave(functions, options.rounds * 8, {}), quickest=SHARES[durability])
    contender.close()
    return case


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    for made, durability in ((BotwireFull, "FULL"), (Botwire, "NORMAL")):
        with tempfile.TemporaryDirectory(prefix="botwire-bench-") as folder:
            case = values_together(options, made, durability, folder)
        text = f"set_many of {BATCH}, per value, to a set, FULL"
        goal = Goal(text, case.title, f"set_many of {BATCH}", f"set, {durability}", at_most=0.10)
        report.add(case, *([goal] if durability == "FULL" else []))
    for made, durability in ((BotwireFull, "FULL"), (Botwire, "NORMAL")):
        with tempfile.TemporaryDirectory(prefix="botwire-bench-") as folder:
            case = appends(options, made, durability, folder)
        text = f"append at 10,000 values to one at 1,000, {durability}"
        report.add(case, Goal(text, case.title, "append at 10,000", "append at 1,000", at_most=1.5))
    return report


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--keys", type=int, default=100_000)
    given = arguments.parse_args()
    compare(given).show(given.json)
