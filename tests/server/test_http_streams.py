"""`POST /v1/export` and `/v1/import`: whole namespaces as lines, from one moment, all or none."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from botwire_core.codec import encode
from botwire_core.exchange import record_to_line
from botwire_core.protocol import ExportAll, Fork, GetHistory, Set, SetMany
from botwire_core.results import Record
from botwire_core.stores.sqlite import SqliteStore

LINES = {"content-type": "application/x-ndjson"}


def export(client: httpx.Client, op: str, space: str, **more: Any) -> httpx.Response:
    return client.post("/v1/export", json={"op": op, "namespace": space, **more})


def bring(client: httpx.Client, space: str, content: bytes, **more: Any) -> httpx.Response:
    headers = {**LINES, **more.pop("headers", {})}
    return client.post("/v1/import", params={"namespace": space, **more}, content=content, headers=headers)


def test_an_export_is_what_the_store_exports_and_ends_with_its_count(
    store: SqliteStore, client: httpx.Client, space: str
) -> None:
    values = [("é/1", {"b": 1, "a": [10**30]}), ("bytes", b"\x00\xff"), ("a", None)]
    store.run(SetMany(space, tuple((key, encode(value)) for key, value in values)))
    records: list[Record] = []
    store.run(ExportAll(space, records.extend))
    reply = export(client, "export_all", space)
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert reply.content == b"".join(map(record_to_line, records)) + b'{"count":3}\n'


def test_an_export_may_look_at_the_past(store: SqliteStore, client: httpx.Client, space: str) -> None:
    for value in (1, 2):
        store.run(Set(space, "key", encode(value)))
    assert json.loads(export(client, "export_all", space, at=1).content.splitlines()[0])["value"] == 1


def test_a_namespace_that_is_not_there_has_no_records(client: httpx.Client, space: str) -> None:
    assert export(client, "export_all", space).content == b'{"count":0}\n'


def test_a_large_export_comes_whole(store: SqliteStore, client: httpx.Client, space: str) -> None:
    store.run(SetMany(space, tuple((f"{n:05}", encode("x" * 1000)) for n in range(5000))))
    lines = export(client, "export_all", space).content.splitlines()
    assert (len(lines), lines[-1]) == (5001, b'{"count":5000}')


def test_what_was_exported_can_be_imported_elsewhere(store: SqliteStore, client: httpx.Client, space: str) -> None:
    store.run(SetMany(space, tuple((f"{n}", encode([n])) for n in range(100))))
    lines = export(client, "export_all", space).content.rpartition(b'{"count"')[0]
    assert bring(client, f"{space}-copy", lines).json() == {"count": 100}
    assert export(client, "export_all", f"{space}-copy").content == export(client, "export_all", space).content


def test_a_family_travels_with_its_past_and_its_forks(store: SqliteStore, client: httpx.Client, space: str) -> None:
    for value in (1, 2, 3):
        store.run(Set(space, "key", encode(value)))
    store.run(Fork(space, f"{space}-fork"))
    lines = export(client, "export_family", space).content.rpartition(b'{"count"')[0]
    for name in (space, f"{space}-fork"):
        client.post("/v1/ops", json={"ops": [{"op": "drop", "namespace": name}]})
    reply = bring(client, f"{space}-2", lines, op="import_family")
    assert (reply.status_code, reply.json()) == (200, {"count": 3})
    assert [entry.value for entry in store.run(GetHistory(f"{space}-2", "key"))] == [3, 2, 1]


def test_an_import_that_comes_again_is_done_once(client: httpx.Client, space: str) -> None:
    again = {"headers": {"Idempotency-Key": "import"}}
    lines = b'{"key":"a","value":1}\n'
    first, second = (bring(client, space, lines, **again) for _ in range(2))
    assert first.json() == second.json() == {"count": 1}
    assert second.headers["idempotency-replayed"] == "true"
    assert client.get(f"/memory/{space}/a").json()["version"] == 1
    assert bring(client, space, lines + lines, **again).json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (b'{"key":"a","value":1}\n{"key":"b"}\n', "line 2"),
        (b'{"key":"a","value":1}\nnot json\n', "line 2"),
        (b'{"key":"a","value":1}\n\n{"key":"a","value":2}\n', "line 3"),
        (b'{"key":"a","value":NaN}\n', "line 1"),
        (b'{"key":"","value":1}\n', "line 1"),
        (b"\xef\xbb\xbf{}\n", "line 1"),
    ],
    ids=repr,
)
def test_a_line_that_is_wrong_undoes_all_and_is_named(
    client: httpx.Client, space: str, lines: bytes, place: str
) -> None:
    reply = bring(client, space, lines)
    assert reply.status_code == 422
    assert reply.json()["detail"].startswith(place)
    assert client.get(f"/memory/{space}").json()["count"] == 0


@pytest.mark.parametrize(
    "body",
    [{"op": "import", "namespace": "a"}, {"op": "get", "namespace": "a", "key": "k"}, {"op": "export_all"},
     {"op": "export_all", "namespace": "a/b"}, {"op": "export_all", "namespace": "a", "write": 1}, {}],
    ids=str,
)  # fmt: skip
def test_what_is_no_export_is_refused(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/v1/export", json=body).status_code == 422


@pytest.mark.parametrize(
    "parameters",
    [{"op": "export_all"}, {"op": "set"}, {"namespace": ".tokens"}, {"namespace": ""}, {"x": "y"}],
    ids=str,
)
def test_what_is_no_import_is_refused(client: httpx.Client, space: str, parameters: dict[str, str]) -> None:
    assert bring(client, parameters.pop("namespace", space), b"", **parameters).status_code == 422


def test_an_import_is_lines_and_says_so(client: httpx.Client, space: str) -> None:
    reply = client.post(f"/v1/import?namespace={space}", json={"key": "a", "value": 1})
    assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")


def test_records_are_no_family(client: httpx.Client, space: str) -> None:
    reply = bring(client, space, b'{"key":"a","value":1}\n', op="import_family")
    assert (reply.status_code, reply.json()["detail"][:6]) == (422, "line 1")
