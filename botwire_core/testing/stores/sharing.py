"""Sharing: one store for many threads, event loops and cancelled tasks, closed and used again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import BotWireError, ConflictError, UnsupportedError
from botwire_core.store import Limits, Store
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space
from botwire_core.testing.stores.threads import in_threads

__all__ = ["SharingContract"]


class _UnknownOp(p.Op[None]):
    """An op that no store has."""

    namespace = "space"


class SharingContract(StoreBench):
    """One store object used by many at once."""

    def test_a_store_says_what_it_is(self, store: Store) -> None:
        assert isinstance(store, Store)
        assert isinstance(store.limits, Limits)
        assert isinstance(store.features, frozenset)
        assert store.features <= {"history", "service"}

    def test_an_unknown_op_is_unsupported(self, space: Space) -> None:
        with pytest.raises(UnsupportedError) as caught:
            space.run(_UnknownOp())
        assert isinstance(caught.value, NotImplementedError)

    def test_a_store_without_history_says_so(self, space: Space, store: Store) -> None:
        if "history" in store.features:
            pytest.skip("the store has a past")
        space.set("k", 1)
        name = space.name
        for op in (
            p.Get(name, "k", at=1),
            p.ListEntries(name, at=1),
            p.ReadLog(name, "log", at=1),
            p.Fork(name, "other"),
            p.Snapshot(name),
            p.GetHistory(name, "k"),
            p.Restore(name, "k", 1),
            p.Compare(name, "other"),
            p.Merge(name, "other"),
            p.Purge(name, "k"),
            p.ListChanges(name),
            p.Resolve(name, 1),
        ):
            with pytest.raises(UnsupportedError):
                space.run(op)

    def test_increments_from_many_threads_all_count(self, space: Space, store: Store) -> None:
        def work(number: int) -> None:
            for _ in range(50):
                store.run(p.Increment("space", "n"))
                store.run(p.Increment(f"space-{number}", "n"))

        in_threads(8, work)
        assert space.get("n") == 400
        assert space.entry("n").version == 400
        assert [space.beside(f"space-{number}").get("n") for number in range(8)] == [50] * 8

    def test_of_two_writers_with_one_version_exactly_one_wins(self, space: Space, store: Store) -> None:
        def work(number: int) -> list[int]:
            won = []
            for turn in range(25):
                try:
                    store.run(p.Set("space", "k", encode([number, turn]), if_version=turn))
                    won.append(turn)
                except ConflictError:
                    # The turn is over once somebody has won it; only then does the next begin.
                    pass
                while True:
                    entry = store.run(p.GetEntry("space", "k"))
                    if entry is not None and entry.version > turn:
                        break
            return won

        won = in_threads(4, work)
        assert sorted(turn for turns in won for turn in turns) == list(range(25))
        assert space.entry("k").version == 25

    def test_event_loops_in_many_threads_share_a_store(self, store: Store) -> None:
        async def many(number: int) -> list[Any]:
            ops = [p.Increment("space", f"n{number}") for _ in range(20)]
            return await asyncio.gather(*(store.arun(op) for op in ops))

        for numbers in in_threads(4, lambda number: asyncio.run(many(number))):
            assert sorted(numbers) == list(range(1, 21))

    def test_event_loops_in_turn_share_a_store(self, store: Store) -> None:
        for turn in range(3):
            assert asyncio.run(store.arun(p.Increment("space", "n"))) == turn + 1
        assert store.run(p.Get("space", "n")) == 3

    def test_a_cancelled_write_has_had_its_outcome_when_the_cancellation_arrives(self, store: Store) -> None:
        async def cancel_in_the_middle(turn: int) -> None:
            task = asyncio.ensure_future(store.arun(p.Increment("space", "n")))
            for _ in range(turn % 5):
                await asyncio.sleep(0)
            task.cancel()
            try:
                counted = await task
            except asyncio.CancelledError:
                counted = None
            now = await store.arun(p.Get("space", "n"))
            told = (await store.arun(p.Set("space", f"turn{turn}", encode(turn))), turn)
            assert told == (1, turn)
            assert await store.arun(p.Get("space", "n")) == now
            assert counted is None or counted == now
            assert await store.arun(p.Get("space", f"turn{turn}")) == turn

        async def main() -> None:
            await store.arun(p.Set("space", "n", encode(0)))
            for turn in range(50):
                await cancel_in_the_middle(turn)

        asyncio.run(main())
        count: Any = store.run(p.Get("space", "n"))
        assert 0 <= count <= 50

    def test_a_store_that_was_closed_opens_again_when_it_is_used(self, space: Space, store: Store) -> None:
        space.set("k", 1)
        store.close()
        store.close()
        assert space.get("k") == 1
        asyncio.run(store.aclose())
        assert space.set("k", 2) == 2

    def test_closing_while_others_work_loses_nothing_that_was_told(self, space: Space, store: Store) -> None:
        def work(number: int) -> int:
            if number == 0:
                for _ in range(20):
                    store.close()
                return 0
            told = 0
            for _ in range(40):
                try:
                    store.run(p.Increment("space", "n"))
                except BotWireError:
                    continue
                told += 1
            return told

        told = sum(in_threads(4, work))
        assert told > 0
        assert space.get("n") == told
