"""Ops as JSON: every op there is comes through exactly, and whatever is none is refused with its place."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.strategies import FEW, JSON, VALUES, ops

from botwire_core import protocol as p
from botwire_core.codec import MAX_DEPTH, MAX_VALUE_BYTES, encode
from botwire_core.errors import (
    BotWireError,
    InvalidKeyError,
    InvalidNamespaceError,
    InvalidValueError,
    TooLargeError,
    UnsupportedError,
)
from botwire_core.service import GetRow
from botwire_core.wire.ops import (
    OP_TYPES,
    STREAM_TYPES,
    op_from_json,
    op_name,
    op_to_json,
    stream_from_json,
    stream_to_json,
)
from botwire_core.wire.text import dump, parse

HERE = {"op": "set", "namespace": "space", "key": "key", "value": 1}


def carried(op: Any) -> Any:
    return op_from_json(parse(dump({"ops": [op_to_json(op)]}))["ops"][0])


def all_ops() -> set[type[Any]]:
    kinds = [kind for kind in vars(p).values() if isinstance(kind, type)]
    return {kind for kind in kinds if issubclass(kind, p.Op) and kind is not p.Op}


def test_every_op_of_the_protocol_is_on_the_wire_or_is_a_stream() -> None:
    on_the_wire = {*OP_TYPES.values(), *STREAM_TYPES.values()}
    assert all_ops() <= on_the_wire
    assert {kind.__module__ for kind in on_the_wire - all_ops()} <= {"botwire_core.scopes.ops"}
    assert not OP_TYPES.keys() & STREAM_TYPES.keys()
    assert all(op_name(kind) == name for name, kind in (OP_TYPES | STREAM_TYPES).items())  # type: ignore[operator]


@pytest.mark.parametrize("kind", OP_TYPES.values(), ids=OP_TYPES)
@FEW
@given(data=st.data())
def test_every_op_comes_through_exactly(kind: type[Any], data: st.DataObject) -> None:
    op = data.draw(ops(kind))
    found = carried(op)
    assert type(found) is kind
    assert repr(found) == repr(op)  # == takes 1 for 1.0 and for true
    assert found == op
    assert parse(dump(op_to_json(op))) == op_to_json(op)


@pytest.mark.parametrize("kind", STREAM_TYPES.values(), ids=STREAM_TYPES)
@FEW
@given(data=st.data())
def test_every_stream_comes_through_without_what_it_is_handed(kind: type[Any], data: st.DataObject) -> None:
    op = data.draw(ops(kind))
    members = json.loads(json.dumps(stream_to_json(op)))
    assert stream_from_json(members, None) == op
    assert members["op"] == op_name(kind)


@given(VALUES)
def test_j3_j5_a_value_keeps_its_type_and_every_bit(value: Any) -> None:
    op = p.Set("space", "key", encode(value))
    assert carried(op).payload == op.payload


def test_a_datetime_is_exact_to_the_microsecond() -> None:
    start = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    for microseconds in range(0, 1_000_000, 997):
        op = p.Resolve("space", start + timedelta(microseconds=microseconds))
        assert carried(op) == op


def test_what_has_its_default_is_left_out() -> None:
    assert op_to_json(p.Search("space")) == {"op": "search", "namespace": "space"}
    assert op_to_json(p.Increment("space", "key", 1.0)) == {
        "op": "increment", "namespace": "space", "key": "key", "by": 1.0,
    }  # fmt: skip


REFUSED: list[tuple[Any, type[BotWireError], str]] = [
    ([], InvalidValueError, "ops[0]: a list is not a JSON object"),
    (None, InvalidValueError, "ops[0]: None is not"),
    ({}, InvalidValueError, "ops[0].op: missing"),
    ({"op": "nope"}, InvalidValueError, "ops[0].op: 'nope' is unknown"),
    ({"op": []}, InvalidValueError, "ops[0].op: a list is unknown"),
    ({"op": "export_all", "namespace": "space"}, InvalidValueError, "ops[0].op: 'export_all' is unknown"),
    ({"op": "get_row", "namespace": "space", "key": "k"}, InvalidValueError, "ops[0].op: 'get_row' is unknown"),
    ({"op": "get", "key": "k"}, InvalidValueError, "ops[0].namespace: missing"),
    ({"op": "get", "namespace": "space"}, InvalidValueError, "ops[0].key: missing"),
    ({"op": "get", "namespace": "space", "key": 3}, InvalidKeyError, "ops[0].key: 3 is not text"),
    ({"op": "get", "namespace": "space", "key": None}, InvalidKeyError, "ops[0].key: None is not text"),
    ({"op": "get", "namespace": ".tokens", "key": "k"}, InvalidNamespaceError, "ops[0].namespace: '.tokens'"),
    ({"op": "get", "namespace": "a/b", "key": "k"}, InvalidNamespaceError, "ops[0].namespace: 'a/b'"),
    ({"op": "get", "namespace": ["a"], "key": "k"}, InvalidNamespaceError, "ops[0].namespace"),
    ({"op": "fork", "namespace": "space", "name": ".tokens"}, InvalidNamespaceError, "ops[0].name: '.tokens'"),
    ({"op": "merge", "namespace": "space", "other": ".quotas"}, InvalidNamespaceError, "ops[0].other"),
    ({"op": "compare", "namespace": "space", "other": ".quotas"}, InvalidNamespaceError, "ops[0].other"),
    ({"op": "merge", "namespace": "s", "other": "o", "strategy": "mine"}, InvalidValueError, "ops[0].strategy"),
    ({**HERE, "ttl": "1"}, InvalidValueError, "ops[0].ttl: '1' is not a number"),
    ({**HERE, "ttl": True}, InvalidValueError, "ops[0].ttl: True is not a number"),
    ({**HERE, "if_version": 1.0}, InvalidValueError, "ops[0].if_version: 1.0 is not an integer"),
    ({**HERE, "if_version": True}, InvalidValueError, "ops[0].if_version"),
    ({**HERE, "author": 1}, InvalidValueError, "ops[0].author: 1 is not text"),
    ({**HERE, "tll": 1}, InvalidValueError, "ops[0]: the member 'tll' is unknown"),
    ({**HERE, "payload": 1}, InvalidValueError, "ops[0]: the member 'payload' is unknown"),
    ({**HERE, "encoding": "utf-8"}, InvalidValueError, "ops[0].encoding: 'utf-8' is unknown"),
    ({**HERE, "encoding": "base64"}, InvalidValueError, "ops[0].encoding"),
    ({**HERE, "value": "a", "encoding": "base64"}, InvalidValueError, "ops[0].value: not base64"),
    ({"op": "set", "namespace": "space", "key": "k"}, InvalidValueError, "ops[0].value: missing"),
    ({"op": "get_many", "namespace": "s", "keys": "k"}, InvalidValueError, "ops[0].keys: 'k' is not a list"),
    ({"op": "get_many", "namespace": "s", "keys": ["k", 1]}, InvalidKeyError, "ops[0].keys[1]: 1 is not text"),
    ({"op": "append", "namespace": "s", "log": "l", "values": [1]}, InvalidValueError, "ops[0].values[0]: 1 is not"),
    ({"op": "append", "namespace": "s", "log": "l", "values": [{"value": 1}, {}]}, InvalidValueError,
     "ops[0].values[1].value: missing"),
    ({"op": "set_many", "namespace": "s", "items": [{"value": 1}]}, InvalidValueError, "ops[0].items[0].key: missing"),
    ({"op": "transact", "namespace": "s", "steps": [{**HERE, "ttl": []}]}, InvalidValueError, "ops[0].steps[0].ttl"),
    ({"op": "transact", "namespace": "s", "steps": [HERE, {"op": "get"}]}, InvalidValueError, "ops[0].steps[1].op"),
    ({"op": "search", "namespace": "s", "where": []}, InvalidValueError, "ops[0].where: a list is not"),
    ({"op": "list_entries", "namespace": "s", "reverse": 1}, InvalidValueError, "ops[0].reverse: 1 is neither"),
    ({"op": "resolve", "namespace": "s", "moment": 1.5}, InvalidValueError, "ops[0].moment: 1.5 is neither"),
    ({"op": "resolve", "namespace": "s", "moment": True}, InvalidValueError, "ops[0].moment: True is neither"),
    ({"op": "resolve", "namespace": "s", "moment_time": "now"}, InvalidValueError, "ops[0].moment_time"),
    ({"op": "resolve", "namespace": "s", "moment_time": 1e300}, InvalidValueError, "ops[0].moment_time"),
    ({"op": "resolve", "namespace": "s", "moment_time": -1}, InvalidValueError, "ops[0].moment_time"),
    ({"op": "resolve", "namespace": "s", "moment": 1, "moment_time": 1}, InvalidValueError, "ops[0].moment_time"),
    ({"op": "set_retention", "namespace": "s", "retention": {"versions": 0}}, InvalidValueError,
     "ops[0].retention: versions: 0"),
    ({"op": "set_retention", "namespace": "s", "retention": {"version": 1}}, InvalidValueError,
     "ops[0].retention: the member"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "kind", "message"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_is_no_op_is_refused_with_its_place(members: Any, kind: type[BotWireError], message: str) -> None:
    with pytest.raises(kind) as caught:
        op_from_json(members, "ops[0]")
    assert type(caught.value) is kind
    assert caught.value.message.startswith(message)


@given(JSON)
def test_any_other_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValueError):
        op_from_json(value, "ops[0]")


@pytest.mark.parametrize("kind", OP_TYPES.values(), ids=OP_TYPES)
@FEW
@given(data=st.data())
def test_an_op_with_one_member_changed_is_an_op_or_refused(kind: type[Any], data: st.DataObject) -> None:
    members = op_to_json(data.draw(ops(kind)))
    members[data.draw(st.sampled_from([*members, "more"]))] = data.draw(JSON)
    try:
        op = op_from_json(members, "ops[0]")
    except (InvalidValueError, InvalidKeyError, InvalidNamespaceError) as error:
        assert error.message.startswith("ops[0]")
    else:
        assert carried(op) == op


def test_a_message_never_shows_more_than_a_little_of_what_was_sent() -> None:
    for members in ({**HERE, "ttl": "x" * 10_000}, {**HERE, "if_version": "9" * 9999}, {"op": "y" * 10_000}):
        with pytest.raises(InvalidValueError) as caught:
            op_from_json(members)
        assert len(caught.value.message) < 120


@pytest.mark.parametrize("op", [GetRow("space", "key"), p.ExportAll("space", print)])
def test_what_is_no_op_for_clients_is_not_written(op: p.Op[Any]) -> None:
    with pytest.raises(UnsupportedError, match="does not go over the wire"):
        op_to_json(op)
    with pytest.raises(UnsupportedError, match="does not go over the wire"):
        stream_to_json(p.Get("space", "key"))


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        (p.Get("space", "\ud800"), InvalidKeyError),
        (p.GetMany("space", ("fine", "\ud800")), InvalidKeyError),
        (p.ListKeys("space", "\ud800"), InvalidKeyError),
        (p.Purge("space", "\ud800"), InvalidKeyError),
        (p.Append("space", "\ud800", ()), InvalidKeyError),
        (p.Get("\ud800", "key"), InvalidNamespaceError),
        (p.Fork("space", "\ud800"), InvalidNamespaceError),
        (p.Snapshot("space", "\ud800"), InvalidValueError),
        (p.Set("space", "key", encode(1), ttl=float("nan")), InvalidValueError),
        (p.Set("space", "key", encode(1), ttl=float("inf")), InvalidValueError),
        (p.Increment("space", "key", float("-inf")), InvalidValueError),
        (p.Search("space", where={"a": {"$gt": float("nan")}}), InvalidValueError),
        (p.Search("space", where={"a": "\ud800"}), InvalidValueError),
        (p.Search("space", where={"a": object()}), InvalidValueError),
        (p.Resolve("space", datetime(2026, 1, 1)), InvalidValueError),
    ],
)
def test_j7_k4_what_json_cannot_carry_is_the_error_of_an_embedded_store(op: Any, kind: type[BotWireError]) -> None:
    with pytest.raises(kind) as caught:
        dump(op_to_json(op))
    assert type(caught.value) is kind


def test_conditions_of_a_search_may_hold_tuples_and_sets() -> None:
    op = p.Search("space", where={"a": {"$in": (1, 2)}, "b": {"$in": {3}}})
    assert carried(op).where == {"a": {"$in": [1, 2]}, "b": {"$in": [3]}}


KEYS = [
    "é", "e\u0301", "\ufb01", "fi", "A", "a", "\u212a", "/", "//", "%2F", "%252F", "?", "#", "+", " ", "\n",
    "\r\n", "😀", ".", "..", "../../etc/passwd", "%", "_", "*", "[", "\\", "'; DROP TABLE entries; --", '"no_such_col"',
    "__proto__", "con", "k" * 1024, "b/c", "\u2028", "\x7f", "\x1f",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_k1_k2_k3_k7_k11_a_key_comes_through_untouched(key: str) -> None:
    for op in (
        p.Get("space", key),
        p.ListKeys("space", key, key),
        p.GetMany("space", (key, "x")),
        p.Purge("space", key),
    ):
        assert carried(op) == op
        assert op_from_json(parse(json.dumps(op_to_json(op)).encode())) == op


def test_k4_k5_nul_and_the_length_of_a_key_are_judged_by_the_store() -> None:
    for key in ("\0", "", "k" * 1025):
        assert carried(p.Get("space", key)) == p.Get("space", key)


@pytest.mark.parametrize(
    "name", ["", "a/b", ".", ".a", "a b", "a" * 244, "é", "a\0", "a\n", "%", "a?b", "\u212a"], ids=ascii
)
def test_k6_a_name_that_names_no_namespace_is_refused(name: str) -> None:
    with pytest.raises(InvalidNamespaceError):
        op_from_json({"op": "get", "namespace": name, "key": "k"})


@pytest.mark.parametrize("name", ["a", "A", "a.b", "con", "__proto__", "a" * 243, "a@b~c", "-", "+1:2"])
def test_k6_a_name_of_the_grammar_is_kept_as_it_is(name: str) -> None:
    assert carried(p.Get(name, "k")).namespace == name


@pytest.mark.parametrize("limit", ["1e3", "10.0", "true", '"5"', "[]"])
def test_k9_a_limit_that_is_no_integer_is_refused(limit: str) -> None:
    members = parse(b'{"op":"list_keys","namespace":"s","limit":%b}' % limit.encode())
    with pytest.raises(InvalidValueError, match="limit"):
        op_from_json(members)


def test_k9_a_limit_beyond_everything_is_read_exactly() -> None:
    assert carried(p.ListKeys("space", limit=10**20)) == p.ListKeys("space", limit=10**20)


def test_k12_a_slash_belongs_to_the_key_alone() -> None:
    assert carried(p.Get("a", "b/c")) == p.Get("a", "b/c")
    with pytest.raises(InvalidNamespaceError):
        op_from_json({"op": "get", "namespace": "a/b", "key": "c"})


def test_j9_a_value_of_full_depth_is_carried_and_a_deeper_one_is_refused() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    op = p.Transact("space", (p.Append("space", "log", (encode(value),)),))
    assert carried(op) == op
    with pytest.raises(InvalidValueError, match="levels deep"):
        op_from_json(parse(dump({**HERE, "value": [value]})))


def test_j16_a_value_of_exactly_the_limit_is_carried_and_one_byte_more_is_too_large() -> None:
    text = "é" * ((MAX_VALUE_BYTES - 2) // 2)
    op = p.Set("space", "key", encode(text))
    assert len(op.payload.data) == MAX_VALUE_BYTES
    assert carried(op) == op
    for value in (text + "x", [text]):
        with pytest.raises(TooLargeError):
            op_from_json(parse(dump({**HERE, "value": value})))


@given(VALUES)
def test_j17_what_an_embedded_store_accepts_the_wire_accepts_and_the_other_way_round(value: Any) -> None:
    members = op_to_json(p.Set("space", "key", encode(value)))
    assert op_from_json(parse(json.dumps(members).encode())).payload == encode(value)  # type: ignore[attr-defined]
