"""Requests in one commit: each gets its own answer, and what fails is undone alone."""

from __future__ import annotations

from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import (
    BotWireError,
    ConflictError,
    InvalidKeyError,
    InvalidNamespaceError,
    InvalidValueError,
)
from botwire_core.results import Retention
from botwire_core.service import GetRow, ListTokens, Quota, Request, Serve
from botwire_core.store import Store
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Run, Space
from botwire_core.testing.stores.threads import in_threads

__all__ = ["ServingContract"]


def _sets(name: str, *keys: str) -> tuple[p.Op[Any], ...]:
    return tuple(p.Set(name, key, encode(1)) for key in keys)


class ServingContract(StoreBench):
    """Requests of many clients at once."""

    def test_every_request_gets_the_results_of_its_ops_in_order(self, run: Run, space: Space) -> None:
        name = space.name
        replies = run(
            Serve(
                (
                    Request((p.Set(name, "a", encode("x")), p.Get(name, "a"), p.Append(name, "log", (encode(1),)))),
                    Request((p.Increment(name, "n", 2),), atomic=True),
                    Request(()),
                    Request((p.Get(name, "n"), p.Get(name, "nothing"))),
                )
            )
        )
        assert [[outcome.result for outcome in reply.outcomes] for reply in replies] == [
            [1, "x", ["log/0000000000000000000"]],
            [2],
            [],
            [2, p.MISSING],
        ]
        assert {outcome.error for reply in replies for outcome in reply.outcomes} == {None}
        assert space.contents() == {"a": "x", "log/0000000000000000000": 1, "n": 2}

    def test_sets_that_arrive_together_are_done_in_their_order_and_each_is_answered(
        self, run: Run, space: Space
    ) -> None:
        name, fork = space.name, "fork-of-it"
        space.set("a", "first")
        run(p.Fork(name, fork))
        run(p.Set(fork, "own", encode(0)))
        ops: list[p.Op[Any]] = [
            p.Set(name, "a", encode(1)),
            p.Set(name, "b", encode(b"2"), author="somebody"),
            p.Set(fork, "a", encode(3), ttl=60),
            p.Set(name, "a", encode(4)),
            p.Set(name, "", encode(5)),
            p.Set(name, "a", encode(6), if_version=3),
            p.Set("not-there-yet", "a", encode(7)),
            p.Set("not-there-yet", "a", encode(8)),
            p.Set(".hidden", "a", encode(9)),
            p.Get(name, "a"),
            p.Set(fork, "a", encode(10)),
            p.Set(name, "a", encode(11), ttl=-1),
            p.Set(name, "a", encode(12), ttl=60),
        ]
        for _ in range(2):  # the second time, a store knows all of these namespaces
            replies = run(Serve(tuple(Request((op,)) for op in ops)))
            told = [type(one.error) if one.error else one.result for reply in replies for one in reply.outcomes]
            expected = [2, 1, 2, 3, InvalidKeyError, 4, 1, 2, InvalidNamespaceError, 6, 3, InvalidValueError, 5]
            assert told == expected
            for op, reply in zip(ops, replies, strict=True):
                row = reply.outcomes[0].row
                if isinstance(op, p.Set) and row is not None:
                    assert (row.key, row.version) == (op.key, reply.outcomes[0].result)
            entry, forked = space.entry("a"), run(p.GetEntry(fork, "a"))
            assert forked is not None
            assert (entry.value, entry.version, entry.expires_at is None) == (12, 5, False)
            assert (forked.value, forked.version, forked.expires_at) == (10, 3, None)
            assert [one.value for one in run(p.GetHistory(name, "a"))] == [12, 6, 4, 1, "first"]
            for namespace in (name, fork, "not-there-yet"):
                run(p.Drop(namespace))
            space.set("a", "first")
            run(p.Fork(name, fork))
            run(p.Set(fork, "own", encode(0)))

    def test_no_requests_get_no_replies(self, run: Run) -> None:
        assert run(Serve(())) == []

    def test_an_op_that_fails_leaves_the_others_of_its_request_and_of_the_rest(self, run: Run, space: Space) -> None:
        space.set("text", "x")
        bad: list[p.Op[Any]] = [
            p.Increment(space.name, "text"),
            p.Set(space.name, "text", encode(1), if_version=7),
            p.Transact(space.name, (p.Set(space.name, "half", encode(1)), p.Check(space.name, "text", 5))),
            p.SetMany(space.name, (("half", encode(1)), ("", encode(1)))),
            p.Fork(space.name, space.name),
        ]
        for op in bad:
            one, two = run(Serve((Request((*_sets(space.name, "a"), op, *_sets(space.name, "b"))), Request((op,)))))
            assert [outcome.error is None for outcome in one.outcomes] == [True, False, True]
            assert one.undone_by is None
            assert isinstance(two.outcomes[0].error, BotWireError)
            assert space.contents() == {"a": 1, "b": 1, "text": "x"}
            run(p.DeleteMany(space.name, ("a", "b")))

    def test_an_atomic_request_is_undone_whole_and_says_by_which_op(self, run: Run, space: Space) -> None:
        space.set("n", 1)
        fresh = space.beside("fresh")
        replies = run(
            Serve(
                (
                    Request((p.Increment(space.name, "n"),)),
                    Request(
                        (
                            *_sets(fresh.name, "a"),
                            p.Increment(space.name, "n", 10),
                            p.Fork(space.name, "fork"),
                            p.Set(space.name, "n", encode(0), if_version=1),
                            *_sets(space.name, "b"),
                        ),
                        atomic=True,
                    ),
                    Request((p.Increment(space.name, "n"),)),
                )
            )
        )
        assert [reply.undone_by for reply in replies] == [None, 3, None]
        (outcome,) = replies[1].outcomes
        assert isinstance(outcome.error, ConflictError)
        assert (outcome.error.key, outcome.error.version) == ("n", 3)
        assert space.contents() == {"n": 3}
        assert [info.name for info in run(p.ListNamespaces())] == [space.name]
        assert fresh.set("k", 1) == 1
        assert fresh.contents() == {"k": 1}

    def test_a_namespace_that_was_undone_leaves_its_name_and_its_place_to_others(self, run: Run) -> None:
        undone = Request((*_sets("one", "a"), p.Get("one", "a"), p.Set("one", "", encode(1))), atomic=True)
        run(Serve((undone, Request(_sets("two", "b")), undone, Request(_sets("one", "c")))))
        run(Serve((Request(_sets("two", "d")), Request(_sets("one", "e")))))
        assert Space(run, "one").contents() == {"c": 1, "e": 1}
        assert Space(run, "two").contents() == {"b": 1, "d": 1}
        assert Space(run, "one").entry("e").revision == 2

    def test_every_kind_of_op_can_be_part_of_a_request(self, run: Run, space: Space) -> None:
        name = space.name
        space.set("old", 1)
        ops: tuple[p.Op[Any], ...] = (
            p.SetMany(name, (("a", encode(1)), ("b", encode([2])))),
            p.Append(name, "log", (encode("x"),)),
            p.Snapshot(name, "before"),
            p.Fork(name, "fork"),
            p.Set("fork", "a", encode(5)),
            p.Merge(name, "fork"),
            p.Expire(name, "b", 60),
            p.TimeLeft(name, "b"),
            p.Restore(name, "a", 1),
            p.GetHistory(name, "a"),
            p.Compare(name, "fork"),
            p.ListChanges(name),
            p.Delete(name, "old"),
            p.DeleteSnapshot(name, "before"),
            p.Clear(name, "log/"),
            p.Purge(name, "b"),
            p.Drop("fork"),
            p.ListKeys(name),
            p.ListNamespaces(),
        )
        (reply,) = run(Serve((Request(ops, atomic=True),)))
        assert [outcome.error for outcome in reply.outcomes] == [None] * len(ops)
        results = [outcome.result for outcome in reply.outcomes]
        assert (results[5].written, results[7], results[8]) == (["a"], 60, 3)
        assert (results[-2], [info.name for info in results[-1]]) == (["a"], [name])

    def test_what_cannot_be_part_of_a_request_is_refused(self, run: Run, space: Space) -> None:
        for op in (p.ExportAll(space.name, list), p.ExportFamily(space.name, list), Serve(()), ListTokens()):
            (reply,) = run(Serve((Request((op, *_sets(space.name, "k"))),)))
            assert isinstance(reply.outcomes[0].error, InvalidValueError)
            assert reply.outcomes[1].result is not None

    def test_readers_see_all_requests_of_a_commit_or_none(self, space: Space, store: Store) -> None:
        pairs: set[tuple[Any, ...]] = set()
        group = tuple(Request((p.Increment(space.name, key),)) for key in "abc")

        def work(number: int) -> None:
            for _ in range(25):
                if number % 2:
                    store.run(Serve(group))
                else:
                    pairs.add(tuple(store.run(p.GetMany(space.name, ("a", "b", "c"))).values()))

        in_threads(4, work)
        assert all(len(set(pair)) <= 1 for pair in pairs)
        assert space.contents() == {"a": 50, "b": 50, "c": 50}

    def test_a_quota_of_nothing_in_particular_refuses_nothing(self, run: Run, space: Space) -> None:
        (reply,) = run(Serve((Request(_sets(space.name, "a", "b"), quota=Quota()),)))
        assert [outcome.result for outcome in reply.outcomes] == [1, 1]

    # --- namespaces of the store's own ------------------------------------------------------------------

    @pytest.mark.parametrize("name", [".tokens", ".replays", ".quotas", ".scopes", "."])
    def test_a_reserved_namespace_cannot_be_named_or_listed(self, run: Run, space: Space, name: str) -> None:
        digest = bytes(32)
        run(Serve((Request(_sets(space.name, "k"), replay_key="key", digest=digest, quota=Quota(writes_per_day=9)),)))
        ops: list[p.Op[Any]] = [
            p.Get(name, "k"),
            p.ListEntries(name),
            p.Set(name, "k", encode(1)),
            p.Transact(name, (p.Set(name, "k", encode(1)),)),
            p.Drop(name),
            p.Fork(name, "fork"),
            p.Fork(space.name, name),
            p.Merge(space.name, name),
            p.Compare(space.name, name),
            p.Purge(name, "k"),
            p.ListChanges(name),
            p.SetRetention(name, Retention()),
            p.Import(name, ()),
            p.ImportFamily(name, ()),
            p.ExportFamily(name, list),
            GetRow(name, "k"),
        ]
        for op in ops:
            with pytest.raises(InvalidNamespaceError):
                run(op)
            if not isinstance(op, p.ExportFamily | GetRow):
                (reply,) = run(Serve((Request((op,), quota=Quota(bytes=1000)),)))
                assert isinstance(reply.outcomes[0].error, InvalidNamespaceError)
        assert run(p.ListNamespaces(name)) == []
        assert [info.name for info in run(p.ListNamespaces())] == [space.name]

    # --- rows -------------------------------------------------------------------------------------------

    def test_a_row_is_what_stands_at_a_key_as_it_is_stored(self, run: Run, space: Space) -> None:
        space.set("k", {"a": [1, 2.5, None]}, ttl=60, author="ann")
        row, entry = run(GetRow(space.name, "k")), space.entry("k")
        assert row is not None
        assert row.data == b'{"a":[1,2.5,null]}'
        assert row.entry() == entry
        assert run(GetRow(space.name, "nothing")) is None
        assert run(GetRow("nowhere", "k")) is None
        fork = space.fork("fork")
        assert run(GetRow(fork.name, "k")) == row
        fork.delete("k")
        assert run(GetRow(fork.name, "k")) is None
        with pytest.raises(InvalidKeyError):
            run(GetRow(space.name, ""))

    def test_a_row_that_has_expired_is_nowhere(self, run: Run, space: Space, clock: Any) -> None:
        space.set("k", 1, ttl=1)
        space.set("stays", 1)
        fork = space.fork("fork", ttl=5)
        clock.advance(1)
        assert run(GetRow(space.name, "k")) is None
        assert run(GetRow(fork.name, "stays")) is not None
        clock.advance(4)
        assert run(GetRow(fork.name, "stays")) is None
