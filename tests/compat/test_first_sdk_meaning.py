"""Which text that is put by HTTP was a list or an object to SDK 0.2.1, and which is text to everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from botwire_server.first_sdk import value_meant

SDK = {b"user-agent": b"python-httpx/0.28.1", b"content-type": b"application/json"}


def meant(text: Any, headers: dict[bytes, bytes] = SDK, **more: Any) -> Any:
    return value_meant(headers, {"value": text, **more}, text)


@pytest.mark.parametrize("value", [[], {}, ["tea"], {"a": {"b": [1, 2.5, None, True]}}, {"é": "ü\n"}, [10**30]])
def test_what_json_dumps_made_of_a_list_or_an_object_is_that(value: Any) -> None:
    assert meant(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        *("5", "true", "null", '"quoted"', "plain", "", "[not JSON", '{"a":1}', "[1,2]", "[1, 2] ", '{"é": 1}'),
        *('{"a": NaN}', '{"a": 1, "a": 1}', "[" * 200 + "]" * 200, "[" * 100_000),
    ],
    ids=lambda text: text[:12],
)
def test_all_other_text_stays_text(text: str) -> None:
    assert meant(text) == text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"user-agent": b"curl/8.5.0"},
        {b"user-agent": b"botwire/0.3.0 python-httpx/0.28.1"},
        {**SDK, b"idempotency-key": b"0123456789abcdef"},
    ],
)
def test_what_comes_from_another_client_stays_text(headers: dict[bytes, bytes]) -> None:
    assert meant("[1, 2]", headers) == "[1, 2]"


def test_what_is_put_with_more_than_a_value_stays_text() -> None:
    assert meant("[1, 2]", ttl=60) == "[1, 2]"


@pytest.mark.parametrize("value", [None, 5, ["[1, 2]"], {"a": "[1, 2]"}, b"[1, 2]"])
def test_what_is_no_text_stays_what_it_is(value: Any) -> None:
    assert meant(value) == value
