"""Tokens over the wire: rows A1, A2, A4, A8, A10 and A12, on the server that users run."""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.granting import give
from server.raw import exchange, request

from botwire_core.errors import ForbiddenError
from botwire_core.memory import Memory
from botwire_core.service import RevokeToken
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_core.tokens import digest_of, new_token
from botwire_core.wire.schema import openapi
from botwire_server.access import Access
from botwire_server.app import _HANDLERS
from botwire_server.config import ServerConfig
from botwire_server.service import Service
from botwire_server.site import OPEN_PATHS, make_site
from botwire_server.testing import served

BODY = {"ops": [{"op": "get", "namespace": "a", "key": "k"}]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "memory.db", durability="normal")
    yield opened
    opened.close()


def client(url: str, secret: str | None = None) -> httpx.Client:
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    return httpx.Client(base_url=url, headers=headers, timeout=20)


def op(one: httpx.Client, kind: str, namespace: str, /, **fields: Any) -> httpx.Response:
    return one.post("/v1/ops", json={"ops": [{"op": kind, "namespace": namespace, **fields}]})


ROUTES = sorted(
    {
        (method.upper(), path.replace("{namespace}", "a").replace("{key}", "k"))
        for path, methods in openapi()["paths"].items()
        for method in methods
        if method != "parameters"
    }
)

UNKNOWN = [
    ("GET", "/nothing"),
    ("PATCH", "/memory/a/k"),
    ("OPTIONS", "/v1/ops"),
    ("GET", "/"),
    ("GET", "/docs/style.css"),
]


def test_a1_the_walk_knows_every_route(store: SqliteStore) -> None:
    walked = {path for _, path in ROUTES}
    assert {path.decode() for path in _HANDLERS} <= walked
    config = ServerConfig()
    site = {route.path for route in make_site(Service(store, config, Access(store, config))).routes}  # type: ignore[attr-defined]
    assert {path for path in site if not path.startswith("/docs/")} <= walked
    assert {"/memory/a/k", "/memory/a", "/healthz"} <= walked


@pytest.mark.parametrize("kind", ["none", "nonsense", "unknown", "expired", "revoked"])
def test_a1_every_route_without_or_with_a_bad_token_is_401_and_only_health_is_open(kind: str) -> None:
    store = DictStore(clock=ManualClock(1_700_000_000.0))  # long ago: a token of then has expired by now
    good, _ = give(store, "*:all,admin")
    revoked, token = give(store, "*:all,admin")
    store.run(RevokeToken(token.id))
    bad = {
        "none": None,
        "nonsense": "nonsense",
        "unknown": new_token(),
        "expired": give(store, "*:all,admin", ttl=1)[0],
        "revoked": revoked,
    }
    assert {b"/healthz"} == OPEN_PATHS
    with served(store) as url:
        with client(url, bad[kind]) as one:
            for method, path in [*ROUTES, *UNKNOWN]:
                reply = one.request(method, path, json=None if method == "GET" else BODY)
                if path == "/healthz":
                    assert reply.status_code == 200
                    continue
                assert reply.status_code == 401, (method, path)
                assert reply.json()["code"] == "unauthorized"
                assert reply.headers["www-authenticate"].startswith("Bearer")
        with client(url, good) as one:
            assert one.get("/memory/a/k").status_code == 404
            assert one.get("/metrics").status_code == 200
            assert one.get("/nothing").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        ("Authorization: Bearer {good}", "Authorization: Bearer {good}"),
        ("Authorization: Bearer {good}", "Authorization: Bearer {other}"),
        ("Authorization:",),
        ("Authorization: Bearer",),
        ("Authorization: Bearer é{good}",),
        ("Authorization: Bearer " + "x" * 20_000,),
        ("Cookie: token={good}",),
        ("X-Api-Key: {good}",),
    ],
    ids=lambda headers: headers[0][:24],
)
@pytest.mark.parametrize("target", ["/memory/a/k", "/memory/a/k?token={good}", "/memory/a/k?access_token={good}"])
def test_a4_over_the_wire_it_is_401_and_no_500(store: SqliteStore, headers: tuple[str, ...], target: str) -> None:
    good, _ = give(store, "a:all")
    other, _ = give(store, "a:all")
    with served(store) as url:
        lines = [line.format(good=good, other=other) for line in headers]
        answer = exchange(url, request("GET", target.format(good=good), *lines))
    assert answer.status == 401
    assert good.encode() not in answer.body


def test_a4_a_token_of_ten_megabytes_is_refused_unread(store: SqliteStore) -> None:
    give(store, "a:all")
    with served(store) as url:
        answer = exchange(url, request("GET", "/memory/a/k", "Authorization: Bearer " + "x" * 10_000_000))
        assert answer.status in (0, 401, 431)
        with client(url) as one:
            assert one.get("/healthz").status_code == 200


def test_a2_a_foreign_namespace_looks_the_same_whether_or_not_it_is_there(store: SqliteStore) -> None:
    mine, _ = give(store, "mine:all,admin")
    theirs, _ = give(store, "there:all")
    with served(store) as url, client(url, mine) as one, client(url, theirs) as other:
        other.put("/memory/there/secret-key", json={"value": "secret value"})
        for ask in FOREIGN:
            answers = []
            for namespace in ("there", "nowhere"):
                reply = ask(one, namespace)
                assert reply.status_code == 403, reply.text
                assert "secret" not in reply.text
                members = {**reply.json(), "request_id": ""}
                answers.append(json.dumps(members).replace("nowhere", "there"))
            assert answers[0] == answers[1]
        assert [info["name"] for info in op_listing(one)] == []
        assert [info["name"] for info in op_listing(other)] == ["there"]
        assert other.get("/memory/there/secret-key").json()["value"] == "secret value"


def op_listing(one: httpx.Client) -> list[dict[str, Any]]:
    reply = one.post("/v1/ops", json={"ops": [{"op": "list_namespaces"}]})
    found: list[dict[str, Any]] = reply.json()["results"][0]["result"]
    return found


FOREIGN: list[Callable[[httpx.Client, str], httpx.Response]] = [
    lambda one, name: one.get(f"/memory/{name}/secret-key"),
    lambda one, name: one.put(f"/memory/{name}/secret-key", json={"value": 1}),
    lambda one, name: one.put(f"/memory/{name}/secret-key", json={"value": 1}, headers={"if-match": '"1"'}),
    lambda one, name: one.put(f"/memory/{name}/secret-key", json={"value": 1}, headers={"if-match": '"7", "1"'}),
    lambda one, name: one.delete(f"/memory/{name}/secret-key"),
    lambda one, name: one.delete(f"/memory/{name}/secret-key", headers={"if-match": "*"}),
    lambda one, name: one.get(f"/memory/{name}"),
    lambda one, name: op(one, "get", name, key="secret-key"),
    lambda one, name: op(one, "search", name),
    lambda one, name: op(one, "get_stats", name),
    lambda one, name: op(one, "resolve", name),
    lambda one, name: op(one, "drop", name),
    lambda one, name: op(one, "purge", name, target="secret-key"),
    lambda one, name: op(one, "fork", name, name="mine2"),
    lambda one, name: op(one, "fork", "mine", name=name),
    lambda one, name: op(one, "compare", "mine", other=name),
    lambda one, name: op(one, "compare", name, other="mine"),
    lambda one, name: op(one, "merge", "mine", other=name),
    lambda one, name: op(one, "merge", name, other="mine"),
    lambda one, name: op(one, "get_history", name, key="secret-key"),
    lambda one, name: op(one, "list_changes", name),
    lambda one, name: op(one, "list_snapshots", name),
    lambda one, name: op(one, "transact", name, steps=[{"op": "check", "namespace": name, "key": "k", "version": 1}]),
    lambda one, name: one.get("/v1/watch", params={"namespace": name}),
    lambda one, name: one.post("/v1/export", json={"op": "export_all", "namespace": name}),
    lambda one, name: one.post("/v1/export", json={"op": "export_family", "namespace": name}),
    lambda one, name: one.post(
        "/v1/import", params={"namespace": name}, content=b"", headers={"content-type": "application/x-ndjson"}
    ),
    lambda one, name: one.post(
        "/v1/ops",
        json={
            "ops": [
                {"op": "set", "namespace": "mine", "key": "k", "value": 1},
                {"op": "get", "namespace": name, "key": "k"},
            ]
        },
    ),
]


def test_a8_a_token_that_only_reads_changes_nothing(store: SqliteStore) -> None:
    reader, _ = give(store, "a:read,history")
    writer, _ = give(store, "a:read,write")
    with served(store) as url, client(url, reader) as reads, client(url, writer) as writes:
        assert writes.put("/memory/a/k", json={"value": 1}).status_code == 200
        before = reads.get("/memory/a/k").json()
        for reply in (
            reads.put("/memory/a/k", json={"value": 2}),
            reads.delete("/memory/a/k"),
            op(reads, "increment", "a", key="k"),
            op(reads, "drop", "a"),
            op(reads, "snapshot", "a"),
            op(reads, "restore", "a", key="k", version=1),
            op(writes, "drop", "a"),
            op(writes, "delete", "a", key="k"),
            op(writes, "purge", "a", target="k"),
            op(writes, "set_retention", "a", retention={"versions": 1, "deleted_for": 0}),
            writes.get("/metrics"),
        ):
            assert reply.status_code == 403, reply.text
        assert reads.get("/memory/a/k").json() == before


def test_the_author_of_an_entry_is_the_id_of_the_token_whatever_the_client_says(store: SqliteStore) -> None:
    secret, token = give(store, "a:read,write")
    with served(store) as url, client(url, secret) as one:
        op(one, "set", "a", key="k", value=1, author="somebody else")
        reply = op(one, "get_entry", "a", key="k")
        assert reply.json()["results"][0]["result"]["author"] == token.id


def test_a10_no_token_is_in_a_log_a_reply_an_error_a_repr_or_the_file(
    store: SqliteStore, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    good, token = give(store, "a:read", label="a label")
    revoked, gone = give(store, "a:read")
    store.run(RevokeToken(gone.id))
    wrong = new_token()
    secrets = (good, revoked, wrong)
    log = io.BytesIO()
    told: list[str] = [repr(token), repr(digest_of), repr(store)]
    with served(store, ServerConfig(log_namespaces=True), log=log) as url:
        for secret in secrets:
            with client(url, secret) as one:
                for path in ("/memory/a/k", "/memory/b/k", "/nothing", "/metrics"):
                    reply = one.get(path)
                    told += [reply.text, str(reply.headers)]
                told.append(op(one, "set", "b", key="k", value=1).text)
            # Not by a client that writes its own log of what it asks for.
            told.append(repr(exchange(url, request("GET", f"/memory/a/k?token={secret}", f"Authorization: {secret}"))))
            memory = Memory("b", url, token=secret)
            told += [repr(memory), repr(memory.store)]
            with pytest.raises(Exception) as caught:
                memory.set("k", 1)
            told += [str(caught.value), repr(caught.value), repr(caught.value.__dict__)]
            memory.close()
    told += [log.getvalue().decode(), *capfd.readouterr(), caplog.text]
    store.close()
    told += [path.read_bytes().decode("latin-1") for path in Path(store.path).parent.glob("memory.db*")]
    assert log.getvalue().count(b"\n") >= 18
    assert token.id in log.getvalue().decode()
    for secret in secrets:
        for text in told:
            assert secret not in text
            assert secret[8:30] not in text


def test_a12_two_tenants_at_once_see_only_what_is_their_own(store: SqliteStore, scale: Callable[[int], int]) -> None:
    secrets = {name: give(store, f"{name}:all", f"{name}.*:all")[0] for name in ("ada", "bob")}
    canaries = {"ada": "canary-of-ada", "bob": "canary-of-bob"}
    failures: list[str] = []
    seen = dict.fromkeys(secrets, 0)
    log = io.BytesIO()

    def live(name: str, other: str) -> None:
        rng = random.Random(name)
        own, foreign = canaries[name], canaries[other]
        with client(url, secrets[name]) as one:
            for turn in range(scale(2500)):
                space = rng.choice([name, f"{name}.sub", f"{name}@v1"])
                ask = rng.choice(DEEDS)
                reply = ask(one, space, f"{own}-{rng.randrange(20)}", f"{own} {turn}")
                if foreign in reply.text or reply.status_code >= 500:
                    failures.append(reply.text)
                if own in reply.text:
                    seen[name] += 1
                if turn % 5 == 0:
                    reply = rng.choice(DEEDS)(one, rng.choice([other, f"{other}.sub", f"{other}@v1"]), "key", "stray")
                    if reply.status_code != 403 or foreign in reply.text:
                        failures.append(reply.text)

    with served(store, log=log) as url:
        for name, secret in secrets.items():
            with client(url, secret) as one:
                one.put(f"/memory/{name}/first", json={"value": 1})
                op(one, "fork", name, name=f"{name}@v1")
        threads = [
            threading.Thread(target=live, args=pair) for pair in (("ada", "bob"), ("bob", "ada"), ("ada", "bob"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, other in (("ada", "bob"), ("bob", "ada")):
            with client(url, secrets[name]) as one:
                spaces = [info["name"] for info in op_listing(one)]
                assert spaces, "the tenant sees its own"
                assert not [space for space in spaces if space.startswith(other)]
                for space in spaces:
                    text = one.post("/v1/export", json={"op": "export_all", "namespace": space}).text
                    assert canaries[other] not in text
                    assert "stray" not in text
    assert not failures, failures[:3]
    assert min(seen.values()) > 10, "nobody saw anything"
    assert b"canary" not in log.getvalue()


DEEDS: list[Callable[[httpx.Client, str, str, str], httpx.Response]] = [
    lambda one, space, key, value: one.put(f"/memory/{space}/{key}", json={"value": value}),
    lambda one, space, key, value: one.get(f"/memory/{space}/{key}"),
    lambda one, space, key, value: one.get(f"/memory/{space}"),
    lambda one, space, key, value: one.delete(f"/memory/{space}/{key}"),
    lambda one, space, key, value: op(one, "append", space, log="log", values=[{"value": value}]),
    lambda one, space, key, value: op(one, "read_log", space, log="log", last=5),
    lambda one, space, key, value: op(one, "search", space, words="canary"),
    lambda one, space, key, value: op(one, "get_history", space, key=key),
    lambda one, space, key, value: op(one, "list_changes", space, since=0, limit=20),
    lambda one, space, key, value: op(one, "set", space, key=key, value=value),
]


def test_a_plain_namespace_named_like_a_fork_is_not_made_without_a_right_to_it(store: SqliteStore) -> None:
    secret, _ = give(store, "a:all")
    with served(store) as url, client(url, secret) as one:
        assert one.put("/memory/a@mine/k", json={"value": 1}).status_code == 403
        assert one.put("/memory/a/k", json={"value": 1}).status_code == 200
        assert op(one, "fork", "a", name="a@mine").status_code == 200
        assert one.put("/memory/a@mine/k", json={"value": 2}).status_code == 200


def test_an_error_of_the_client_library_is_the_class_that_the_store_would_raise(store: SqliteStore) -> None:
    secret, _ = give(store, "a:read")
    with served(store) as url:
        memory = Memory("a", url, token=secret)
        assert memory.get("k") is None
        with pytest.raises(ForbiddenError, match="does not grant write on 'a'"):
            memory.set("k", 1)
        memory.close()


def test_a_token_that_may_read_but_not_the_past_exports_what_stands(store: SqliteStore, tmp_path: Path) -> None:
    Memory("a", store=store).set_many({f"k{number:04}": number for number in range(2500)})
    secret, _ = give(store, "a:read")
    with served(store) as url:
        memory = Memory("a", url, token=secret)
        assert memory.export(tmp_path / "a.jsonl") == 2500
        with pytest.raises(ForbiddenError, match="history"):
            memory.at(1).export(tmp_path / "then.jsonl")
        with pytest.raises(ForbiddenError, match="read"):
            Memory("b", url, token=secret).export(tmp_path / "b.jsonl")
        memory.close()
    assert (tmp_path / "a.jsonl").read_text().count("\n") == 2500
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["a.jsonl"]


@pytest.mark.parametrize("body", [{"value": 1}, {"value": 2}], ids=["the same body", "another body"])
def test_p15_another_token_with_the_same_key_against_repeats_is_another_request(
    store: SqliteStore, body: dict[str, int]
) -> None:
    secrets = [give(store, "a:all")[0] for _ in range(2)]
    replies = []
    with served(store) as url:
        for secret, sent in zip(secrets, ({"value": 1}, body), strict=True):
            headers = {"authorization": f"Bearer {secret}", "idempotency-key": "one-for-both"}
            replies += [httpx.put(f"{url}/memory/a/k", json=sent, headers=headers) for _ in range(2)]
    assert [reply.json()["version"] for reply in replies] == [1, 1, 2, 2]
    assert ["idempotency-replayed" in reply.headers for reply in replies] == [False, True, False, True]


def test_a7_a_stream_on_another_server_ends_within_five_seconds_of_a_revocation(store: SqliteStore) -> None:
    secret, token = give(store, "a:all")
    other = SqliteStore(store.path, durability="normal")
    with served(other) as url, client(url, secret) as one:
        one.put("/memory/a/k", json={"value": 1})
        with one.stream("GET", "/v1/watch", params={"namespace": "a", "since": "0"}) as reply:
            assert reply.status_code == 200
            lines = reply.iter_lines()
            assert any(line == "event: changes" for line in lines)
            store.run(RevokeToken(token.id))
            started = time.monotonic()
            rest = list(lines)
            assert time.monotonic() - started < 5
        assert "event: problem" in rest
        assert "unauthorized" in "".join(rest)
        assert one.get("/memory/a/k").status_code == 401
    other.close()
