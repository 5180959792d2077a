"""JSON text at the door of the server: exact, strict, and quick; rows J of what must be survived."""

from __future__ import annotations

import json
import math
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.strategies import JSON, TEXTS

from botwire_core.codec import encode
from botwire_core.diff import same_value
from botwire_core.errors import InvalidValueError, MalformedJsonError
from botwire_core.wire.problems import status_of
from botwire_core.wire.text import MAX_TEXT_DEPTH, dump, parse


def refused(data: bytes, status: int, message: str | None = None) -> None:
    with pytest.raises(InvalidValueError, match=message) as caught:
        parse(data)
    assert status_of(caught.value) == status
    assert isinstance(caught.value, MalformedJsonError) == (status == 400)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("around", ['{"value": %s}', "[1,%s]", "%s"])
def test_j1_nan_and_infinities_are_refused(text: str, around: str) -> None:
    refused((around % text).encode(), 422, "is not JSON")


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1E+309", "1" + "0" * 400 + ".0"])
@pytest.mark.parametrize("around", ['{"value":%s}', "[null,%s,10000000000000000000000]", "%s"])
def test_j2_numbers_beyond_all_floats_are_refused(text: str, around: str) -> None:
    refused((around % text).encode(), 422, "beyond all floats")


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64 - 1, 2**64, 10**40, 10**4299, -(10**40), -(2**63) - 1])
@pytest.mark.parametrize("around", ['{"value":%d}', '{ "value": [%d, 0.5, null] }', "%d"])
def test_j3_integers_of_any_size_are_exact(number: int, around: str) -> None:
    text = (around % number).encode()
    assert parse(text) == json.loads(text)
    assert str(number) in dump(parse(text)).decode()


@pytest.mark.parametrize("digits", [4301, 5000, 200_000])
def test_j4_an_integer_of_more_digits_than_python_reads_is_refused(digits: int) -> None:
    refused(b'{"value":' + b"7" * digits + b"}", 422)


@pytest.mark.parametrize("text", ["-0.0", "0.1", "1.0", "1", "1e16", "1e22", "5e-324", "1.7976931348623157e308", "0"])
def test_j5_numbers_keep_their_type_and_every_bit(text: str) -> None:
    for around in ("%s", "[%s]", '{ "n" : %s }'):
        data = (around % text).encode()
        assert same_value(parse(data), json.loads(data))
        assert same_value(parse(dump(parse(data))), json.loads(data))
    assert math.copysign(1, parse(b"-0.0")) == -1


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":{"c":1,"c":2}}',
        b'[{"a":1,"\\u0061":2}]',
        b'{"":null,"":null}',
        b'{"n":%d,"a":1,"a":2}' % 10**40,
    ],
)
def test_j6_a_member_twice_is_refused(data: bytes) -> None:
    refused(data, 422, "comes twice")


@pytest.mark.parametrize("data", [b'"\\ud800"', b'["a\\udc80"]', b'{"\\udfff":1}', b'{"k":"\\ude00\\ud83d"}'])
def test_j7_half_a_surrogate_pair_is_refused_in_both_directions(data: bytes) -> None:
    refused(data, 422, "surrogate pair")
    refused(data[:-1] + b" " + data[-1:] if data[-1:] != b'"' else data, 422, "surrogate pair")
    with pytest.raises(InvalidValueError, match="surrogate pair"):
        dump(json.loads(data))
    with pytest.raises(InvalidValueError, match="surrogate pair"):
        dump([json.loads(data), 10**40])


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ufeff", "\u2028", "😀", "\x7f", "\x1f"])
def test_j8_nul_and_control_characters_come_through(text: str) -> None:
    assert parse(json.dumps({text: text}).encode()) == {text: text}
    assert parse(dump({text: text})) == {text: text}


@pytest.mark.parametrize("depth", [MAX_TEXT_DEPTH + 1, 1000, 1025, 5_000, 100_000])
@pytest.mark.parametrize(("open_", "close"), [(b"[", b"]"), (b'{"a":', b"}"), (b"[ ", b"]")])
def test_j9_deep_nesting_is_refused_at_once(depth: int, open_: bytes, close: bytes) -> None:
    data = open_ * depth + b"1" + close * depth
    took = []
    for _ in range(3):
        started = time.thread_time()
        refused(data, 422, "nested")
        took.append(time.thread_time() - started)
    assert min(took) < 0.05


@pytest.mark.parametrize("around", ["[%s]", "[ %s ]"])
def test_j9_what_is_around_a_value_of_full_depth_is_read(around: str) -> None:
    text = "1"
    for _ in range(MAX_TEXT_DEPTH):
        text = around % text
    assert dump(parse(text.encode())) == text.replace(" ", "").encode()


MEGABYTE = {
    "pairs": b"[" + b"[1,1]," * 170_000 + b"[1,1]]",
    "ones": b"[[" + b"1," * 500_000 + b"1]]",
    "unclosed": b"[[" + b"1," * 500_000,
    "spaced": b"[" + b"[1, 1], " * 130_000 + b"1]",
    "members": ("{" + ",".join(f'"{i}":1' for i in range(100_000)) + "}").encode(),
    "one twice": ("{" + ",".join(f'"{i}":1' for i in range(100_000)) + ', "99999":2}').encode(),
    "wide": b"[" + b"10000000000000000000000," * 45_000 + b"1]",
    "open": b"[" * 1_000_000,
}


@pytest.mark.parametrize("data", MEGABYTE.values(), ids=MEGABYTE)
def test_j11_a_hostile_megabyte_takes_less_than_a_second(data: bytes) -> None:
    took = []
    for _ in range(2):
        started = time.thread_time()
        try:
            parse(data)
        except InvalidValueError:
            pass
        took.append(time.thread_time() - started)
    assert min(took) < 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":"\xff"}',
        b'"\xed\xa0\x80"',
        b'"\xc0\xaf"',
        b'{"a":1} {"b":2}',
        b'{"a":1}x',
        b'{"a":1,}',
        b"[1,]",
        b"// c\n{}",
        b'{"a":1 /* c */}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":0x10}',
        b'{"a":1',
        b'"a\nb"',
        b'"\\x41"',
        b"nul",
        b"True",
        b"\0",
        b"{}\0",
        b"[1]]",
    ],
)
def test_j13_what_is_no_json_is_malformed(data: bytes) -> None:
    refused(data, 400)
    with pytest.raises(MalformedJsonError):
        parse(b"[" + data + b"]" if data.strip() else data)


@given(JSON)
def test_j17_every_value_comes_through_compact_spaced_and_escaped(value: object) -> None:
    for text in (dump(value), json.dumps(value).encode(), json.dumps(value, indent=1, ensure_ascii=False).encode()):
        assert same_value(parse(text), value)
    assert dump(value) == encode(value).data


@given(st.binary(max_size=40) | TEXTS.map(str.encode) | JSON.map(lambda value: json.dumps(value).encode()[:-1]))
def test_whatever_is_accepted_is_what_the_standard_parser_reads(data: bytes) -> None:
    try:
        value = parse(data)
    except InvalidValueError:
        return
    assert same_value(value, json.loads(data))
    assert same_value(parse(dump(value)), value)


def test_what_our_client_writes_never_needs_the_strict_parser() -> None:
    text = dump({"ops": [{"op": "set", "namespace": "n", "key": "ключ", "value": {"a": [1.5, None, "é"]}}]})
    called: list[str] = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        parse(text)
    finally:
        sys.setprofile(None)
    assert called == ["parse"]
