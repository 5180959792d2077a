"""The report after an evaluation, promotion, and clearing away."""

from __future__ import annotations

import json
import threading

import pytest

from botwire_core.codec import Value
from botwire_core.errors import InvalidValueError, ScopeError
from botwire_core.memory import Memory
from botwire_core.protocol import MISSING, ListNamespaces
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.report import MemoryReport
from botwire_core.scopes.report_text import markdown, table
from botwire_core.scopes.upkeep import collect, promote, scoped_namespaces
from botwire_core.testing import ManualClock


def evaluate(memory: Memory, variant: str, **writes: Value) -> None:
    """Two questions: each looks at the greeting; the first writes what is given."""
    with scope(variant=variant, run_id=f"run-{variant}", experiment="e"):
        for point in ("d1", "d2"):
            with scope(datapoint_id=point):
                memory.get("greeting")
                memory.get("absent")
                if point == "d1":
                    for key, value in writes.items():
                        memory.set(key, value)


@pytest.fixture
def report(memory: Memory) -> MemoryReport:
    memory.set_many({"greeting": "hello", "tone": "formal", "same": 1})
    evaluate(memory, "v1", tone="brief", only_one=1, same=2)
    evaluate(memory, "v2", tone="long", only_two={"a": [1]}, same=2)
    return MemoryReport.of(memory.store, "support")


def test_it_counts_what_each_variant_read_and_wrote(report: MemoryReport) -> None:
    one, two = report.columns
    assert (one.variant, one.run_id, one.datapoints) == ("v1", "run-v1", 2)
    assert (one.reads_seed, one.reads_own, one.reads_missing, one.writes) == (2, 0, 2, 3)
    assert one.namespaces == ("support@v1~run-v1",)
    assert [key for _, key in one.seed_changed] == ["same", "tone"]
    assert two.label == "v2 (run-v2)"


def test_it_tells_the_variants_apart(report: MemoryReport) -> None:
    one, two = report.columns
    assert report.only_in(one) == [(None, "only_one")]
    assert report.only_in(two) == [(None, "only_two")]
    assert report.differing() == [(None, "tone")]
    assert report.seeds_equal
    assert report.contamination(strict=True) == []
    assert report.by_datapoint()["d1"]["v1 (run-v1)"] == (["greeting", "absent"], ["tone", "only_one", "same"])


async def test_the_async_twin_gives_the_same(report: MemoryReport, memory: Memory) -> None:
    assert await MemoryReport.aof(memory.store, "support") == report


def test_a_key_that_one_question_wrote_and_another_met_depends_on_the_order(memory: Memory) -> None:
    with scope(variant="v", run_id="r"):
        for point in ("d1", "d2"):
            with scope(datapoint_id=point):
                memory.get("shared")
                memory.set("shared", point)
                memory.set(f"own:{point}", 1)
    report = MemoryReport.of(memory.store, "support")
    assert report.columns[0].order_dependent == {"shared": ("d1", "d2")}
    assert report.contamination() == []
    assert report.contamination(strict=True) == ["'shared' depends on the order of the datapoints"]


def test_with_a_fork_for_each_datapoint_nothing_depends_on_the_order(memory: Memory) -> None:
    memory.set("shared", 0)
    with scope_policy(isolation="datapoint"), scope(variant="v", run_id="r"):
        for point in ("d1", "d2"):
            with scope(datapoint_id=point):
                memory.increment("shared")
    report = MemoryReport.of(memory.store, "support", ["r"])
    (column,) = report.columns
    assert column.order_dependent == {}
    assert column.after == {("d1", "shared"): 1, ("d2", "shared"): 1}
    assert column.datapoints == 2


def test_different_seeds_and_lost_scopes_are_contamination(memory: Memory) -> None:
    def bare() -> None:
        with pytest.raises(ScopeError):
            memory.get("k")

    with scope(variant="v1", run_id="r1"):
        memory.get("k")
        thread = threading.Thread(target=bare)
        thread.start()
        thread.join()
    memory.set("k", 1)
    with scope(variant="v2", run_id="r2"):
        memory.get("k")
    report = MemoryReport.of(memory.store, "support")
    assert not report.seeds_equal
    assert report.contamination() == [
        "1 operations ran outside of every scope",
        "the variants started from different seeds",
    ]
    assert "SEEDS DIFFER" in table(report)


def test_a_run_that_nobody_knows_is_an_error(report: MemoryReport, memory: Memory) -> None:
    assert len(MemoryReport.of(memory.store, "support", ["run-v2"]).columns) == 1
    with pytest.raises(InvalidValueError, match="nothing is known of a run 'nobody'"):
        MemoryReport.of(memory.store, "support", ["run-v1", "nobody"])


@pytest.mark.parametrize("view", ["version", "datapoint", "key"])
def test_it_prints_every_view_as_a_table_and_as_markdown(report: MemoryReport, view: str) -> None:
    for text in (table(report, view=view), markdown(report, view=view)):  # type: ignore[arg-type]
        assert "v1 (run-v1)" in text
        assert "only_one" in text.replace("\\", "")


def test_values_can_be_hidden_everywhere(memory: Memory) -> None:
    evaluate(memory, "v1", name="a secret of Ada")
    report = MemoryReport.of(memory.store, "support")
    for view in ("version", "datapoint", "key"):
        assert "secret" not in table(report, view=view, keys_only=True)
        assert "secret" not in markdown(report, view=view, keys_only=True)
    assert "secret" not in json.dumps(report.to_json(keys_only=True))
    assert "secret" in json.dumps(report.to_json())
    assert "secret" in table(report, view="key")


def test_what_strangers_wrote_stays_text(memory: Memory) -> None:
    with scope(variant="v|1", run_id="r"):
        memory.set("a|b\x1b[31m`<script>", "x")
    text = markdown(MemoryReport.of(memory.store, "support"), view="key")
    assert "\x1b" not in text
    assert "a\\|b\\\\x1b\\[31m\\`\\<script\\>" in text


def test_promotion_is_a_merge_of_chosen_keys(report: MemoryReport, memory: Memory) -> None:
    result = promote(memory.store, "support@v1~run-v1", keys="tone")
    assert result.written == ["tone"]
    assert memory.get("tone") == "brief"
    memory.set("same", "changed in the memory itself")
    refused = promote(memory.store, "support@v1~run-v1")
    assert not refused.applied
    assert [conflict.key for conflict in refused.conflicts] == ["same"]
    assert promote(memory.store, "support@v1~run-v1", strategy="theirs").applied
    assert memory.get("same") == 2


def test_promotion_of_a_datapoint_needs_keys(memory: Memory) -> None:
    with scope_policy(isolation="datapoint"), scope(variant="v", run_id="r", datapoint_id="d"):
        memory.set("prefs/tone", "brief")
    with pytest.raises(InvalidValueError, match="single datapoint"):
        promote(memory.store, "support@v~r~d")
    assert promote(memory.store, "support@v~r~d", keys="prefs/*").written == ["prefs/tone"]
    with pytest.raises(InvalidValueError, match="not the memory of an experiment"):
        promote(memory.store, "support")


def test_many_scopes_leave_nothing_behind(memory: Memory, clock: ManualClock) -> None:
    memory.set("tone", "formal")
    before = memory.store.run(ListNamespaces())
    with scope_policy(isolation="datapoint"):
        for variant in ("v1", "v2", "v3"):
            for point in range(10):
                for trial in (0, 1):
                    with scope(variant=variant, run_id="r", datapoint_id=f"d{point}", trial=trial):
                        memory.increment("count")
    assert len(scoped_namespaces(memory.store, "support", variant="v2")) == 20
    MemoryReport.of(memory.store, "support")
    assert collect(memory.store, older_than=60, now=clock()) == []
    assert len(collect(memory.store, "support", dry_run=True, now=clock())) == 60
    assert len(collect(memory.store, "support", now=clock())) == 60
    assert memory.store.run(ListNamespaces()) == before
    assert memory.snapshots() == []


def test_it_needs_no_past_of_the_memory_for_what_started_empty(memory: Memory) -> None:
    for number in range(200):
        memory.set("tone", number)
    with scope(variant="v", run_id="r"), scope_policy(seed="empty"):
        memory.set("tone", "brief")
        memory.set("gone", 1)
        memory.delete("gone")
    (column,) = MemoryReport.of(memory.store, "support").columns
    assert (column.before, column.after) == ({(None, "tone"): MISSING}, {(None, "tone"): "brief"})


def test_it_compares_with_the_seed_also_when_the_memory_was_dropped_or_made_anew(
    memory: Memory, clock: ManualClock
) -> None:
    memory.set_many({"tone": "formal", "same": 1})
    with scope(variant="v", run_id="r"):
        memory.set("tone", "brief")
    for _ in range(2):
        clock.advance(1)
        memory.drop()
        (column,) = MemoryReport.of(memory.store, "support").columns
        assert (column.before, column.after) == ({(None, "tone"): "formal"}, {(None, "tone"): "brief"})
        memory.set_many({"tone": "another", "other": 1})
        (column,) = MemoryReport.of(memory.store, "support").columns
        assert (column.before, column.after) == ({(None, "tone"): "formal"}, {(None, "tone"): "brief"})


def test_a_list_that_shows_what_another_question_wrote_depends_on_the_order(memory: Memory) -> None:
    with scope(variant="v", run_id="r"):
        with scope(datapoint_id="d1"):
            memory.set("notes/a", 1)
            memory.append("questions", "why?")
        with scope(datapoint_id="d2"):
            memory.list_keys("notes/")
            list(memory.entries("questions/"))
        with scope(datapoint_id="d3"):
            memory.list_keys("else/")
    (column,) = MemoryReport.of(memory.store, "support").columns
    assert column.order_dependent == {"notes/a": ("d1", "d2"), "questions": ("d1", "d2")}


def test_a_report_shows_itself(report: MemoryReport) -> None:
    assert report.to_table(view="key") == table(report, view="key")
    assert report.to_markdown(keys_only=True) == markdown(report, keys_only=True)
