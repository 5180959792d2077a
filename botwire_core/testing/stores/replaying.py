"""A request that is sent again gets its answer again, and is not done twice."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import CommitUnknownError, ConflictError, IdempotencyError, InvalidValueError
from botwire_core.results import Retention
from botwire_core.service import REPLAY_SECONDS, Reply, Request, Serve
from botwire_core.store import Store
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Run, Space
from botwire_core.testing.stores.threads import in_threads

__all__ = ["ReplayContract"]


def _request(
    *ops: p.Op[Any], key: str = "key-1", body: str = "", identity: str = "ann", atomic: bool = False
) -> Request:
    digest = sha256((body or repr(ops)).encode()).digest()
    return Request(ops, atomic, identity, key, digest)


class ReplayContract(StoreBench):
    """The rows of the failure list that are about lost replies are in the names of the tests."""

    def test_p12_a_request_whose_reply_was_lost_is_answered_again_and_done_once(self, run: Run, space: Space) -> None:
        request = _request(p.Increment(space.name, "n"), p.Append(space.name, "log", (encode("x"),)))
        first = run(Serve((request,)))[0]
        space.increment("n", 10)
        for _ in range(3):
            again = run(Serve((request,)))[0]
            assert again.replayed
            assert not first.replayed
            assert again.outcomes == first.outcomes
        assert space.contents() == {"log/0000000000000000000": "x", "n": 11}

    def test_p12_the_same_request_twice_in_one_commit_is_done_once(self, run: Run, space: Space) -> None:
        request = _request(p.Increment(space.name, "n"))
        replies = run(Serve((request, _request(p.Increment(space.name, "n"), key="key-2"), request)))
        assert [reply.replayed for reply in replies] == [False, False, True]
        assert [reply.outcomes[0].result for reply in replies] == [1, 2, 1]
        assert space.get("n") == 2

    def test_p12_every_kind_of_answer_comes_again_as_it_was(self, run: Run, space: Space) -> None:
        name = space.name
        space.set("k", {"deep": [1, {"x": None}]})
        space.set("wide", 10**40)
        space.set("raw", b"\x00\xff")
        ops: list[p.Op[Any]] = [
            p.Set(name, "k", encode(b"bytes")),
            p.SetMany(name, (("a", encode(1)), ("b", encode(2)))),
            p.Append(name, "log", (encode(1), encode(2))),
            p.Increment(name, "n", 0.5),
            p.Increment(name, "wide", 1),
            p.Expire(name, "a", 60),
            p.Delete(name, "b"),
            p.Delete(name, "nothing"),
            p.DeleteMany(name, ("a", "b")),
            p.Transact(name, (p.Set(name, "t", encode(1)), p.Append(name, "log", (encode(1),)), p.Delete(name, "t"))),
            p.Snapshot(name, "label", ttl=60),
            p.Fork(name, "fork", ttl=60),
            p.Set("fork", "k", encode({"ours": 1})),
            p.Set(name, "k", encode({"theirs": "x"})),
            p.Merge(name, "fork"),
            p.Merge(name, "fork", strategy="theirs"),
            p.Restore(name, "k", 1),
            p.Clear(name, "log/"),
            p.SetRetention(name, Retention()),
            p.DeleteSnapshot(name, "label"),
            p.Drop("fork"),
        ]
        for number, op in enumerate(ops):
            request = _request(op, key=f"key-{number}")
            first, again = run(Serve((request,)))[0], run(Serve((request,)))[0]
            assert again == Reply(first.outcomes, replayed=True), op
        reads = tuple(p.Get(name, key) for key in ("k", "wide", "raw", "nothing"))
        request = _request(p.GetEntry(name, "k"), *reads, p.ListEntries(name), p.Set(name, "k", encode(2)), key="mixed")
        first = run(Serve((request,)))[0]
        assert run(Serve((request,)))[0] == Reply(first.outcomes, replayed=True)

    def test_p12_of_sets_that_arrive_together_each_is_done_once(self, run: Run, space: Space) -> None:
        space.set("k", 0)
        group = Serve(
            tuple(
                _request(p.Set(space.name, key, encode(number)), key=replay_key)
                for number, (key, replay_key) in enumerate(
                    [("a", "one"), ("k", "two"), ("k", "three"), ("b", "four"), ("k", "five")]
                )
            )
        )
        twice = Serve((*group.requests, *group.requests[:3]))
        replies = run(twice)
        assert [reply.replayed for reply in replies] == [False] * 5 + [True] * 3
        assert [reply.outcomes[0].result for reply in replies] == [1, 2, 3, 1, 4, 1, 2, 3]
        assert [reply.replayed for reply in run(group)] == [True] * 5
        assert [reply.outcomes[0].result for reply in run(group)] == [1, 2, 3, 1, 4]
        assert space.contents() == {"a": 0, "b": 3, "k": 4}

    def test_p12_the_errors_beside_what_was_done_come_again(self, run: Run, space: Space) -> None:
        space.set("k", 1)
        request = _request(p.Set(space.name, "k", encode(2), if_version=5), p.Increment(space.name, "n"))
        first = run(Serve((request,)))[0]
        space.set("k", 3, if_version=1)
        again = run(Serve((request,)))[0]
        error, before = again.outcomes[0].error, first.outcomes[0].error
        assert isinstance(error, ConflictError)
        assert isinstance(before, ConflictError)
        assert (error.version, error.key, error.message, error.hint) == (1, "k", before.message, before.hint)
        assert again.outcomes[1].result == 1
        assert space.get("n") == 1

    def test_a_request_that_was_refused_whole_is_judged_anew(self, run: Run, space: Space) -> None:
        space.set("k", 1)
        for atomic in (False, True):
            current = space.entry("k").version
            request = _request(
                p.Set(space.name, "k", encode(2), if_version=current + 1), key=f"{atomic}", atomic=atomic
            )
            assert isinstance(run(Serve((request,)))[0].outcomes[0].error, ConflictError)
            space.set("k", 1)
            (reply,) = run(Serve((request,)))
            assert (reply.replayed, reply.outcomes[0].result) == (False, current + 2)

    def test_what_only_reads_is_not_remembered(self, run: Run, space: Space) -> None:
        space.set("k", 1)
        request = _request(p.Get(space.name, "k"), p.ListKeys(space.name))
        run(Serve((request,)))
        space.set("k", 2)
        (reply,) = run(Serve((request,)))
        assert (reply.replayed, reply.outcomes[0].result) == (False, 2)

    def test_p13_the_same_key_with_another_body_is_refused(self, run: Run, space: Space) -> None:
        run(Serve((_request(p.Increment(space.name, "n"), body="one"),)))
        (reply,) = run(Serve((_request(p.Increment(space.name, "n", 5), body="two"),)))
        assert isinstance(reply.outcomes[0].error, IdempotencyError)
        assert (reply.undone_by, reply.replayed) == (None, False)
        assert reply.outcomes[0].error.hint
        assert space.get("n") == 1

    def test_p14_the_same_request_from_many_threads_is_done_once(self, space: Space, store: Store) -> None:
        request = _request(p.Increment(space.name, "n"))
        replies = [reply for part in in_threads(6, lambda _: store.run(Serve((request,)))) for reply in part]
        assert sorted(reply.replayed for reply in replies) == [False] + [True] * 5
        assert {reply.outcomes[0].result for reply in replies} == {1}
        assert space.get("n") == 1

    def test_p15_the_same_key_of_another_token_or_namespace_is_another_request(self, run: Run, space: Space) -> None:
        for identity in ("ann", "bob", ""):
            for name in (space.name, "other"):
                (reply,) = run(Serve((_request(p.Increment(name, "n"), identity=identity, body=identity + name),)))
                assert not reply.replayed
        assert (space.get("n"), space.beside("other").get("n")) == (3, 3)

    def test_keys_with_slashes_and_of_any_length_are_told_apart(self, run: Run, space: Space) -> None:
        keys = ["a", "a/b", "a/b/c", "%2F", "a" * 255, "a" * 254 + "/", "/", "0" * 19]
        space.set("k", 1)
        run(p.Purge(space.name, "k"))
        for key in keys:
            assert not run(Serve((_request(p.Increment(space.name, "n"), key=key),)))[0].replayed
        run(p.Purge(space.name, "n"))
        for key in keys:
            (reply,) = run(Serve((_request(p.Increment(space.name, "n"), key=key),)))
            assert isinstance(reply.outcomes[0].error, CommitUnknownError)
        for bad in ("", "a" * 256, "é", "a b", "a\n", "\0"):
            with pytest.raises(InvalidValueError):
                _request(p.Increment(space.name, "n"), key=bad)

    def test_an_answer_is_kept_for_a_day(self, run: Run, space: Space, clock: ManualClock) -> None:
        request = _request(p.Increment(space.name, "n"))
        run(Serve((request,)))
        clock.advance(REPLAY_SECONDS - 1)
        assert run(Serve((request,)))[0].replayed
        clock.advance(1)
        assert not run(Serve((request,)))[0].replayed
        assert space.get("n") == 2
        assert run(Serve((request,)))[0].replayed

    def test_an_answer_that_is_too_large_to_keep_is_not_done_again(self, run: Run, space: Space) -> None:
        space.set("large", "x" * 2_000_000)
        request = _request(p.Increment(space.name, "n"), p.Get(space.name, "large"))
        assert run(Serve((request,)))[0].outcomes[0].result == 1
        (reply,) = run(Serve((request,)))
        assert isinstance(reply.outcomes[0].error, CommitUnknownError)
        assert "done before" in reply.outcomes[0].error.message
        assert space.get("n") == 1

    # --- purge --------------------------------------------------------------------------------------------

    def test_a_purge_erases_the_answers_that_tell_something_and_keeps_that_it_was_done(
        self, run: Run, space: Space
    ) -> None:
        fork = space.fork("fork")
        other = space.beside("other")
        telling = [_request(p.Increment(name, "n", 7), key="n") for name in (space.name, "fork", "other")]
        both = _request(p.Increment("other", "m", 7), p.Append(space.name, "log", (encode(1),)), key="both")
        number = _request(p.Set(space.name, "k", encode("secret")), key="k")
        run(Serve((*telling, both, number)))
        run(p.Purge(space.name, "n"))
        replies = run(Serve((*telling, both, number)))
        assert [type(reply.outcomes[0].error) for reply in replies] == [
            *[CommitUnknownError] * 2,
            type(None),
            CommitUnknownError,
            type(None),
        ]
        assert "erased" in str(replies[0].outcomes[0].error)
        assert [reply.replayed for reply in replies] == [False, False, True, False, True]
        assert (space.keys("n"), fork.keys(), other.contents()) == ([], [], {"m": 7, "n": 7})

    def test_a_purge_reaches_answers_of_namespaces_that_are_gone(self, run: Run, space: Space) -> None:
        space.set("n", 1)
        space.fork("gone")
        space.fork("expires", ttl=1)
        requests = tuple(_request(p.Increment(name, "n")) for name in ("gone", "expires"))
        run(Serve(requests))
        run(p.Drop("gone"))
        run(p.Drop("expires"))
        run(p.Purge(space.name, "n"))
        space.fork("gone")
        for request in requests[:1]:
            assert isinstance(run(Serve((request,)))[0].outcomes[0].error, CommitUnknownError)
        assert space.beside("gone").keys() == []

    def test_a_purge_that_comes_again_erases_nothing_new(self, run: Run, space: Space) -> None:
        space.set("secret/a", 1)
        request = _request(p.Purge(space.name, "secret"))
        result = run(Serve((request,)))[0].outcomes[0].result
        assert result.keys == ["secret/a"]
        space.set("secret/b", 2)
        (again,) = run(Serve((request,)))
        assert again.replayed
        assert (again.outcomes[0].result.keys, again.outcomes[0].result.versions) == ([], result.versions)
        assert space.keys() == ["secret/b"]

    def test_a_purge_reaches_what_came_before_it_in_its_own_commit(self, run: Run, space: Space) -> None:
        before = _request(p.Increment(space.name, "n"), key="before")
        within = _request(p.Increment(space.name, "n"), p.Purge(space.name, "n"), key="within")
        earlier = _request(p.Append(space.name, "n", (encode("x"),)), key="earlier")
        replies = run(Serve((earlier, Request((p.Purge(space.name, "n"),)), before, within)))
        assert [outcome.error for reply in replies for outcome in reply.outcomes] == [None] * 5
        for request in (earlier, before, within):
            (reply,) = run(Serve((request,)))
            assert isinstance(reply.outcomes[0].error, CommitUnknownError)
        assert space.keys() == []
