"""Keys that survive the web: rows K1 to K6, K8, K11 and K12, in the path and in an op."""

from __future__ import annotations

import json
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server.raw import exchange, request

K1 = ["é", "e\u0301", "\ufb01", "fi", "A", "a", "\u212a", "K", "k", "\u0130", "ß", "SS"]
K2 = ["/", "//", "a/b", "/a", "a/", "%2F", "%252F", "%", "?", "#", "?a=b#c", "+", "a+b", " ", "\n", "\r\n", "\t", "😀",
      "&", ";", ":", "@", "=", "\\", '"', "'", "<b>", "\x7f", "\u2028", "a%00b"]  # fmt: skip
K3 = [".", "..", "../../etc/passwd", "./a", "a/../b", "a/./b", "...", "/../", "%2e%2e", "..%2f"]
K11 = ["'; DROP TABLE versions; --", '" OR 1=1 --', '"no_such_col"', "rowid", "a'b", "__proto__", "constructor"]


def path_of(space: str, key: str) -> str:
    return f"/memory/{space}/{quote(key, safe='')}"


@pytest.mark.parametrize("keys", [K1, K2, K3, K11], ids=["k1", "k2", "k3", "k11"])
def test_k1_k2_k3_k11_each_key_is_a_key_of_its_own(client: httpx.Client, url: str, space: str, keys: list[str]) -> None:
    for key in keys:
        # As bytes on a socket: a client library would "clean" the path of some of these.
        put = request("PUT", path_of(space, key), body=json.dumps({"value": key}).encode())
        assert exchange(url, put).status == 200, key
    for key in keys:
        answer = exchange(url, request("GET", path_of(space, key)))
        assert (answer.json["key"], answer.json["value"]) == (key, key)
        op = {"op": "get", "namespace": space, "key": key}
        assert client.post("/v1/ops", json={"ops": [op]}).json()["results"][0]["result"]["value"] == key
    listed = [entry["key"] for entry in client.get(f"/memory/{space}").json()["keys"]]
    assert listed == sorted(keys, key=str.encode)
    for key in keys:
        assert exchange(url, request("DELETE", path_of(space, key))).status == 200
    assert client.get(f"/memory/{space}").json()["count"] == 0


@pytest.mark.parametrize("key", ["a/b", "a//b", "/", "a/./b", "../a", "."])
def test_k2_k3_a_slash_may_be_written_as_it_is(url: str, space: str, key: str) -> None:
    assert exchange(url, request("PUT", f"/memory/{space}/{key}", body=b'{"value":1}')).status == 200
    assert exchange(url, request("GET", path_of(space, key))).json["key"] == key


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=60))
def test_k1_to_k3_any_key_round_trips(client: httpx.Client, url: str, space: str, key: str) -> None:
    assert exchange(url, request("PUT", path_of(space, key), body=b'{"value":1}')).json["key"] == key
    assert exchange(url, request("GET", path_of(space, key))).json["key"] == key
    assert client.post("/v1/ops", json={"ops": [{"op": "get_entry", "namespace": space, "key": key}]}).json()[
        "results"
    ][0]["result"]["key"] == key  # fmt: skip


@pytest.mark.parametrize(
    "raw", ["%ff", "%c3", "%ed%a0%80", "a%00b", "%00", "%", "%4", "%zz", "%u0041", "%f8%88%80%80%80"]
)
def test_k4_what_is_not_utf8_is_refused_and_never_replaced(
    client: httpx.Client, url: str, space: str, raw: str
) -> None:
    for method, body in (("PUT", b'{"value":1}'), ("GET", None), ("DELETE", None)):
        answer = exchange(url, request(method, f"/memory/{space}/{raw}", body=body))
        assert (answer.status, answer.json["code"]) == (422, "invalid_key")
    assert client.get(f"/memory/{space}").json()["count"] == 0


@pytest.mark.parametrize("key", ["a\0b", "\ud800", "", 5, None, ["a"]])
def test_k4_an_op_with_such_a_key_is_refused_too(client: httpx.Client, space: str, key: object) -> None:

    body = json.dumps({"ops": [{"op": "set", "namespace": space, "key": key, "value": 1}]})
    reply = client.post("/v1/ops", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 422
    assert reply.json()["code"] in ("invalid_key", "invalid_value")


@pytest.mark.parametrize(
    ("key", "status"), [("", 422), ("k" * 1024, 200), ("k" * 1025, 422), ("é" * 512, 200), ("é" * 513, 422)]
)
def test_k5_a_key_has_from_1_to_1024_bytes(url: str, space: str, key: str, status: int) -> None:
    answer = exchange(url, request("PUT", path_of(space, key), body=b'{"value":1}'))
    assert answer.status == status
    if status == 422:
        assert answer.json["code"] == "invalid_key"


@pytest.mark.parametrize(
    ("name", "status"),
    [("con", 404), ("__proto__", 404), ("Upper.Case", 404), ("a" * 243, 404), ("a:b@c~d+e", 404), ("a%3Ab", 404),
     ("a" * 244, 422), (".hidden", 422), (".tokens", 422), ("a%2Fb", 422), ("", 422), ("%20", 422), ("é", 422),
     ("%C3%A9", 422), ("a%00", 422), ("%ff", 422), ("a*", 422), ("%2e%2e", 422)],
)  # fmt: skip
def test_k6_a_namespace_has_a_grammar(url: str, name: str, status: int) -> None:
    raw = request("GET", f"/memory/{quote(name, safe='%:@~+*')}/key")
    answer = exchange(url, raw)
    assert answer.status == status
    if status == 422:
        assert answer.json["code"] == "invalid_namespace"


def test_k6_upper_and_lower_case_are_two_namespaces(client: httpx.Client, space: str) -> None:
    client.put(f"/memory/{space}-X/key", json={"value": 1})
    assert client.get(f"/memory/{space}-x/key").status_code == 404


def test_k8_the_order_is_that_of_bytes(client: httpx.Client, url: str, space: str) -> None:
    keys = ["a", "B", "é", "z", "Z", "~", "\uffff", "\U00010000", "10", "9", "_", "-"]
    for key in keys:
        assert exchange(url, request("PUT", path_of(space, key), body=b'{"value":1}')).status == 200
    listed = [entry["key"] for entry in client.get(f"/memory/{space}").json()["keys"]]
    assert listed == sorted(keys, key=str.encode)


def test_k12_a_slash_never_moves_from_the_namespace_to_the_key(client: httpx.Client, url: str, space: str) -> None:
    assert exchange(url, request("PUT", f"/memory/{space}/b%2Fc", body=b'{"value":1}')).status == 200
    assert exchange(url, request("GET", f"/memory/{space}%2Fb/c")).status == 422
    assert exchange(url, request("GET", f"/memory/{space}/b/c")).json["key"] == "b/c"
    assert client.get(f"/memory/{space}").json()["count"] == 1
