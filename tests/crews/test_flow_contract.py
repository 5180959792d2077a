"""The contract of flow persistence: CrewAI's own, then ours on each backend, and where they differ on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from crewai.flow.persistence import FlowPersistence, SQLiteFlowPersistence
from crews.flow_contract import FlowPersistenceContract, OpenFlows

from botwire import InvalidKeyError, InvalidValueError, Memory, TooLargeError
from botwire_crewai import BotWireFlowPersistence


class TestCrewAIsOwn(FlowPersistenceContract):
    @pytest.fixture
    def open_flows(self, tmp_path: Path) -> OpenFlows:
        return lambda: SQLiteFlowPersistence(str(tmp_path / "flows.db"))


class TestOurs(FlowPersistenceContract):
    @pytest.fixture
    def open_flows(self, url: str) -> OpenFlows:
        namespace = f"test-{uuid4().hex}"
        return lambda: BotWireFlowPersistence(namespace=namespace, url=url)


# Row by row the table of docs/how-to/crewai.md.


@pytest.fixture
def ours(memory: Memory) -> FlowPersistence:
    return BotWireFlowPersistence(memory)


@pytest.fixture
def theirs(tmp_path: Path) -> FlowPersistence:
    return SQLiteFlowPersistence(str(tmp_path / "flows.db"))


def kept(flows: FlowPersistence, value: Any) -> Any:
    flows.save_state("f", "step", {"value": value})
    state = flows.load_state("f")
    assert state is not None
    return state["value"]


def test_difference_numbers_that_are_not_finite(ours: FlowPersistence, theirs: FlowPersistence) -> None:
    values = [float("inf"), float("-inf"), float("nan")]
    assert str(kept(theirs, values)) == "[inf, -inf, nan]"
    assert kept(ours, values) == ["Infinity", "-Infinity", "NaN"]
    assert str(list(map(float, kept(ours, values)))) == "[inf, -inf, nan]"


def test_difference_frozen_sets(ours: FlowPersistence, theirs: FlowPersistence) -> None:
    assert kept(theirs, frozenset({7})) == "frozenset({7})"
    assert kept(ours, frozenset({7})) == [7]


def test_difference_keys_that_json_cannot_name(ours: FlowPersistence, theirs: FlowPersistence) -> None:
    with pytest.raises(TypeError):
        kept(theirs, {(1, 2): "x"})
    assert kept(ours, {(1, 2): "x"}) == {"(1, 2)": "x"}


def test_difference_half_surrogate_pairs(ours: FlowPersistence, theirs: FlowPersistence) -> None:
    assert kept(theirs, "\ud800") == "\ud800"
    with pytest.raises(InvalidValueError, match="surrogate"):
        kept(ours, "\ud800")


def test_difference_depth_and_size(ours: FlowPersistence, theirs: FlowPersistence) -> None:
    deep: Any = []
    for _ in range(150):
        deep = [deep]
    assert kept(theirs, deep) == deep
    with pytest.raises(InvalidValueError, match="nested"):
        kept(ours, deep)
    large = "x" * (17 * 1024 * 1024)
    assert kept(theirs, large) == large
    with pytest.raises(TooLargeError):
        kept(ours, large)


def test_difference_ids_that_are_no_text(ours: FlowPersistence, theirs: FlowPersistence) -> None:
    theirs.save_state(7, "step", {})  # type: ignore[arg-type]
    with pytest.raises(InvalidKeyError, match="the id of a flow is text, not int"):
        ours.save_state(7, "step", {})  # type: ignore[arg-type]


def test_difference_what_somebody_else_wrote_is_no_state(ours: FlowPersistence, memory: Memory) -> None:
    for value in (7, {"state": 7}, {"id": "f"}):
        memory.set("flows/f/state", value)
        with pytest.raises(InvalidValueError, match="is no state of a flow"):
            ours.load_state("f")
