"""Whether what a task remembers depends on the order in which its datapoints come."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from botwire_core.codec import Value
from botwire_core.diff import same_value
from botwire_core.flows import run_flow
from botwire_core.memory import Memory
from botwire_core.protocol import MISSING, Missing
from botwire_core.records import record
from botwire_core.scopes.blocks import bind, scope
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.report import MemoryReport
from botwire_core.scopes.store import scoped
from botwire_core.scopes.upkeep import collect

__all__ = ["ORDERS", "Leak", "find_leaks"]

ORDERS: Final = ("serial", "shuffled", "parallel")
"""The ways in which the dataset is run: in its order, in another, and by several workers at once."""


@record
class Leak:
    """A key that carries something from one datapoint to another.

    `values` has what stood there after each of the `ORDERS`, an absent one as `MISSING`; `datapoints` are those that
    wrote the key or read what others wrote.
    """

    key: str
    values: dict[str, Value | Missing]
    datapoints: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the end depends on the order; if not, datapoints met each other's writes all the same."""
        first, *others = self.values.values()
        return not all(_same(first, other) for other in others)


def find_leaks(
    task: Callable[[Any], object],
    datapoints: Sequence[Any],
    memory: Memory,
    *,
    workers: int = 4,
    seed: int = 0,
) -> list[Leak]:
    """Run a dataset serial, shuffled and parallel, each in a fork of its own; give the keys that leak, in byte order.

    The memory itself is not changed, and nothing of the runs is left.

    Args:
        task: Is called with each datapoint; memories of the name of `memory` work on the fork of the run.
        datapoints: The dataset; each has to be JSON, by which it is known.
        memory: What the task remembers in.
        workers: How many threads run it in parallel.
        seed: Of the shuffled order.
    """
    experiment = f"leaktest {uuid4().hex}"
    shuffled = list(enumerate(datapoints))
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - an order, not a secret
    finals: dict[str, dict[str, Value]] = {}
    involved: dict[str, set[str]] = {}
    try:
        for order in ORDERS:
            run_id = f"{experiment} {order}"
            with (
                scope_policy(isolation="run", expires_after=86400.0),
                scope(variant="leaktest", run_id=run_id, experiment=experiment),
            ):
                _run(task, shuffled if order == "shuffled" else list(enumerate(datapoints)), order, workers)
                finals[order] = {entry.key: entry.value for entry in memory.entries()}
            run_flow(scoped(memory.store).inner, memory.store.mover.written_down())
            (column,) = MemoryReport.of(memory.store, memory.namespace, [run_id]).columns or (None,)
            for key, points in (column.order_dependent if column is not None else {}).items():
                involved.setdefault(key, set()).update(points)
    finally:
        for order in ORDERS:
            # Of every memory that the task used besides, too.
            collect(memory.store, run_id=f"{experiment} {order}")
    return _leaks(finals, involved)


def _run(task: Callable[[Any], object], datapoints: list[tuple[int, Any]], order: str, workers: int) -> None:
    def one(number: int, datapoint: Any) -> None:
        digest = sha256(json.dumps(datapoint, sort_keys=True, default=str).encode()).hexdigest()[:8]
        with scope(datapoint_id=f"{number}-{digest}"):
            task(datapoint)

    if order != "parallel":
        for number, datapoint in datapoints:
            one(number, datapoint)
        return
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(bind(one), number, datapoint) for number, datapoint in datapoints]:
            done.result()


def _leaks(finals: dict[str, dict[str, Value]], involved: dict[str, set[str]]) -> list[Leak]:
    keys = {key for final in finals.values() for key in final} | set(involved)
    found = []
    for key in sorted(keys):
        values: dict[str, Value | Missing] = {order: final.get(key, MISSING) for order, final in finals.items()}
        leak = Leak(key, values, tuple(sorted(involved.get(key, ()))))
        if leak.differs or leak.datapoints:
            found.append(leak)
    return found


def _same(one: Value | Missing, other: Value | Missing) -> bool:
    if isinstance(one, Missing) or isinstance(other, Missing):
        return one is other
    return same_value(one, other)
