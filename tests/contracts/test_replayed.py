"""The same history, replayed on the embedded store and on PostgreSQL, leaves the same memory in every namespace."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contracts.replays import NAMES, history

from botwire_core import protocol as p
from botwire_core.clock import SteadyClock
from botwire_core.errors import BotWireError
from botwire_core.memory import Memory
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

STEPS = 250


class Embedded(SqliteStore):
    """The embedded store, that sweeps when it is told to."""

    def sweep_is_due(self) -> bool:
        return False


class Replay:
    """Some stores by one clock, to which the same is done."""

    def __init__(self, folder: Path, url: str) -> None:
        self.wall, self.monotonic = ManualClock(), ManualClock(1000.0)
        clock = SteadyClock(self.wall, self.monotonic)
        self.sqlite = Embedded(folder / "memory.db", durability="normal", monotonic=self.monotonic)
        self.postgres: PostgresStore = open_url(url)
        self.postgres.next_sweep = math.inf
        self.dict = DictStore()
        self.stores: dict[str, Any] = {"sqlite": self.sqlite, "postgres": self.postgres, "dict": self.dict}
        for store in self.stores.values():
            store._now = clock
        self.folder = folder
        self.done: Counter[str] = Counter()

    def play(self, seed: int, *, alike: bool, sweepers: tuple[str, ...] = ("all",)) -> None:
        """Do all that is in a history; two that lose the same of their pasts have to give the same answers."""
        for number, step in enumerate(history(seed, STEPS, alike=alike, sweepers=sweepers)):
            match step:
                case float():
                    self.wall.advance(step)
                    self.monotonic.advance(step)
                case str():
                    for name in ("sqlite", "postgres"):
                        if step in ("all", name):
                            self.stores[name].sweep()
                case _:
                    told = {name: answer(store, step) for name, store in self.stores.items()}
                    if alike:
                        assert told["postgres"] == told["sqlite"], f"step {number} of history {seed}: {step!r}"
                    name = type(step).__name__
                    self.done[told["postgres"].split()[0][1:] if told["postgres"].startswith("!") else name] += 1

    def exported(self, name: str, store: Any, *, full: bool) -> bytes:
        file = self.folder / "export.jsonl"
        Memory(name, store=store).export(file, full=full)
        return file.read_bytes()

    def close(self) -> None:
        self.sqlite.close()
        self.postgres.close()


def answer(store: Any, op: p.Op[Any]) -> str:
    try:
        result = store.run(op)
    except BotWireError as error:
        return f"!{type(error).__name__} {getattr(error, 'version', None)} {getattr(error, 'oldest', None)}"
    if isinstance(op, p.Purge):
        return repr((result.keys, result.versions, result.namespaces, len(result.ancestors)))
    return repr(result)


@pytest.fixture
def replay(tmp_path: Path, fresh_schema: Callable[..., str]) -> Iterator[Callable[[], Replay]]:
    """Gives a replay on empty stores."""
    opened: list[Replay] = []

    def begin() -> Replay:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(Replay(folder, fresh_schema()))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


EVERYTHING = {
    *("Set", "SetMany", "Delete", "DeleteMany", "Append", "Increment", "Expire", "Clear", "Transact"),
    *("Fork", "Snapshot", "DeleteSnapshot", "Merge", "Restore", "Purge", "Drop", "Import", "SetRetention"),
}


def test_every_answer_and_the_whole_past_are_the_same(
    replay: Callable[[], Replay], scale: Callable[[int], int]
) -> None:
    done: Counter[str] = Counter()
    for seed in range(scale(60)):
        one = replay()
        one.play(seed, alike=True)
        done += one.done
        there = [info.name for info in one.sqlite.run(p.ListNamespaces())]
        assert [info.name for info in one.postgres.run(p.ListNamespaces())] == there
        for name in there:
            for full in (False, True):
                exported = one.exported(name, one.sqlite, full=full)
                assert one.exported(name, one.postgres, full=full) == exported, f"{name!r}, history {seed}, full={full}"
    assert done.keys() >= EVERYTHING | {"ConflictError", "RevisionPrunedError"}


def test_what_is_swept_at_other_moments_is_missed_by_nobody(
    replay: Callable[[], Replay], scale: Callable[[int], int]
) -> None:
    """Their pasts differ then: versions of forgotten keys go on from other numbers, so only what stands is compared."""
    for seed in range(scale(60)):
        one = replay()
        one.play(seed, alike=False, sweepers=("sqlite", "postgres", "none"))
        for name in NAMES:
            exported = {which: one.exported(name, store, full=False) for which, store in one.stores.items()}
            assert exported["postgres"] == exported["sqlite"] == exported["dict"], f"{name!r}, history {seed}"
