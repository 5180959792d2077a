"""Erasure: a purge reaches history, snapshots and forks, and says what it could not reach."""

from __future__ import annotations

from typing import Any, Final

import pytest

from botwire_core import protocol as p
from botwire_core.errors import InvalidKeyError, RevisionPrunedError
from botwire_core.results import Change
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.changes import all_changes
from botwire_core.testing.stores.space import Space

__all__ = ["ErasureContract"]

_REACHES: Final[dict[str, list[str]]] = {
    "user": ["user", "user/", "user/name", "user/name/first"],
    "user/name": ["user/name", "user/name/first"],
    "user/": ["user/", "user/name", "user/name/first"],
    "user:": ["user:1", "user:1/name", "user:10"],
    "user:1": ["user:1", "user:1/name"],
    "us": [],
    "user%": [],
}


class ErasureContract(StoreBench):
    """`Purge`."""

    @pytest.mark.parametrize("target", _REACHES)
    def test_a_purge_reaches_a_key_and_what_is_under_it(self, space: Space, target: str) -> None:
        keys = [
            "u",
            "user",
            "user/",
            "user/name",
            "user/name/first",
            "user:1",
            "user:1/name",
            "user:10",
            "user2",
            "User",
        ]
        for key in keys:
            space.set(key, 1)
        result = space.run(p.Purge(space.name, target))
        assert result.keys == sorted(_REACHES[target])
        assert result.versions == len(result.keys)
        assert space.keys() == sorted(set(keys) - set(result.keys))

    def test_a_purge_erases_from_history_snapshots_and_forks(self, space: Space) -> None:
        space.set("k", "secret 1")
        space.run(p.Snapshot(space.name, "label"))
        space.set("k", "secret 2")
        space.set("other", 1)
        fork = space.fork("fork")
        fork.set("k", "secret 3")
        deep = fork.fork("deep")
        deep.delete("k")
        early = space.fork("early", at=1)
        dropped = space.fork("dropped")
        below = dropped.fork("below")
        dropped.run(p.Drop("dropped"))
        result = space.run(p.Purge(space.name, "k"))
        assert result.keys == ["k"]
        assert result.versions == 4
        assert result.namespaces == sorted(["below", "deep", "early", "fork", space.name])
        assert result.ancestors == []
        for one in (space, fork, deep, early, below):
            assert one.get("k") is p.MISSING
            assert [entry for entry in one.history("k") if not entry.deleted] == []
            assert "secret" not in repr(_changes_kept(one))
        assert "secret" not in repr(space.contents(at=1))
        assert space.contents() == fork.contents() == {"other": 1}

    def test_a_purge_in_a_fork_hides_and_names_what_its_ancestors_still_hold(self, space: Space) -> None:
        space.set("k", 1)
        space.set("own", 1)
        fork = space.fork("fork")
        fork.set("k", 2)
        deep = fork.fork("deep")
        result = fork.run(p.Purge("fork", "k"))
        assert (result.keys, result.namespaces, result.ancestors) == (["k"], ["deep", "fork"], [space.name])
        assert fork.get("k") is p.MISSING
        assert deep.get("k") is p.MISSING
        assert space.get("k") == 1
        assert fork.keys() == ["own"]

    def test_a_purged_key_can_be_written_again_and_old_versions_never_match(self, space: Space) -> None:
        space.set("k", 1)
        space.set("k", 2)
        space.append("log", "x", "y")
        space.run(p.Purge(space.name, "k"))
        space.run(p.Purge(space.name, "log"))
        assert space.contents() == {}
        assert space.set("k", "new", if_version=0) > 2
        assert space.append("log", "z") == ["log/0000000000000000002"]
        assert [entry.value for entry in space.history("k")] == ["new"]

    def test_old_versions_never_match_in_the_forks_that_a_purge_reached_either(self, space: Space) -> None:
        for value in range(5):
            space.set("k", value)
        idle, busy = space.fork("idle"), space.fork("busy")
        busy.set("k", "own")
        early = space.fork("early", at=2)
        space.run(p.Purge(space.name, "k"))
        assert idle.set("k", "new", if_version=0) > 5
        assert busy.set("k", "new", if_version=0) > 6
        assert early.set("k", "new", if_version=0) == 3

    @pytest.mark.parametrize("deleted", [False, True], ids=["standing", "deleted"])
    def test_old_versions_never_match_where_a_purge_bared_an_ancestors_key(self, space: Space, deleted: bool) -> None:
        space.set("k", 1)
        if deleted:
            space.delete("k")
        fork = space.fork("fork")
        versions = [fork.set("k", value) for value in range(5)]
        fork.run(p.Purge("fork", "k"))
        assert fork.set("k", "new", if_version=0) > versions[-1]

    def test_a_purge_of_nothing_erases_nothing(self, space: Space) -> None:
        space.set("k", 1)
        result = space.run(p.Purge(space.name, "nothing"))
        assert (result.keys, result.versions) == ([], 0)
        result = space.run(p.Purge("never-written", "k"))
        assert (result.keys, result.versions) == ([], 0)
        assert space.contents() == {"k": 1}

    @pytest.mark.parametrize("target", ["", "\0", "x" * 1025, None], ids=lambda target: repr(target)[:9])
    def test_what_is_no_target_is_refused(self, space: Space, target: Any) -> None:
        space.set("k", 1)
        with pytest.raises(InvalidKeyError):
            space.run(p.Purge(space.name, target))
        assert space.contents() == {"k": 1}


def _changes_kept(space: Space) -> list[Change]:
    try:
        return all_changes(space)
    except RevisionPrunedError:
        return []
