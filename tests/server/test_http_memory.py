"""The routes of the first service, with what has come since: versions, conditions, expiry, bytes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from botwire_core.errors import StoreUnavailableError
from botwire_core.protocol import Op
from botwire_core.service import GetRow
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.testing import served


def put(client: httpx.Client, space: str, key: str = "key", value: object = 1, **more: object) -> httpx.Response:
    return client.put(f"/memory/{space}/{key}", json={"value": value}, **more)  # type: ignore[arg-type]


def test_a_value_is_put_and_got_with_all_its_members(client: httpx.Client, space: str) -> None:
    before = time.time()
    reply = client.put(f"/memory/{space}/key", json={"value": {"likes": ["tea", 1, 1.0, None]}, "ttl": 60})
    assert reply.status_code == 200
    members = reply.json()
    assert list(members) == ["namespace", "key", "value", "version", "created_at", "updated_at", "expires_at"]
    assert members["namespace"] == space
    assert members["value"] == {"likes": ["tea", 1, 1.0, None]}
    assert members["version"] == 1
    assert before - 1 < members["created_at"] == members["updated_at"] < time.time() + 1
    assert members["expires_at"] == pytest.approx(members["updated_at"] + 60, abs=0.001)
    assert client.get(f"/memory/{space}/key").json() == members


def test_a_second_put_keeps_when_the_key_came_to_be(client: httpx.Client, space: str) -> None:
    first, second = put(client, space).json(), put(client, space, value=2).json()
    assert second["version"] == 2
    assert second["created_at"] == first["created_at"] <= second["updated_at"]


def test_what_is_not_there_is_a_404_with_a_detail(client: httpx.Client, space: str) -> None:
    for reply in (client.get(f"/memory/{space}/none"), client.delete(f"/memory/{space}/none")):
        assert reply.status_code == 404
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["detail"]
        assert reply.json()["code"] == "not_found"


def test_a_delete_tells_what_it_took_away(client: httpx.Client, space: str) -> None:
    put(client, space)
    assert client.delete(f"/memory/{space}/key").json() == {"namespace": space, "key": "key", "deleted": True}
    assert client.get(f"/memory/{space}/key").status_code == 404


def test_head_has_the_headers_of_get_and_no_body(client: httpx.Client, space: str) -> None:
    put(client, space)
    got, head = client.get(f"/memory/{space}/key"), client.head(f"/memory/{space}/key")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"] == '"1"'
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))


def test_bytes_travel_as_base64(client: httpx.Client, space: str) -> None:
    reply = client.put(f"/memory/{space}/key", json={"value": "AAH/", "encoding": "base64"})
    assert reply.json()["encoding"] == "base64"
    assert client.get(f"/memory/{space}/key").json()["value"] == "AAH/"


def test_integers_of_any_size_come_back_exactly(client: httpx.Client, space: str) -> None:
    put(client, space, value=10**40)
    assert client.get(f"/memory/{space}/key").json()["value"] == 10**40


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"2"'}, 200),
        ({"If-Match": '"1"'}, 412),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"1", "2"'}, 200),
        ({"If-Match": '"1", "3"'}, 412),
        ({"If-Match": 'W/"2"'}, 412),
        ({"If-Match": "2"}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-None-Match": '"2"'}, 422),
        ({"If-Match": '"2"', "If-None-Match": "*"}, 422),
    ],
    ids=str,
)
def test_a_condition_holds_or_nothing_is_written(
    client: httpx.Client, space: str, headers: dict[str, str], status: int
) -> None:
    put(client, space, value="one")
    put(client, space, value="two")
    reply = put(client, space, value="three", headers=headers)
    assert reply.status_code == status
    assert client.get(f"/memory/{space}/key").json()["value"] == ("three" if status == 200 else "two")
    if status == 412:
        assert reply.json()["code"] == "conflict"
        assert reply.json()["version"] == 2


def test_a_condition_on_what_is_not_there(client: httpx.Client, space: str) -> None:
    assert put(client, space, headers={"If-Match": "*"}).status_code == 412
    assert put(client, space, headers={"If-Match": '"1"'}).status_code == 412
    assert put(client, space, headers={"If-None-Match": "*"}).status_code == 200


def test_a_delete_may_have_a_condition(client: httpx.Client, space: str) -> None:
    put(client, space)
    assert client.delete(f"/memory/{space}/key", headers={"If-Match": '"7"'}).status_code == 412
    assert client.delete(f"/memory/{space}/key", headers={"If-Match": '"1"'}).status_code == 200


def test_a_reader_who_has_the_version_is_told_so_and_no_more(client: httpx.Client, space: str) -> None:
    put(client, space)
    reply = client.get(f"/memory/{space}/key", headers={"If-None-Match": '"1"'})
    assert (reply.status_code, reply.content) == (304, b"")
    assert client.get(f"/memory/{space}/key", headers={"If-None-Match": '"2"'}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ttl": 5},
        {"value": 1, "ttl": "5"},
        {"value": 1, "ttl": True},
        {"value": 1, "ttl": 0},
        {"value": 1, "ttl": -1},
        {"value": 1, "ttl": 1e300},
        {"value": 1, "encoding": "base32"},
        {"value": "%", "encoding": "base64"},
        {"value": 1, "encoding": "base64"},
        {"value": 1, "unknown": 2},
        [1],
        None,
    ],
    ids=str,
)
def test_a_body_that_makes_no_sense_is_refused(client: httpx.Client, space: str, body: object) -> None:
    headers = {"content-type": "application/json"}
    reply = client.put(f"/memory/{space}/key", content=json.dumps(body), headers=headers)
    assert reply.status_code == 422
    assert reply.json()["code"] == "invalid_value"
    assert client.get(f"/memory/{space}/key").status_code == 404


class TestListing:
    def test_keys_come_in_byte_order_with_size_and_age(self, client: httpx.Client, space: str) -> None:
        for key in ("b", "a", "é"):
            put(client, space, key, "xyz")
        members = client.get(f"/memory/{space}").json()
        assert (members["namespace"], members["count"], members["next"]) == (space, 3, None)
        assert [entry["key"] for entry in members["keys"]] == ["a", "b", "é"]
        assert {entry["bytes"] for entry in members["keys"]} == {5}
        assert all(abs(entry["updated_at"] - time.time()) < 60 for entry in members["keys"])

    def test_pages_follow_each_other_without_a_gap(self, client: httpx.Client, space: str) -> None:
        keys = [f"key-{number:02}" for number in range(7)]
        for key in keys:
            put(client, space, key)
        found, after = [], ""
        while True:
            page = client.get(f"/memory/{space}", params={"limit": 3, **({"after": after} if after else {})}).json()
            found += [entry["key"] for entry in page["keys"]]
            assert page["count"] == len(page["keys"]) <= 3
            if (after := page["next"]) is None:
                break
        assert found == keys

    def test_a_page_that_just_fits_is_the_last(self, client: httpx.Client, space: str) -> None:
        put(client, space, "a")
        put(client, space, "b")
        assert client.get(f"/memory/{space}", params={"limit": 2}).json()["next"] is None

    def test_a_namespace_that_is_not_there_is_empty(self, client: httpx.Client, space: str) -> None:
        assert client.get(f"/memory/{space}").json() == {"namespace": space, "count": 0, "keys": [], "next": None}

    @pytest.mark.parametrize("prefix", ["%", "_", "*", "[", "\\", ""])
    def test_k7_a_prefix_is_taken_literally(self, client: httpx.Client, space: str, prefix: str) -> None:
        for key in ("plain", "%25", "_x", "*x", "%5Bx", "%5Cx"):
            put(client, space, key)
        found = [entry["key"] for entry in client.get(f"/memory/{space}", params={"prefix": prefix}).json()["keys"]]
        assert len(found) == (6 if prefix == "" else 1)
        assert all(key.startswith(prefix) for key in found)

    @pytest.mark.parametrize(
        "limit", ["-1", "0", "1001", "100000000000000000000", "1e3", "NaN", "", " 5", "+5", "٥", "5.0", "0x5"]
    )
    def test_k9_a_limit_that_is_none_is_refused(self, client: httpx.Client, space: str, limit: str) -> None:
        reply = client.get(f"/memory/{space}", params={"limit": limit})
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_value")

    @pytest.mark.parametrize("query", ["limit=1&limit=2", "page=2", "after=%ff", "after=%00", "&".join(["a=1"] * 40)])
    def test_a_query_that_makes_no_sense_is_refused(self, client: httpx.Client, space: str, query: str) -> None:
        assert client.get(f"/memory/{space}?{query}").status_code == 422

    def test_k9_a_cursor_is_a_key_and_reaches_nothing_else(self, client: httpx.Client, space: str) -> None:
        put(client, f"{space}-other", "m", "secret")
        put(client, space, "z")
        page = client.get(f"/memory/{space}", params={"after": f"{space}-other/m"}).json()
        assert [entry["key"] for entry in page["keys"]] == ["z"]


class Forgetful(SqliteStore):
    """A store that cannot be looked into for a while."""

    fails = False

    def run(self, op: Op[Any]) -> Any:
        if self.fails and isinstance(op, GetRow):
            raise StoreUnavailableError("gone for a moment")
        return super().run(op)


def test_a_write_that_is_done_is_told_though_its_times_cannot_be_looked_up(tmp_path: Path) -> None:
    store = Forgetful(tmp_path / "memory.db", durability="normal")
    with served(store) as url, httpx.Client(base_url=url) as client:
        store.fails = True
        reply = put(client, "space")
        assert (reply.status_code, reply.json()["version"], reply.json()["created_at"]) == (200, 1, None)
        assert client.get("/memory/space/key").status_code == 503
        store.fails = False
        assert client.get("/memory/space/key").json()["value"] == 1
    store.close()
