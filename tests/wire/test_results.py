"""Results as JSON: whatever a store gives comes through exactly, and nonsense from a server is no result."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.strategies import FEW, JSON, results

from botwire_core import protocol as p
from botwire_core.clock import from_microseconds
from botwire_core.codec import encode
from botwire_core.errors import BotWireError
from botwire_core.results import Conflict, Entry, MergeResult
from botwire_core.wire.ops import OP_TYPES
from botwire_core.wire.results import result_from_json, result_to_json
from botwire_core.wire.text import dump, parse

NOW = from_microseconds(1_790_000_000_123_457)


def carried(kind: type[Any], result: Any) -> Any:
    return result_from_json(
        kind, parse(dump({"results": [{"result": result_to_json(kind, result)}]}))["results"][0]["result"]
    )


@pytest.mark.parametrize("kind", OP_TYPES.values(), ids=OP_TYPES)
@FEW
@given(data=st.data())
def test_every_result_comes_through_exactly(kind: type[Any], data: st.DataObject) -> None:
    result = data.draw(results(kind))
    found = carried(kind, result)
    assert repr(found) == repr(result)  # == takes 1 for 1.0 and for true
    assert found == result
    # It can be kept as a value itself, which is how answers are remembered for a retry.
    encode(result_to_json(kind, result))


@pytest.mark.parametrize("kind", OP_TYPES.values(), ids=OP_TYPES)
@FEW
@given(value=JSON)
def test_nonsense_of_a_server_is_an_error_of_ours_or_a_result(kind: type[Any], value: Any) -> None:
    try:
        result_from_json(kind, value)
    except BotWireError as error:
        assert "is not understood" in error.message


def test_a_merge_with_absent_sides_comes_through() -> None:
    conflicts = [
        Conflict("k", ("a", ""), p.MISSING, None, b"\0"),
        Conflict("é", (), {"missing": True}, p.MISSING, {"value": {"missing": True}}),
    ]
    result = MergeResult(False, [], ["x"], [], conflicts, None, 7)
    found = carried(p.Merge, result)
    assert found == result
    assert found.conflicts[0].base is p.MISSING
    assert found.conflicts[1].base == {"missing": True}


def test_the_members_of_an_entry_are_those_of_the_first_service_and_more() -> None:
    entry = Entry("k", b"hi", 2, 3, NOW, NOW, None, "me")
    assert result_to_json(p.GetEntry, entry) == entry.to_json()
    assert result_to_json(p.GetEntry("space", "k"), None) is None


def test_a_value_named_missing_is_no_absence() -> None:
    assert carried(p.Get, {"missing": True}) == {"missing": True}
    assert carried(p.Get, p.MISSING) is p.MISSING
    assert carried(p.Get, None) is None


def test_the_order_of_what_was_asked_is_kept() -> None:
    result = {"z": 1, "a": b"2", "m": None}
    assert list(carried(p.GetMany, result)) == ["z", "a", "m"]


@pytest.mark.parametrize("kind", [p.GetEntry, p.GetStats, p.Compare, p.Merge, p.ListChanges, p.Fork])
@FEW
@given(data=st.data())
def test_members_that_a_newer_server_adds_are_overlooked(kind: type[Any], data: st.DataObject) -> None:
    result = data.draw(results(kind).filter(lambda one: one is not None))
    members = json.loads(json.dumps(result_to_json(kind, result)))
    assert result_from_json(kind, members | {"more": [1]}) == result
