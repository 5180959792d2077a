"""Processes that do everything to few namespaces at once, each with threads and an event loop on one store."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import BotWireError, ConflictError, InvalidValueError, RevisionPrunedError
from botwire_core.memory import Memory
from botwire_postgres.url import open_url

__all__ = ["STEADY", "WILD", "Report", "append_or_set", "work"]

STEADY = "steady"
"""Is never dropped, and nobody erases what is counted there."""
WILD = ["wild", "wild-a", "wild-b", "wild-c"]
"""Come and go: roots as well as forks of each other."""
_THREADS = 2
_TASKS = 4
_ALLOWED = (ConflictError, InvalidValueError, RevisionPrunedError)
"""What may be told where others have dropped or changed what was there."""


@dataclass
class Report:
    """What was told to one process."""

    increments: int = 0
    swapped: int = 0
    """Sets with `if_version` that were done."""
    appended: list[list[str]] = field(default_factory=list)
    """By actor: what it appended, in order."""
    refused: int = 0
    done: int = 0
    failed: list[str] = field(default_factory=list)
    """What must not be told to anybody."""
    slowest: float = 0.0
    """Seconds of the longest wait for an answer."""


def work(url: str, seed: int, steps: int) -> Report:
    """Do so many things in each of some threads and tasks."""
    store = open_url(url)
    report = Report()

    def in_thread(actor: int) -> None:
        for op in _things(actor, seed, steps, report):
            before = time.monotonic()
            try:
                result: Any = store.run(op) if isinstance(op, p.Op) else store.sweep()
            except BotWireError as error:
                result = error
            _take(report, op, result, time.monotonic() - before)

    async def in_task(actor: int) -> None:
        for op in _things(actor, seed, steps, report):
            if not isinstance(op, p.Op):
                continue
            before = time.monotonic()
            try:
                result: Any = await store.arun(op)
            except BotWireError as error:
                result = error
            _take(report, op, result, time.monotonic() - before)

    async def in_loop() -> None:
        await asyncio.gather(*(in_task(actor) for actor in range(_THREADS, _THREADS + _TASKS)))
        await store.aclose()

    with ThreadPoolExecutor(_THREADS + 1) as pool:
        running = [pool.submit(in_thread, actor) for actor in range(_THREADS)]
        running.append(pool.submit(asyncio.run, in_loop()))
        for one in running:
            one.result()
    store.close()
    return report


def _take(report: Report, op: Any, result: Any, seconds: float) -> None:
    report.slowest = max(report.slowest, seconds)
    may_be_refused = isinstance(op, p.Set | p.Merge | p.Fork) or (isinstance(op, p.Op) and op.namespace != STEADY)
    if isinstance(result, _ALLOWED) and may_be_refused:
        report.refused += 1
        return
    if isinstance(result, Exception):
        report.failed.append(f"{op!r:.200}: {result!r} from {result.__cause__!r}")
        return
    report.done += 1
    if isinstance(op, p.Increment) and op.namespace == STEADY:
        report.increments += 1
    if isinstance(op, p.Transact) and op.namespace == STEADY:
        report.increments += 1
    if isinstance(op, p.Set) and op.if_version is not None:
        report.swapped += 1


def _things(actor: int, seed: int, steps: int, report: Report) -> Iterator[Any]:
    """What one actor does: ops, and "sweep"."""
    dice = random.Random(seed * 100 + actor)
    one = dice.choice
    appended: list[str] = []
    report.appended.append(appended)
    for step in range(steps):
        text = f"{seed}/{actor}/{step}"
        match dice.randrange(16):
            case 0 | 1:
                yield p.Increment(STEADY, "count")
            case 2 | 3:
                appended.append(text)
                yield p.Append(STEADY, "log", (encode(text),))
            case 4:
                yield p.Set(STEADY, "swapped", encode(text), None, dice.randrange(40))
            case 5:
                yield p.SetMany(STEADY, (("many/a", encode(text)), ("many/b", encode(text))))
            case 6:
                appended.append(text)
                both = p.Increment(STEADY, "count"), p.Append(STEADY, "log", (encode(text),))
                yield p.Transact(STEADY, both)
            case 7:
                yield p.Fork(one([STEADY, *WILD]), one(WILD), one([None, None, 1]), one([None, 0.001, 0.05]))
            case 8:
                yield p.Drop(one(WILD))
            case 9:
                yield p.Merge(one(WILD), one([STEADY, *WILD]), None, one(["fail", "ours", "theirs"]), "many*")
            case 10:
                yield p.Merge(STEADY, one(WILD), None, "theirs", "wild*")
            case 11:
                yield p.Purge(one(WILD), one(["wild", "many"]))
            case 12:
                yield one(["sweep", p.Clear(one(WILD), "wild")])
            case 13:
                yield p.Snapshot(one(WILD), None, one([None, 0.001]))
            case 14:
                yield p.Increment(one(WILD), "wild/count")
            case _:
                for _ in range(8):
                    yield p.Set(one(WILD), "wild/key", encode(text), one([None, None, 0.001]))


def append_or_set(url: str, seed: int, count: int) -> int:
    """The first writes race for making the namespace."""
    memory = Memory("dense", store=open_url(url))
    for number in range(count):
        if number % 2:
            memory.append("log", number)
        else:
            memory.set(f"{seed}/{number}", number)
    memory.store.close()
    return count
