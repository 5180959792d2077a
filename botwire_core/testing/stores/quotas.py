"""Quotas: what is counted, what is refused, and what never is."""

from __future__ import annotations

import random
from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import ConflictError, QuotaExceededError
from botwire_core.results import NamespaceInfo, Retention
from botwire_core.service import GetUsage, Quota, Reply, Request, Serve, Usage
from botwire_core.store import Store
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Run, Space
from botwire_core.testing.stores.threads import in_threads

__all__ = ["QuotaContract"]

_DAY = 86400


def _serve(run: Run, quota: Quota, *ops: p.Op[Any], atomic: bool = False) -> Reply:
    return run(Serve((Request(ops, atomic, quota=quota),)))[0]


def _refused(reply: Reply) -> str | None:
    """Which quota the last op was refused by, None where it was done."""
    error = reply.outcomes[-1].error
    if error is None:
        return None
    assert isinstance(error, QuotaExceededError), error
    assert error.hint
    return error.quota


def _used(reply: Reply) -> Usage:
    assert reply.usage is not None
    return reply.usage


class QuotaContract(StoreBench):
    """The rows of the failure list that are about quotas are in the names of the tests."""

    # --- writes -------------------------------------------------------------------------------------------

    def test_t8_the_write_after_the_last_of_the_day_is_refused_until_midnight(
        self, run: Run, space: Space, clock: ManualClock
    ) -> None:
        quota = Quota(writes_per_day=10)
        clock.advance(_DAY - clock() % _DAY + 3600)
        for number in range(10):
            reply = _serve(run, quota, p.Set(space.name, f"k{number}", encode(number)))
            assert (_refused(reply), _used(reply).writes_today) == (None, number + 1)
        reply = _serve(run, quota, p.Set(space.name, "more", encode(1)))
        error = reply.outcomes[0].error
        assert isinstance(error, QuotaExceededError)
        assert (error.quota, error.retry_after) == ("writes", 23 * 3600)
        assert (_used(reply).writes_today, _used(reply).resets_in) == (10, 23 * 3600)
        reads = _serve(run, quota, p.Get(space.name, "k0"), p.ListKeys(space.name), p.Delete(space.name, "k0"))
        assert [outcome.error for outcome in reads.outcomes] == [None] * 3
        assert space.keys() == [f"k{number}" for number in range(1, 10)]
        clock.advance(23 * 3600)
        assert _refused(_serve(run, quota, p.Set(space.name, "more", encode(1)))) is None
        assert run(GetUsage(space.name)).writes_today == 1

    def test_every_entry_that_is_written_counts_and_deletes_are_free(self, run: Run, space: Space) -> None:
        name, quota = space.name, Quota(writes_per_day=1000)
        one = encode(1)
        fork = [
            p.Fork(name, "fork"),
            p.SetMany("fork", (("a", one), ("m", one), ("n", encode(9)))),
            p.Delete("fork", "b"),
        ]
        expected: list[tuple[list[p.Op[Any]], int]] = [
            ([p.Set(name, "a", one)], 1),
            ([p.SetMany(name, (("a", one), ("b", one), ("c", one)))], 3),
            ([p.Append(name, "log", (one, one, one))], 3),
            ([p.Increment(name, "n"), p.Expire(name, "n", 60)], 2),
            ([p.Delete(name, "c"), p.Delete(name, "c"), p.DeleteMany(name, ("x",))], 0),
            ([p.Restore(name, "c", 1)], 1),
            ([p.Transact(name, (p.Set(name, "t", one), p.Delete(name, "a"), p.Check(name, "c", 3)))], 1),
            ([p.Snapshot(name, "s"), p.DeleteSnapshot(name, "s"), p.Get(name, "b")], 0),
            (list(fork), 3),
            ([p.Merge(name, "fork", dry_run=True)], 0),
            ([p.Merge(name, "fork", strategy="theirs")], 3),
            ([p.Purge(name, "n"), p.Clear(name, "log/"), p.Drop("fork")], 0),
        ]
        total = 0
        for ops, count in expected:
            total += count
            reply = _serve(run, quota, *ops)
            assert [outcome.error for outcome in reply.outcomes] == [None] * len(ops), ops
            assert run(GetUsage(name)).writes_today == total, ops

    def test_forks_count_against_their_root(self, run: Run, space: Space) -> None:
        quota = Quota(writes_per_day=6)
        _serve(
            run, quota, p.Set(space.name, "k", encode(1)), p.Fork(space.name, "child"), p.Fork("child", "grandchild")
        )
        for name in ("child", "grandchild"):
            assert _used(_serve(run, quota, p.Set(name, "k", encode(1)))).root == space.name
        _serve(run, quota, p.SetMany("grandchild", (("a", encode(1)), ("b", encode(1)))))
        assert _refused(_serve(run, quota, p.SetMany("child", (("a", encode(1)), ("b", encode(1)))))) == "writes"
        assert _refused(_serve(run, quota, p.Set("child", "a", encode(1)))) is None
        assert {run(GetUsage(name)).writes_today for name in (space.name, "child", "grandchild")} == {6}
        assert _refused(_serve(run, quota, p.Set("another", "k", encode(1)))) is None

    def test_a_namespace_that_is_dropped_and_made_anew_goes_on_from_where_it_was(self, run: Run, space: Space) -> None:
        quota = Quota(writes_per_day=3)
        _serve(run, quota, p.Set(space.name, "a", encode(1)), p.Set(space.name, "b", encode(1)))
        _serve(run, quota, p.Fork(space.name, "fork"), p.Drop(space.name), p.Set(space.name, "a", encode(1)))
        for name in (space.name, "fork"):
            assert _refused(_serve(run, quota, p.Set(name, "c", encode(1)))) == "writes"
        assert _used(_serve(run, quota, p.Delete("fork", "a"))).root == space.name

    def test_t9_many_writers_at_once_get_no_more_than_there_is(self, space: Space, store: Store) -> None:
        quota = Quota(writes_per_day=40)

        def work(number: int) -> int:
            op = p.Append(space.name, "log", (encode(number),))
            return sum(_refused(_serve(store.run, quota, op)) is None for _ in range(12))

        assert sum(in_threads(6, work)) == 40
        assert len(space.read("log")) == 40

    def test_t13_what_fails_or_comes_again_counts_for_nothing(self, run: Run, space: Space) -> None:
        quota = Quota(writes_per_day=10, bytes=10_000)
        request = Request((p.Set(space.name, "k", encode("x")),), False, "ann", "key", bytes(32), quota)
        assert run(Serve((request, request)))[1].replayed
        run(Serve((request,)))
        assert run(GetUsage(space.name)).writes_today == 1
        bad = p.Set(space.name, "k", encode("yyy"), if_version=9)
        for atomic in (False, True):
            reply = _serve(run, quota, p.Get(space.name, "k"), bad, atomic=atomic)
            assert isinstance(reply.outcomes[-1].error, ConflictError)
            assert (_used(reply).writes_today, _used(reply).bytes) == (1, 3)
        two = p.SetMany(space.name, (("a", encode(1)), ("b", encode(1))))
        assert _used(_serve(run, quota, two, bad, atomic=True)).writes_today == 1
        usage = run(GetUsage(space.name))
        assert (usage.writes_today, usage.bytes) == (1, 3)

    def test_an_atomic_request_over_a_quota_is_undone_whole(self, run: Run, space: Space) -> None:
        quota = Quota(writes_per_day=3, bytes=1000)
        reply = _serve(run, quota, *(p.Set(space.name, f"k{i}", encode(1)) for i in range(5)), atomic=True)
        assert (_refused(reply), reply.undone_by) == ("writes", 3)
        assert space.keys() == []
        reply = _serve(run, quota, *(p.Set(space.name, f"k{i}", encode(1)) for i in range(5)))
        assert [outcome.error is None for outcome in reply.outcomes] == [True] * 3 + [False] * 2
        assert run(GetUsage(space.name)).writes_today == 3

    def test_a_request_without_a_quota_is_not_counted(self, run: Run, space: Space) -> None:
        (reply,) = run(Serve((Request((p.Set(space.name, "k", encode(1)),)),)))
        assert reply.usage is None
        usage = run(GetUsage(space.name))
        assert (usage.writes_today, usage.bytes, usage.forks) == (0, 1, 0)
        nowhere = run(GetUsage("nowhere"))
        assert (nowhere.root, nowhere.writes_today, nowhere.bytes, nowhere.forks) == ("nowhere", 0, 0, 0)

    # --- bytes --------------------------------------------------------------------------------------------

    def test_t11_when_the_bytes_are_used_up_shrinking_and_deleting_go_on(self, run: Run, space: Space) -> None:
        quota = Quota(bytes=1000)
        name = space.name

        def of(size: int) -> Any:
            return encode("x" * (size - 2))

        assert _refused(_serve(run, quota, p.Set(name, "a", of(600)), p.Set(name, "b", of(400)))) is None
        for op in (p.Set(name, "c", of(2)), p.Set(name, "a", of(601)), p.Append(name, "log", (of(3),))):
            reply = _serve(run, quota, op)
            assert (_refused(reply), _used(reply).bytes) == ("bytes", 1000)
        assert _refused(_serve(run, quota, p.Set(name, "a", of(600)))) is None
        assert _refused(_serve(run, quota, p.Set(name, "a", of(500)), p.Set(name, "c", of(100)))) is None
        assert _refused(_serve(run, quota, p.Set(name, "d", of(2)))) == "bytes"
        assert _refused(_serve(run, quota, p.Delete(name, "b"), p.Set(name, "d", of(400)))) is None
        small = Quota(bytes=10)  # of a plan that came later
        assert _refused(_serve(run, small, p.Set(name, "a", of(400)))) is None
        assert _refused(_serve(run, small, p.Set(name, "a", of(401)))) == "bytes"
        assert _refused(_serve(run, small, p.Clear(name))) is None
        assert run(GetUsage(name)).bytes == 0

    def test_what_has_expired_makes_room(self, run: Run, space: Space, clock: ManualClock) -> None:
        quota = Quota(bytes=100)
        full = encode("x" * 98)
        _serve(run, quota, p.Set(space.name, "a", full, ttl=10))
        assert _refused(_serve(run, quota, p.Set(space.name, "b", full))) == "bytes"
        clock.advance(10)
        assert _refused(_serve(run, quota, p.Set(space.name, "b", full))) is None

    def test_inherited_bytes_count_once_and_what_a_fork_or_snapshot_keeps_counts(self, run: Run, space: Space) -> None:
        quota = Quota(bytes=10_000)
        name = space.name
        large, small = encode("x" * 98), encode("x" * 8)

        def bytes_after(*ops: p.Op[Any]) -> int | None:
            reply = _serve(run, quota, *ops)
            assert [outcome.error for outcome in reply.outcomes] == [None] * len(ops)
            return run(GetUsage(name)).bytes

        assert bytes_after(p.Set(name, "a", large), p.Set(name, "a", large)) == 100
        assert bytes_after(p.Fork(name, "one"), p.Fork(name, "two"), p.Fork("one", "three")) == 100
        assert bytes_after(p.Set("one", "a", small)) == 110
        assert bytes_after(p.Delete(name, "a")) == 110
        assert bytes_after(p.Snapshot("one", "s")) == 110
        assert bytes_after(p.Set("one", "a", large)) == 210
        assert bytes_after(p.DeleteSnapshot("one", "s")) == 200
        assert bytes_after(p.Drop("one")) == 100
        assert bytes_after(p.Drop("two")) == 100
        assert bytes_after(p.Drop("three")) == 0
        assert bytes_after(p.Fork(name, "past", at=1)) == 100

    def test_more_of_the_past_is_not_kept_under_a_limit_of_bytes(self, run: Run, space: Space) -> None:
        usual = Retention()
        for retention in (Retention(65, usual.deleted_for), Retention(64, usual.deleted_for + 1)):
            assert _refused(_serve(run, Quota(bytes=1000), p.SetRetention(space.name, retention))) == "bytes"
            assert run(p.GetRetention(space.name)) == usual
        assert _refused(_serve(run, Quota(bytes=1000), p.SetRetention(space.name, Retention(1, 0)))) is None

    @pytest.mark.parametrize("seed", range(4))
    def test_t12_the_bytes_are_those_of_a_count_from_scratch(
        self, run: Run, space: Space, clock: ManualClock, seed: int
    ) -> None:
        """Never less than what there is, and exactly that where nothing has ended without a write."""
        chance = random.Random(seed)  # noqa: S311 - a test, and the same each time
        quota = Quota(bytes=10**9)
        space.set("start", "x" * 50)
        ended = False
        for number in range(70):
            clock.advance(1)
            infos = run(p.ListNamespaces())
            names = [info.name for info in infos]
            # What nobody sees of a namespace that is gone, but its forks need, is not in sight of this test.
            parents = {info.parent for info in infos}
            stay = [info.name for info in infos if info.expires_at is None]
            name = chance.choice(names)
            droppable = [one for one in names if one != space.name and one not in parents] or ["nowhere"]
            key = chance.choice("abcd")
            value = encode("x" * chance.randrange(100))
            ttl = chance.choice([None, None, 1, 20])
            op: p.Op[Any] = chance.choice(
                [
                    *[p.Set(name, key, value, ttl)] * 6,
                    p.Delete(name, key),
                    p.Delete(name, key),
                    p.Append(name, "log", (value,), ttl),
                    p.Expire(name, key, ttl),
                    p.SetMany(name, (("a", value), ("b", value))),
                    p.Snapshot(name, f"s{number}", chance.choice([None, 10])),
                    p.Clear(name, "log/"),
                    p.Fork(chance.choice(stay), f"fork{number}", ttl=chance.choice([None, 30])),
                    p.Merge(name, chance.choice(names), strategy="theirs"),
                    p.Purge(name, key),
                    p.Drop(chance.choice(droppable)),
                ]
            )
            reply = _serve(run, quota, op)
            assert reply.outcomes[0].error is None, (op, reply)
            infos = run(p.ListNamespaces())
            counted = _bytes_seen(run, infos)
            assert run(GetUsage(chance.choice(infos).name)).bytes == counted, op
            assert reply.usage is None or (reply.usage.bytes or 0) >= counted, op
            ended = ended or ttl is not None or not isinstance(op, p.Set | p.Delete | p.SetMany | p.Append)
            if not ended:
                assert _used(reply).bytes == counted, op
        clock.advance(_DAY)
        reply = _serve(run, quota, p.Set(space.name, "last", encode(1)))
        assert _used(reply).bytes == run(GetUsage(space.name)).bytes

    # --- forks --------------------------------------------------------------------------------------------

    def test_forks_are_capped_for_a_root_whatever_their_depth(self, run: Run, space: Space, clock: ManualClock) -> None:
        quota = Quota(forks=3)
        space.set("k", 1)
        ops = (p.Fork(space.name, "a"), p.Fork("a", "b"), p.Fork("b", "c", ttl=60), p.Fork(space.name, "d"))
        reply = _serve(run, quota, *ops)
        assert [outcome.error is None for outcome in reply.outcomes] == [True, True, True, False]
        assert _refused(reply) == "forks"
        assert run(GetUsage("b")).forks == 3
        assert [info.name for info in run(p.ListNamespaces())] == ["a", "b", "c", space.name]
        assert _refused(_serve(run, quota, p.Set("a", "k", encode(2)), p.Drop("a"), p.Fork("b", "d"))) is None
        assert _refused(_serve(run, quota, p.Fork("b", "e"))) == "forks"
        clock.advance(60)
        assert _refused(_serve(run, quota, p.Fork("b", "e"))) is None
        assert _refused(_serve(run, Quota(forks=0), p.Fork("fresh", "f"))) == "forks"
        assert run(p.ListNamespaces("f")) == []


def _bytes_seen(run: Run, infos: list[NamespaceInfo]) -> int:
    """What users can see in some namespaces, where their forks start, and in their snapshots, each entry once."""
    seen: dict[tuple[Any, ...], int] = {}
    for info in infos:
        moments: list[int | None] = [None, *(one.number for one in run(p.ListSnapshots(info.name)))]
        if info.forked_at is not None:
            moments.append(info.forked_at)
        for moment in moments:
            for entry in run(p.ListEntries(info.name, at=moment)):
                size = len(encode(entry.value).data)
                seen[entry.key, entry.revision, entry.version, entry.updated_at] = size
    return sum(seen.values())
