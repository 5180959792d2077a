"""docs/reference/wire.md has every route, op, stream and code, and its examples are what goes over the wire."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from house.tree import ROOT

from botwire_core import errors
from botwire_core.errors import ConflictError, QuotaExceededError
from botwire_core.wire.ops import (
    OP_TYPES,
    STREAM_TYPES,
    op_from_json,
    op_to_json,
    stream_from_json,
    stream_to_json,
)
from botwire_core.wire.problems import problem_of, status_of
from botwire_core.wire.results import result_from_json, result_to_json
from botwire_core.wire.routes import paths

PAGE = (ROOT / "docs" / "reference" / "wire.md").read_text(encoding="utf-8")
EXAMPLES = [
    (name, json.loads(op), json.loads(result))
    for name, op, result in re.findall(r"^\| `(\w+)` \| `(\{[^`]*)` \| `([^`]*)` \|$", PAGE, re.MULTILINE)
]
STREAMS = [(n, json.loads(op)) for n, op in re.findall(r"^\| `(\w+)` \| `(\{[^`]*)` \|$", PAGE, re.MULTILINE)]
BLOCKS = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]


def test_every_op_and_stream_has_an_example() -> None:
    assert {name for name, _, _ in EXAMPLES} == OP_TYPES.keys()
    assert {name for name, _ in STREAMS} == STREAM_TYPES.keys()


@pytest.mark.parametrize(("name", "op", "result"), EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_an_example_is_what_goes_over_the_wire(name: str, op: dict[str, Any], result: Any) -> None:
    found = op_from_json(op)
    assert op["op"] == name
    assert op_to_json(found) == op
    assert result_to_json(found, result_from_json(found, result)) == result


@pytest.mark.parametrize(("name", "members"), STREAMS, ids=[name for name, _ in STREAMS])
def test_an_example_of_a_stream_is_one(name: str, members: dict[str, Any]) -> None:
    assert stream_to_json(stream_from_json(members, None)) == members


def test_every_route_and_method_is_there_and_no_other() -> None:
    documented = re.findall(r"^\| `(GET|PUT|POST|DELETE) (/\S*)` \|", PAGE, re.MULTILINE)
    real = [
        (method.upper(), path)
        for path, operations in paths().items()
        for method in operations.keys() & {"get", "put", "post", "delete"}
    ]
    assert sorted(documented) == sorted(real)


def test_every_code_is_there_with_its_status_and_its_members() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+)([^|]*)\| `(\w+)` \|([^|]*)\|$", PAGE, re.MULTILINE)
    assert {kind for *_, kind, _ in rows} == set(errors.__all__)
    for code, status, also, name, more in rows:
        kind = getattr(errors, name)
        error = kind("x", version=1) if kind is ConflictError else kind("x")
        assert (kind.code, status_of(error)) == (code, int(status))
        extra = problem_of(error).members.keys() - problem_of(errors.BotWireError("x")).members.keys()
        assert set(re.findall(r"`(\w+)`", more)) == extra
        others = {"conflict": ConflictError("x"), "quota_exceeded": QuotaExceededError("x", quota="bytes")}
        assert re.findall(r"\d+", also) == ([str(status_of(others[code]))] if code in others else [])


def test_the_blocks_are_what_goes_over_the_wire() -> None:
    asked, told, problem = BLOCKS[-3:]
    ops = [op_from_json(one) for one in asked["ops"]]
    for op, outcome in zip(ops, told["results"], strict=True):
        assert result_to_json(op, result_from_json(op, outcome["result"])) == outcome["result"]
    error = ConflictError(problem["detail"], hint=problem["hint"], key=problem["key"], version=problem["version"])
    assert problem_of(error, problem["request_id"]).members == problem
