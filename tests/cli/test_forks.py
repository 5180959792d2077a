"""namespaces, stats, fork, diff, merge, snapshot, drop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cli.running import Result

from botwire import Memory

Botwire = Callable[..., Result]


@pytest.fixture
def base() -> Memory:
    memory = Memory("support")
    memory.set_many({"tone": "formal", "customer": {"name": "Ana", "mood": "calm"}, "old": 1})
    return memory


class TestNamespaces:
    def test_it_is_a_tree_with_the_keys_that_changed(self, botwire: Botwire, base: Memory) -> None:
        fork = base.fork("support-v2")
        fork.set_many({"a": 1, "b": 2})
        fork.fork("support-v2-brief")
        Memory("notes").set("x", 1)
        lines = botwire("namespaces").lines
        assert [line.strip("└─├│ ").split()[0] for line in lines] == [
            "notes",
            "support",
            "support-v2",
            "support-v2-brief",
        ]
        assert "2 keys changed" in lines[2]
        assert len(lines[3]) - len(lines[3].lstrip("└─├│ ")) > len(lines[2]) - len(lines[2].lstrip("└─├│ "))

    def test_json_says_which_is_a_fork_of_which(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2", ttl=3600)
        infos = {info["name"]: info for info in botwire("namespaces", "--json").json["namespaces"]}
        assert (infos["support"]["parent"], infos["support-v2"]["parent"]) == (None, "support")
        assert infos["support-v2"]["forked_at"] == 1
        assert 3590 < infos["support-v2"]["expires_at"] - infos["support-v2"]["created_at"] <= 3601

    def test_a_fork_whose_parent_is_gone_stands_by_itself(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2")
        base.drop()
        (line,) = botwire("namespaces").lines
        assert line.startswith("support-v2")
        assert "parent is gone" in line

    def test_an_empty_store_has_none(self, botwire: Botwire) -> None:
        result = botwire("namespaces")
        assert (result.code, result.out) == (0, "")


class TestStats:
    def test_it_counts(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2")
        stats = botwire("stats", "support", "--json").json
        assert (stats["keys"], stats["forks"], stats["revision"], stats["writes_today"]) == (3, 1, 1, 3)
        assert "keys          3" in botwire("stats", "support").out


class TestFork:
    def test_the_fork_starts_equal_and_goes_its_own_way(self, botwire: Botwire, base: Memory) -> None:
        made = botwire("fork", "support", "support-v2", "--json").json
        assert (made["name"], made["parent"], made["forked_at"]) == ("support-v2", "support", 1)
        assert botwire("set", "support-v2", "tone", '"friendly"').out == "tone: version 2\n"
        assert base.get("tone") == "formal"

    def test_it_starts_at_a_label_or_a_time(self, botwire: Botwire, base: Memory) -> None:
        base.snapshot("before")
        before = base.entry("tone")
        assert before is not None
        base.set("tone", "rude")
        assert botwire("fork", "support", "a", "--at", "before").code == 0
        assert botwire("fork", "support", "b", "--at", before.updated_at.isoformat()).code == 0
        assert (Memory("a").get("tone"), Memory("b").get("tone")) == ("formal", "formal")

    def test_a_name_that_is_taken_is_a_conflict(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2")
        assert botwire("fork", "support", "support-v2").code == 4

    def test_a_moment_that_is_not_known_is_bad_input(self, botwire: Botwire, base: Memory) -> None:
        assert botwire("fork", "support", "a", "--at", "no-such-label").code == 2
        assert botwire("fork", "support", "a", "--at", "999").code == 2


class TestDiff:
    def test_it_shows_keys_and_the_places_inside_values(self, botwire: Botwire, base: Memory) -> None:
        fork = base.fork("support-v2")
        fork.set("customer", {"name": "Ana", "mood": "angry"})
        fork.set("new", True)
        fork.delete("old")
        assert botwire("diff", "support", "support-v2").lines == [
            "support -> support-v2: 1 added, 1 removed, 1 changed",
            "~ customer",
            '    ~ mood: "calm" -> "angry"',
            "+ new: true",
            "- old: 1",
        ]
        changed = botwire("diff", "support", "support-v2", "--json").json["changed"]
        assert changed[0]["inside"] == [{"path": "mood", "before": "calm", "after": "angry"}]

    def test_keys_only_shows_no_value(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2").set("customer", {"secret": "XYZZY"})
        for arguments in ((), ("--json",)):
            out = botwire("diff", "support", "support-v2", "--keys-only", *arguments).out
            assert "customer" in out
            assert "XYZZY" not in out
            assert "Ana" not in out

    def test_exit_code_tells_whether_they_differ(self, botwire: Botwire, base: Memory) -> None:
        fork = base.fork("support-v2")
        assert botwire("diff", "support", "support-v2", "--exit-code").code == 0
        fork.set("a", 1)
        assert botwire("diff", "support", "support-v2").code == 0
        assert botwire("diff", "support", "support-v2", "--exit-code").code == 1
        assert botwire("diff", "support", "support-v2", "--exit-code", "--prefix", "tone").code == 0

    def test_one_namespace_is_compared_with_its_past(self, botwire: Botwire, base: Memory) -> None:
        base.set("tone", "rude")
        assert '~ "formal" -> "rude"' in botwire("diff", "support", "--at", "1").out
        assert '~ "rude" -> "formal"' in botwire("diff", "support", "--other-at", "1").out
        assert botwire("diff", "support").code == 2


class TestMerge:
    def test_it_brings_the_changes_and_keeps_what_was_before(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2").set("tone", "friendly")
        result = botwire("merge", "support", "support-v2", "--json").json
        assert (result["applied"], result["written"]) == (True, ["tone"])
        assert base.get("tone") == "friendly"
        assert base.at(result["snapshot"]).get("tone") == "formal"

    def test_conflicts_are_shown_and_nothing_is_written(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2").set("tone", "friendly")
        base.set("tone", "rude")
        refused = botwire("merge", "support", "support-v2")
        assert refused.code == 1
        assert '! tone: base "formal", ours "rude", theirs "friendly"' in refused.lines
        assert base.get("tone") == "rude"
        (conflict,) = botwire("merge", "support", "support-v2", "--json").json["conflicts"]
        assert (conflict["key"], conflict["theirs"]) == ("tone", {"value": "friendly"})

    def test_a_strategy_chooses_a_side(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2").set("tone", "friendly")
        base.set("tone", "rude")
        assert botwire("merge", "support", "support-v2", "--strategy", "theirs").code == 0
        assert base.get("tone") == "friendly"
        assert botwire("merge", "support", "support-v2", "--strategy", "coin").code == 2

    def test_a_dry_run_writes_nothing_and_keys_narrows(self, botwire: Botwire, base: Memory) -> None:
        base.fork("support-v2").set_many({"tone": "friendly", "other": 1})
        dry = botwire("merge", "support", "support-v2", "--dry-run", "--keys", "to*", "--json").json
        assert (dry["applied"], dry["written"]) == (False, ["tone"])
        assert base.get("tone") == "formal"
        assert botwire("merge", "support", "support-v2", "--dry-run").code == 0


class TestSnapshot:
    def test_it_is_made_listed_and_let_go(self, botwire: Botwire, base: Memory) -> None:
        assert botwire("snapshot", "support", "before", "--json").json["revision"] == 1
        assert botwire("snapshot", "support", "before").code == 4
        assert [item["label"] for item in botwire("snapshot", "support", "--list", "--json").json["snapshots"]] == [
            "before"
        ]
        assert "before" in botwire("snapshot", "support", "--list").out
        assert botwire("snapshot", "support", "--delete", "before").code == 0
        assert base.snapshots() == []
        assert botwire("snapshot", "support", "--delete", "before").code == 1


class TestDrop:
    def test_it_asks_first(self, botwire: Botwire, base: Memory) -> None:
        assert botwire("drop", "support", stdin=b"n\n").code == 1
        assert botwire("drop", "support").code == 1  # nobody there to answer
        assert base.list_keys() != []
        assert botwire("drop", "support", stdin=b"y\n").code == 0
        assert base.list_keys() == []
        assert botwire("drop", "support", "--yes").code == 1
