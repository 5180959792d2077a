"""`POST /v1/ops`: one op or many, all or none, once or again."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botwire_core.protocol import Export, ListEntries, ListKeys, Op, Set
from botwire_core.service import Serve
from botwire_core.stores.http import HttpStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.testing import served


def post(client: httpx.Client, *ops: dict[str, Any], key: str | None = None, **more: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/ops", json={"ops": list(ops), **more}, headers=headers)


def op(name: str, space: str, **members: Any) -> dict[str, Any]:
    return {"op": name, "namespace": space, **members}


def test_results_come_in_the_order_of_the_ops(client: httpx.Client, space: str) -> None:
    reply = post(
        client,
        op("set", space, key="a", value=[1]),
        op("append", space, log="chat", values=[{"value": "hi"}, {"value": "AA==", "encoding": "base64"}]),
        op("increment", space, key="n", by=2),
        op("get", space, key="a"),
        op("get", space, key="none"),
        op("list_keys", space),
    )
    assert reply.status_code == 200
    row = "chat/" + "0" * 18
    assert [one["result"] for one in reply.json()["results"]] == [
        1, [f"{row}0", f"{row}1"], 2, {"value": [1]}, {"missing": True}, ["a", f"{row}0", f"{row}1", "n"],
    ]  # fmt: skip


def test_one_op_fails_as_the_request(client: httpx.Client, space: str) -> None:
    reply = post(client, op("set", space, key="a", value=1, if_version=3))
    assert reply.status_code == 412
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.json()["code"], reply.json()["key"], reply.json()["version"]) == ("conflict", "a", 0)
    assert "index" not in reply.json()


def test_of_many_each_fails_for_itself(client: httpx.Client, space: str) -> None:
    reply = post(
        client,
        op("set", space, key="a", value=1),
        op("set", space, key="a", value=2, if_version=9),
        op("get", space, key=""),
        op("get", space, key="a"),
    )
    assert reply.status_code == 200
    done, conflict, invalid, got = reply.json()["results"]
    assert (done, got) == ({"result": 1}, {"result": {"value": 1}})
    assert (conflict["error"]["code"], conflict["error"]["status"]) == ("conflict", 412)
    assert (invalid["error"]["code"], invalid["error"]["index"]) == ("invalid_key", 2)


def test_all_or_none_is_undone_by_the_first_that_fails(client: httpx.Client, space: str) -> None:
    reply = post(
        client,
        op("set", space, key="a", value=1),
        op("set", f"{space}-2", key="b", value=2),
        op("set", space, key="a", value=3, if_version=9),
        atomic=True,
    )
    assert (reply.status_code, reply.json()["index"]) == (412, 2)
    assert client.get(f"/memory/{space}").json()["count"] == client.get(f"/memory/{space}-2").json()["count"] == 0
    assert post(client, op("set", space, key="a", value=1), op("get", space, key="a"), atomic=True).json() == {
        "results": [{"result": 1}, {"result": {"value": 1}}]
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ops": []},
        {"ops": {}},
        {"ops": [5]},
        {"ops": [{}]},
        {"ops": [{"op": "nothing"}]},
        {"ops": [{"op": "get", "namespace": "a"}]},
        {"ops": [{"op": "get", "namespace": "a", "key": "k", "extra": 1}]},
        {"ops": [{"op": "export_all", "namespace": "a"}]},
        {"ops": [{"op": "serve", "requests": []}]},
        {"ops": [{"op": "get_row", "namespace": "a", "key": "k"}]},
        {"ops": [{"op": "find_token", "digest": "x"}]},
        {"ops": [{"op": "get", "namespace": ".tokens", "key": "k"}]},
        {"ops": [{"op": "check", "namespace": "a", "key": "k", "version": 0}]},
        {"ops": [{"op": "get", "namespace": "a", "key": "k"}], "atomic": "yes"},
        {"ops": [{"op": "get", "namespace": "a", "key": "k"}], "more": 1},
        [],
    ],
    ids=str,
)
def test_what_is_no_list_of_ops_is_refused(client: httpx.Client, body: Any) -> None:
    reply = client.post("/v1/ops", json=body)
    assert reply.status_code == 422, reply.text
    assert reply.json()["detail"]


def test_more_ops_than_a_request_may_have_are_refused(client: httpx.Client, space: str) -> None:
    assert post(client, *[op("get", space, key="a")] * 1001).status_code == 413
    assert post(client, *[op("get", space, key="a")] * 1000).status_code == 200


def test_a_list_without_a_limit_is_a_page_and_says_that_there_is_more(client: httpx.Client, space: str) -> None:
    keys = [f"k{number:04}" for number in range(1500)]
    post(client, op("set_many", space, items=[{"key": key, "value": 1} for key in keys]))
    for kind in ("list_keys", "list_entries", "export"):
        for wanted in ({"limit": 1400}, {} if kind == "export" else {"limit": None}):
            (told,) = post(client, op(kind, space, **wanted)).json()["results"]
            assert len(told["result"]) == 1000
            assert told.get("more", False) is (wanted != {})
    both = post(client, op("list_keys", space, after="k0999"), op("list_keys", space, limit=1000))
    whole, page = both.json()["results"]
    assert whole == {"result": keys[1000:]}
    assert page == {"result": keys[:1000]}


def test_a_store_over_http_asks_on_where_the_server_cut_a_list(url: str, client: httpx.Client, space: str) -> None:
    keys = [f"k{number:04}" for number in range(2100)]
    post(client, op("set_many", space, items=[{"key": key, "value": 1} for key in keys]))
    store = HttpStore(url)
    for _ in range(2):  # before the server is known, and after
        assert store.run(ListKeys(space)) == keys
        assert store.run(ListKeys(space, limit=2050)) == keys[:2050]
        assert [entry.key for entry in store.run(ListEntries(space, reverse=True))] == keys[::-1]
        assert [record.key for record in store.run(Export(space, limit=5000))] == keys
    store.close()


class TestOnce:
    def test_p12_a_request_that_comes_again_is_done_once(self, client: httpx.Client, space: str) -> None:
        first = post(client, op("increment", space, key="n"), key="one")
        again = post(client, op("increment", space, key="n"), key="one")
        assert first.json() == again.json() == {"results": [{"result": 1}]}
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"

    def test_p12_a_put_that_comes_again_is_done_once(self, client: httpx.Client, space: str) -> None:
        sent = {"json": {"value": 1}, "headers": {"Idempotency-Key": "put"}}
        first, again = (client.put(f"/memory/{space}/key", **sent) for _ in range(2))  # type: ignore[arg-type]
        assert first.json() == again.json()
        assert again.json()["version"] == 1
        assert again.headers["idempotency-replayed"] == "true"

    def test_p12_a_repeated_put_tells_the_times_of_its_own_version(self, client: httpx.Client, space: str) -> None:
        sent = {"json": {"value": 1}, "headers": {"Idempotency-Key": "put"}}
        first = client.put(f"/memory/{space}/key", **sent)  # type: ignore[arg-type]
        client.put(f"/memory/{space}/key", json={"value": 2})
        assert client.put(f"/memory/{space}/key", **sent).json() == first.json()  # type: ignore[arg-type]

    def test_p12_a_repeated_delete_is_told_what_the_first_was(self, client: httpx.Client, space: str) -> None:
        client.put(f"/memory/{space}/key", json={"value": 1})
        headers = {"Idempotency-Key": "delete"}
        assert client.delete(f"/memory/{space}/key", headers=headers).status_code == 200
        client.put(f"/memory/{space}/key", json={"value": 2})
        assert client.delete(f"/memory/{space}/key", headers=headers).status_code == 200
        assert client.get(f"/memory/{space}/key").json()["value"] == 2

    def test_p13_the_same_key_for_another_body_is_refused(self, client: httpx.Client, space: str) -> None:
        post(client, op("increment", space, key="n"), key="one")
        other = post(client, op("increment", space, key="n", by=2), key="one")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
        condition = {"Idempotency-Key": "two", "If-None-Match": "*"}
        client.put(f"/memory/{space}/key", json={"value": 1}, headers=condition)
        bare = client.put(f"/memory/{space}/key", json={"value": 1}, headers={"Idempotency-Key": "two"})
        assert bare.json()["code"] == "idempotency_conflict"

    @pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"], ids=ascii)
    def test_a_key_that_is_none_is_refused(self, client: httpx.Client, space: str, key: str) -> None:
        headers = {"Idempotency-Key": key.encode()}
        reply = client.put(f"/memory/{space}/key", json={"value": 1}, headers=headers)  # type: ignore[arg-type]
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_value")

    def test_p14_while_the_first_runs_the_second_is_told_to_wait(self, store: SqliteStore, space: str) -> None:
        slow = Slow(store)
        with served(slow) as url, httpx.Client(base_url=url, timeout=20) as client:
            first: list[httpx.Response] = []
            runs = threading.Thread(target=lambda: first.append(post(client, op("increment", space, key="n"), key="k")))
            runs.start()
            assert slow.entered.wait(10)
            second = post(client, op("increment", space, key="n"), key="k")
            slow.leave.set()
            runs.join()
            assert (second.status_code, second.json()["code"]) == (409, "request_running")
            assert int(second.headers["retry-after"]) >= 1
            assert second.json()["retryable"] is True
            assert first[0].json() == post(client, op("increment", space, key="n"), key="k").json()


class Slow:
    """A store whose first commit waits until it may go on."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.features, self.limits = store.features, store.limits
        self.close, self.aclose = store.close, store.aclose
        self.entered, self.leave = threading.Event(), threading.Event()

    def run(self, op: Op[Any]) -> Any:
        if isinstance(op, Serve):
            self.entered.set()
            assert self.leave.wait(10)
        return self._store.run(op)

    async def arun(self, op: Op[Any]) -> Any:
        import asyncio

        return await asyncio.to_thread(self.run, op)


def test_writes_that_meet_share_a_commit_and_reads_do_not_wait_for_it(store: SqliteStore, space: str) -> None:
    slow = Slow(store)
    with served(slow) as url, httpx.Client(base_url=url, timeout=20) as client:
        threads = [
            threading.Thread(target=lambda n=n: client.put(f"/memory/{space}/{n}", json={"value": n})) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        assert slow.entered.wait(10)
        assert client.get(f"/memory/{space}/0").status_code == 404
        slow.leave.set()
        for thread in threads:
            thread.join()
        text = client.get("/metrics").text
        assert client.get(f"/memory/{space}").json()["count"] == 8
        (commits,) = (float(line.split()[1]) for line in text.splitlines() if "commit_requests_count" in line)
        (requests,) = (float(line.split()[1]) for line in text.splitlines() if "commit_requests_sum" in line)
        assert requests == 8
        assert commits < 8


def test_a_store_without_the_service_feature_is_served_all_the_same(tmp_path: Any, space: str) -> None:
    store = SqliteStore(tmp_path / "plain.db")
    store.features = frozenset({"history"})
    with served(store) as url, httpx.Client(base_url=url) as client:
        assert client.get("/healthz").json()["features"] == ["history"]
        assert client.put(f"/memory/{space}/key", json={"value": 1}).json()["version"] == 1
        assert client.get(f"/memory/{space}/key").json()["value"] == 1
        assert client.get(f"/memory/{space}").json()["keys"][0]["bytes"] == 1
        assert client.delete(f"/memory/{space}/key").status_code == 200
        two = [op("set", space, key="a", value=1), op("get", space, key="a")]
        assert post(client, *two).json()["results"] == [{"result": 1}, {"result": {"value": 1}}]
        assert post(client, *two, atomic=True).status_code == 501
    store.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=json_values, target=st.sampled_from(["/v1/ops", "/v1/export", "/v1/import", "/memory/space/key"]))
def test_h14_no_body_brings_a_5xx(client: httpx.Client, body: Any, target: str) -> None:
    import json

    method = "PUT" if target.startswith("/memory") else "POST"
    for content in (json.dumps(body), json.dumps({"ops": [body], "value": body})):
        reply = client.request(method, target, content=content, headers={"content-type": "application/json"})
        assert reply.status_code in (400, 413, 415, 422)


def test_h10_an_unexpected_error_says_nothing_but_where_to_look(
    store: SqliteStore, space: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "SELECT secret FROM /var/lib/secret"

    class Broken(Slow):
        def run(self, op: Op[Any]) -> Any:
            if isinstance(op, Serve) and isinstance(op.requests[0].ops[0], Set):
                raise RuntimeError(secret)
            return self._store.run(op)

    with served(Broken(store)) as url, httpx.Client(base_url=url) as client:
        reply = client.put(f"/memory/{space}/{secret}", json={"value": secret})
        assert reply.status_code == 500
        assert reply.json()["code"] == "error"
        assert "secret" not in reply.text
        assert "Traceback" not in reply.text
        assert reply.json()["request_id"] == reply.headers["x-request-id"]
        assert client.get("/healthz").status_code == 200
    (record,) = caplog.records
    assert reply.json()["request_id"] in record.getMessage()
    assert "RuntimeError" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert record.exc_info is None
