"""Limits over the wire: rows T8 and T11, the plans, and what a client is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from botwire_core.errors import InvalidValueError
from botwire_core.service import Usage
from botwire_core.stores.dict import DictStore
from botwire_core.testing import ManualClock
from botwire_server.config import ServerConfig
from botwire_server.plans import PLANS, Plan, plan_of, rate_limit_headers
from botwire_server.testing import served

DAY = 86_400.0
NOON = 1_800_000_000.0 - 1_800_000_000.0 % DAY + DAY / 2


@pytest.mark.parametrize(
    ("name", "limits", "expected"),
    [
        ("none", {}, Plan()),
        ("free", {}, Plan(1_000, 50_000_000, 100, 1_048_576)),
        ("free", {"writes_per_day": 5}, Plan(5, 50_000_000, 100, 1_048_576)),
        ("free", {"writes_per_day": 0, "forks": 0}, Plan(None, 50_000_000, None, 1_048_576)),
        ("free", {"writes_per_day": None}, PLANS["free"]),
        ("none", {"bytes": 10, "value_bytes": 3}, Plan(None, 10, None, 3)),
        ("free", {"value_bytes": 0}, Plan(1_000, 50_000_000, 100, 16_777_216)),
        ("free", {"value_bytes": 10**12}, Plan(1_000, 50_000_000, 100, 16_777_216)),
    ],
)
def test_a_plan_is_changed_one_limit_at_a_time(name: str, limits: dict[str, Any], expected: Plan) -> None:
    assert plan_of(name, **limits) == expected


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("gold", {}),
        ("free", {"writes": 1}),
        ("none", {"bytes": -1}),
        ("none", {"forks": True}),
        ("none", {"bytes": 1.5}),
    ],
)
def test_a_plan_or_limit_that_makes_no_sense_is_refused(name: str, limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        plan_of(name, **limits)


def test_a_plan_without_limits_asks_nothing_of_the_store() -> None:
    assert plan_of().quota() is None
    assert plan_of(value_bytes=5).quota() is None
    quota = plan_of("free").quota()
    assert quota is not None
    assert (quota.writes_per_day, quota.bytes, quota.forks) == (1_000, 50_000_000, 100)


@pytest.mark.parametrize(
    ("used", "resets_in", "expected"),
    [(0, 86_400.0, ["1000", "1000", "86400"]), (999, 0.25, ["1000", "1", "1"]), (2_000, 12.0, ["1000", "0", "12"])],
)
def test_the_headers_tell_what_there_is_what_is_left_and_until_when(
    used: int, resets_in: float, expected: list[str]
) -> None:
    headers = rate_limit_headers(PLANS["free"], Usage("a", used, resets_in))
    assert [name for name, _ in headers] == [b"ratelimit-limit", b"ratelimit-remaining", b"ratelimit-reset"]
    assert [value.decode() for _, value in headers] == expected
    assert rate_limit_headers(Plan(), Usage("a", used, resets_in)) == []
    assert rate_limit_headers(PLANS["free"], None) == []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def client(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[httpx.Client]:
    """A server with the limits that the test names."""
    with (
        served(DictStore(clock=clock), ServerConfig(plan=request.param)) as url,
        httpx.Client(base_url=url, timeout=20) as one,
    ):
        yield one


def put(client: httpx.Client, path: str, value: Any, **headers: str) -> httpx.Response:
    return client.put(f"/memory/{path}", json={"value": value}, headers=headers)


def one(client: httpx.Client, kind: str, namespace: str, /, **fields: Any) -> httpx.Response:
    return client.post("/v1/ops", json={"ops": [{"op": kind, "namespace": namespace, **fields}]})


@pytest.mark.parametrize("client", [plan_of("none", writes_per_day=5)], indirect=True)
def test_t8_over_the_writes_of_a_day_it_is_429_until_midnight_and_reads_and_deletes_go_on(
    client: httpx.Client, clock: ManualClock
) -> None:
    for number in range(5):
        reply = put(client, f"a/{number}", number)
        assert reply.status_code == 200
        assert reply.headers["ratelimit-limit"] == "5"
        assert reply.headers["ratelimit-remaining"] == str(4 - number)
        assert reply.headers["ratelimit-reset"] == "43200"
    reply = put(client, "a/6", 6)
    assert reply.status_code == 429
    assert reply.json()["code"] == "quota_exceeded"
    assert 43_199 <= int(reply.headers["retry-after"]) <= 43_201
    assert client.get("/memory/a/1").json()["value"] == 1
    assert client.delete("/memory/a/1").status_code == 200
    assert put(client, "b/1", 1).status_code == 200, "another namespace"
    clock.advance(DAY / 2)
    reply = put(client, "a/6", 6)
    assert reply.status_code == 200
    assert reply.headers["ratelimit-remaining"] == "4"


@pytest.mark.parametrize("client", [plan_of("none", writes_per_day=5)], indirect=True)
def test_t8_a_write_is_an_entry_and_a_fork_counts_against_its_root(client: httpx.Client) -> None:
    assert one(client, "append", "a", log="log", values=[{"value": n} for n in range(3)]).status_code == 200
    assert one(client, "fork", "a", name="b").status_code == 200
    assert put(client, "b/k", 1).headers["ratelimit-remaining"] == "1"
    assert put(client, "a/k", 1).headers["ratelimit-remaining"] == "0"
    assert put(client, "b/k", 1).status_code == 429


@pytest.mark.parametrize("client", [plan_of("none", writes_per_day=5)], indirect=True)
def test_t13_a_write_that_fails_or_is_sent_again_counts_no_further(client: httpx.Client) -> None:
    assert put(client, "a/k", 1, **{"idempotency-key": "one"}).headers["ratelimit-remaining"] == "4"
    for _ in range(5):
        reply = put(client, "a/k", 1, **{"idempotency-key": "one"})
        assert reply.headers["idempotency-replayed"] == "true"
        assert put(client, "a/k", 1, **{"if-match": '"99"'}).status_code == 412
    assert put(client, "a/k", 2).headers["ratelimit-remaining"] == "3"


@pytest.mark.parametrize("client", [plan_of("none", bytes=1_000)], indirect=True)
def test_t11_over_the_bytes_it_is_507_and_smaller_values_and_deletes_are_allowed(client: httpx.Client) -> None:
    assert put(client, "a/one", "x" * 598).status_code == 200
    assert put(client, "a/two", "x" * 598).status_code == 507
    assert client.get("/memory/a/two").status_code == 404
    assert put(client, "a/one", "x" * 398).status_code == 200
    assert client.delete("/memory/a/one").status_code == 200
    assert put(client, "a/two", "x" * 598).status_code == 200
    assert client.get("/memory/a").status_code == 200


@pytest.mark.parametrize("client", [plan_of("none", forks=2)], indirect=True)
def test_more_forks_than_the_plan_has_are_429_until_one_is_dropped(client: httpx.Client) -> None:
    put(client, "a/k", 1)
    assert one(client, "fork", "a", name="b").status_code == 200
    assert one(client, "fork", "b", name="c").status_code == 200
    reply = one(client, "fork", "a", name="d")
    assert reply.status_code == 429
    assert reply.json()["code"] == "quota_exceeded"
    assert one(client, "drop", "c").status_code == 200
    assert one(client, "fork", "a", name="d").status_code == 200


@pytest.mark.parametrize("client", [plan_of("free", value_bytes=1_000)], indirect=True)
def test_a_value_over_the_limit_is_413_however_it_comes(client: httpx.Client) -> None:
    small, large = "x" * 998, "x" * 999  # and two quotes
    assert put(client, "a/k", small).status_code == 200
    lines = {"content-type": "application/x-ndjson"}
    record = b'{"key":"k","value":"%s"}\n'
    for reply in (
        put(client, "a/k", large),
        one(client, "set", "a", key="k", value=large),
        one(client, "set_many", "a", items=[{"key": "a", "value": 1}, {"key": "b", "value": large}]),
        one(client, "append", "a", log="log", values=[{"value": large}]),
        one(client, "transact", "a", steps=[{"op": "set", "namespace": "a", "key": "k", "value": large}]),
        client.post("/v1/import", params={"namespace": "a"}, content=record % large.encode(), headers=lines),
    ):
        assert reply.status_code == 413, reply.text
        assert reply.json()["code"] == "too_large"
    assert client.get("/memory/a").json()["count"] == 1
    reply = client.post("/v1/import", params={"namespace": "a"}, content=record % small.encode(), headers=lines)
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize("client", [plan_of()], indirect=True)
def test_without_a_plan_nothing_is_limited_and_no_header_says_so(client: httpx.Client) -> None:
    reply = put(client, "a/k", "x" * 1_100_000)
    assert reply.status_code == 200
    assert not [name for name in reply.headers if name.startswith("ratelimit")]
