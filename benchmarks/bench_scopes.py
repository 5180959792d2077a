"""What it costs to find out where an op belongs: outside of every scope, inside of one, and with a provider.

    python benchmarks/bench_scopes.py

The store behind does nothing, so that what is left is the way to it; one case has a real store, for comparison.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import call_each, interleave, say
from ours import NAMESPACE
from report import Case, Goal, Report, parser

from botwire import Memory, scope
from botwire.scopes import arm, disarm
from botwire_core.protocol import Get
from botwire_core.scopes.ops import OpenScoped, ScopedNamespace
from botwire_core.scopes.store import ScopedStore
from botwire_core.store import Limits
from botwire_core.stores.sqlite import SqliteStore

COUNT = 500
OP = Get(NAMESPACE, "key")


class Nothing:
    """A store that gives None for everything but the namespace of a scope."""

    features = frozenset({"history"})
    limits = Limits()

    def run(self, op: Any) -> Any:
        if type(op) is not OpenScoped:
            return None
        from datetime import UTC, datetime

        now = datetime.now(UTC)
        return ScopedNamespace(op.name, op.namespace, op.scope, op.isolation, op.seed, 0, "", now)

    async def arun(self, op: Any) -> Any:
        return self.run(op)

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    nothing = Nothing()
    store = ScopedStore(nothing)

    def runs(function: Callable[[Any], Any]) -> list[int]:
        return call_each(function, [(OP,)] * COUNT)

    def inside() -> list[int]:
        with scope(variant="v1", run_id="r1"):
            return runs(store.run)

    def with_provider() -> list[int]:
        arm(nobody)
        try:
            return runs(store.run)
        finally:
            disarm(nobody)

    title = "an op on its way to a store that does nothing"
    say(title)
    functions = {
        "the store alone": lambda: runs(nothing.run),
        "outside of every scope": lambda: runs(store.run),
        "outside, a provider that knows nothing": with_provider,
        "inside a scope": inside,
    }
    report.add(
        Case(title, "the store alone", interleave(functions, options.rounds, {})),
        Goal("an op outside of every scope, microseconds", title, "outside of every scope", at_most=0.5),
        Goal("an op inside a scope, microseconds", title, "inside a scope", at_most=5),
    )

    title = "get of 200 B from a file"
    say(title)
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(NAMESPACE, store=SqliteStore(Path(folder) / "memory.db"))
        memory.set("key", "x" * 200)

        def gets() -> list[int]:
            return call_each(memory.get, [("key",)] * COUNT)

        def gets_inside() -> list[int]:
            with scope(variant="v1", run_id="r1"):
                return gets()

        functions = {"outside of every scope": gets, "inside a scope": gets_inside}
        report.add(Case(title, "outside of every scope", interleave(functions, options.rounds, {})))
        memory.close()
    return report


def nobody() -> None:
    """A provider that never knows a scope."""


if __name__ == "__main__":
    given = parser(__doc__).parse_args()
    compare(given).show(given.json)
