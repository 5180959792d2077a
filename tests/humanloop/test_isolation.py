"""What is promised: every version, run or datapoint that the SDK evaluates has memory of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evaluating import evaluate, state
from humanloop import Humanloop

from botwire_core.memory import Memory
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.current import current_scope
from botwire_core.scopes.naming import Isolation
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.report import MemoryReport
from botwire_core.scopes.upkeep import scoped_namespaces
from botwire_humanloop.offline import OfflineHumanloop

pytestmark = pytest.mark.xdist_group("humanloop")

MEMBERS: dict[str, tuple[str, ...]] = {
    "version": ("variant",),
    "run": ("variant", "run_id"),
    "datapoint": ("variant", "run_id", "datapoint_id"),
}


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("isolation", ["version", "run", "datapoint"])
def test_not_one_key_leaks_and_all_start_from_the_same_seed(
    api: OfflineHumanloop,
    client: Humanloop,
    memory: Memory,
    tmp_path: Path,
    scale: Callable[[int], int],
    isolation: Isolation,
    workers: int,
) -> None:
    members = MEMBERS[isolation]
    points = scale(50)
    before = state(memory, tmp_path)
    seen: list[tuple[tuple[Any, ...], Any, list[Any], Any]] = []

    def answer(question: str) -> str:
        here = current_scope()
        assert here is not None
        mine = tuple(getattr(here, member) for member in members)
        alone = isolation != "datapoint" or (memory.get("place") == "base" and memory.get("count") is None)
        first = memory.get("facts/opening") if memory.get("tone") == "formal" and alone else "spoiled"
        memory.set(f"seen/{here.run_id}/{question}", list(mine))
        memory.set("last", question)
        memory.append("log", question)
        memory.increment("count")
        met = [tuple(value) for value in memory.get_many(memory.list_keys("seen/")).values()]
        seen.append((mine, first, met, here.run_id))
        memory.set("place", question)
        return question

    def reads_its_datapoint(log: Any, datapoint: Any) -> bool:
        here = current_scope()
        assert here is not None
        assert here.datapoint_id == datapoint["id"]
        kept = memory.get(f"seen/{here.run_id}/{log['inputs']['question']}")
        alone = memory.get("last") == datapoint["inputs"]["question"] or isolation != "datapoint"
        return alone and kept == [getattr(here, member) for member in members]

    with scope_policy(isolation=isolation):
        for version in ("a", "b", "a", "b"):
            evaluate(
                client,
                answer,
                version=version,
                points=points,
                judges=[reads_its_datapoint],
                workers=workers,
                name="both",
            )

    assert len(seen) == 4 * points
    assert len({run for *_, run in seen}) == 4
    for mine, first, met, _ in seen:
        assert first == [9, 17]
        assert mine in met
        assert set(met) == {mine}, "somebody else's key"
    assert state(memory, tmp_path) == before
    judgments = [found for log in api.logs.values() for found in log["judgments"].values()]
    assert judgments == [True] * 4 * points

    made = scoped_namespaces(memory.store, "support")
    assert len(made) == {"version": 2, "run": 4, "datapoint": 4 * points}[isolation]
    assert len({(one.pin, one.seed, one.seed_revision) for one in made}) == 1
    report = MemoryReport.of(memory.store, "support")
    assert report.seeds_equal and report.unscoped == 0


def test_a_version_that_is_evaluated_later_starts_from_the_seed_of_the_first(client: Humanloop, memory: Memory) -> None:
    read: list[Any] = []

    def answer(question: str) -> str:
        read.append(memory.get("tone"))
        memory.set("tone", question)
        return question

    with scope_policy(isolation="datapoint"):
        evaluate(client, answer, version="a", name="both")
        memory.set("tone", "casual")
        evaluate(client, answer, version="b", name="both")
        evaluate(client, answer, version="b", name="another")
    assert read == ["formal"] * 4 + ["casual"] * 2


def test_a_variant_has_the_name_that_humanloop_gave_the_version(
    api: OfflineHumanloop, client: Humanloop, memory: Memory
) -> None:
    def answer(question: str) -> str:
        memory.set("q", question)
        return question

    evaluate(client, answer, name="named")
    (made,) = scoped_namespaces(memory.store)
    version = api.files.by_path("support/answer", None)
    assert made.name == f"support@{version['version_id']}~{next(iter(api.runs))}"
    assert made.scope.experiment == next(iter(api.evaluations))
    assert made.scope.prompt_path == "support/answer"
    assert made.scope.prompt_id == version["id"]
    assert made.scope.source == "humanloop"


def test_messages_tell_datapoints_apart_too(client: Humanloop, memory: Memory) -> None:
    points = [
        {"inputs": {"question": "q"}, "messages": [{"role": "user", "content": content}]} for content in ("one", "two")
    ]
    seen: list[Any] = []

    def answer(question: str, messages: Any) -> str:
        seen.append(memory.increment("count"))
        return question

    with scope_policy(isolation="datapoint"):
        evaluate(client, answer, points=points)
    assert seen == [1, 1]


def test_what_a_block_around_the_evaluation_says_is_not_asked_of_humanloop(
    api: OfflineHumanloop, client: Humanloop, memory: Memory
) -> None:
    def answer(question: str) -> str:
        memory.set("q", question)
        return question

    with scope(variant="mine", experiment="e"), scope_policy(isolation="datapoint"):
        evaluate(client, answer, points=1)
    (made,) = scoped_namespaces(memory.store)
    assert made.name.startswith(f"support@mine~{next(iter(api.runs))}~dp_")
    assert made.scope.experiment == "e"


def test_scopes_that_are_switched_off_stay_off(client: Humanloop, memory: Memory) -> None:
    def answer(question: str) -> str:
        memory.append("asked", question)
        return question

    def asked(log: Any) -> bool:
        return log["output"] in memory.read("asked")

    with scope(off=True):
        evaluate(client, answer, judges=[asked])
    with scope_policy(isolation="off"):
        evaluate(client, answer, judges=[asked])
    assert sorted(memory.read("asked")) == ["q0", "q0", "q1", "q1"]
    assert scoped_namespaces(memory.store) == []
