"""Transactions: all of it or nothing, one revision, and never half of one in anybody's eyes."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import BotWireError, ConflictError, InvalidValueError
from botwire_core.store import Store
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space
from botwire_core.testing.stores.threads import in_threads

__all__ = ["TransactionContract"]


class TransactionContract(StoreBench):
    """Several steps as one."""

    def test_steps_give_their_results_in_order_in_one_revision(self, space: Space) -> None:
        space.set("old", 1)
        before = space.revision
        name = space.name
        results = space.run(
            p.Transact(
                name,
                (
                    p.Check(name, "old", 1),
                    p.Set(name, "a", encode("x"), author="ann"),
                    p.Append(name, "log", (encode(1), encode(2))),
                    p.Increment(name, "n", 5),
                    p.Delete(name, "old"),
                    p.Delete(name, "nothing"),
                    p.Expire(name, "a", 60),
                ),
            )
        )
        rows = ["log/0000000000000000000", "log/0000000000000000001"]
        assert results[:2] == [None, 1]
        assert results[2:] == [rows, 5, True, False, True]
        assert space.contents() == {"a": "x", rows[0]: 1, rows[1]: 2, "n": 5}
        assert {entry.revision for entry in space.entries()} == {before + 1}
        assert space.entry("a").expires_at is not None

    def test_later_steps_see_earlier_ones(self, space: Space) -> None:
        name = space.name
        space.set("k", 1)
        results = space.run(
            p.Transact(
                name,
                (
                    p.Set(name, "n", encode(10)),
                    p.Increment(name, "n"),
                    p.Increment(name, "n"),
                    p.Delete(name, "k"),
                    p.Check(name, "k", 0),
                    p.Set(name, "k", encode(2), if_version=0),
                    p.Delete(name, "n"),
                    p.Delete(name, "n"),
                ),
            )
        )
        assert [results[i] for i in (1, 2, 3, 4, 6, 7)] == [11, 12, True, None, True, False]
        assert space.contents() == {"k": 2}
        assert space.entry("k").version == results[5]

    @pytest.mark.parametrize("version", [0, 1, 3])
    def test_nothing_is_done_where_a_check_fails(self, space: Space, version: int) -> None:
        space.set("k", 1)
        space.set("k", 2)
        before, name = space.revision, space.name
        for steps in (
            (p.Set(name, "a", encode(1)), p.Check(name, "k", version), p.Append(name, "log", (encode(1),))),
            (p.Set(name, "a", encode(1)), p.Set(name, "k", encode(3), if_version=version)),
            (p.Append(name, "log", (encode(1),)), p.Delete(name, "k", if_version=version)),
        ):
            with pytest.raises(ConflictError) as caught:
                space.run(p.Transact(name, steps))
            assert (caught.value.key, caught.value.version) == ("k", 2)
        assert space.contents() == {"k": 2}
        assert space.revision == before
        assert space.append("log", 1) == ["log/0000000000000000000"]

    def test_nothing_is_done_where_a_step_is_refused(self, space: Space) -> None:
        name = space.name
        space.set("text", "x")
        space.set("k", 1)
        good = (p.Set(name, "a", encode(1)), p.Append(name, "log", (encode(1),)), p.Delete(name, "k"))
        bad: list[Any] = [
            p.Increment(name, "text"),
            p.Set(name, "", encode(1)),
            p.Set(name, "b", encode(1), ttl=-1),
            p.Set("other", "b", encode(1)),
            p.Check("other", "b", 0),
            p.Clear(name),
            p.Drop(name),
            p.Get(name, "k"),
            p.SetMany(name, (("b", encode(1)),)),
            p.Transact(name, good),
            None,
        ]
        for step in bad:
            with pytest.raises(BotWireError):
                space.run(p.Transact(name, (*good, step)))
        assert space.contents() == {"k": 1, "text": "x"}
        assert space.beside("other").contents() == {}

    def test_a_step_in_another_namespace_is_refused_with_a_hint(self, space: Space) -> None:
        with pytest.raises(InvalidValueError) as caught:
            space.run(p.Transact(space.name, (p.Set("other", "k", encode(1)),)))
        assert caught.value.hint

    def test_readers_never_see_half_of_a_transaction(self, space: Space, store: Store) -> None:
        accounts = tuple("abcd")
        space.run(p.SetMany(space.name, tuple((account, encode(100)) for account in accounts)))
        sums: list[float] = []

        def work(number: int) -> None:
            for turn in range(40):
                if number % 2:
                    sums.append(sum(store.run(p.GetMany("space", accounts)).values()))
                    continue
                payer, payee = accounts[turn % 4], accounts[(turn + number + 1) % 4]
                store.run(p.Transact("space", (p.Increment("space", payer, -1), p.Increment("space", payee, 1))))

        in_threads(4, work)
        assert set(sums) == {400}
        assert sum(space.contents().values()) == 400

    def test_a_check_ties_a_write_to_what_was_read(self, space: Space, store: Store) -> None:
        """Read, decide, write with a check, again on a conflict: no update is lost."""
        space.set("total", 0)
        space.set("log of work", 0)

        def work(_: int) -> None:
            for _ in range(10):
                while True:
                    entry = store.run(p.GetEntry("space", "total"))
                    assert entry is not None
                    steps = (
                        p.Check("space", "total", entry.version),
                        p.Set("space", "total", encode(entry.value + 1)),
                        p.Increment("space", "log of work"),
                    )
                    try:
                        store.run(p.Transact("space", steps))
                    except ConflictError:
                        continue
                    break

        in_threads(4, work)
        assert space.contents() == {"total": 40, "log of work": 40}
