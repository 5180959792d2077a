"""Whatever is handed in, good or bad, comes to the same: embedded, on PostgreSQL, and over HTTP with either below."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from hostile import HOSTILE_TEXTS
from stress.test_rows_keys import BAD_NAMES, GOOD_NAMES, INJECTIONS, LOOKALIKES, PATHS, SPECIAL

from botwire_core.errors import BotWireError
from botwire_core.memory import Memory
from botwire_core.store import Store
from botwire_core.stores.http import HttpStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_postgres.url import open_url
from botwire_server.config import ServerConfig
from botwire_server.testing import served

Stores = dict[str, Store]

KEYS: list[Any] = [*LOOKALIKES, *SPECIAL, *PATHS, *INJECTIONS, "", "x" * 1024, "x" * 1025, "é" * 513, "a\0b", "\ud800"]
KEYS += ["log/0000000000000000001", None, 1, b"k", ["k"]]
VALUES: list[Any] = [
    *(None, True, 0, -0.0, 1.0, 5e-324, 1.7976931348623157e308, 2**53 + 1, 10**40, -(10**4299), 10**4300),
    *("", "\0", "\ud800", "é", "\U0010ffff", "\x85\u2028", "x" * 100_000),
    *(b"", b"\0\xff", [], {}, {"": 1}, {"a\0": 1}, {"b": 1, "a": 2}, [[[[]]]], {"__proto__": {}}, {"lc": 1}),
    *(
        math.nan,
        math.inf,
        {"deep": math.nan},
        {1: 2},
        {None: 1},
        {"\udfff": 1},
        (1,),
        {1},
        object(),
        1j,
        bytearray(b"x"),
    ),
]
TTLS: list[Any] = [None, 0, -1, 0.0000001, 1e-300, 1e9, 1e300, math.nan, math.inf, True, "5", [], 86400 * 3651]
COUNTS: list[Any] = [None, 0, 1, 3, -1, 1.0, True, "5", 10**20, math.nan, [1]]
BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"\xff\xfe{\x00}\x00",
    b'\xef\xbb\xbf{"value":1}',
    b'{"value":1}x',
    b"{'value':1}",
    b'{"value":1,}',
    b'{"value":1}/* */',
    b'{"value":NaN}',
    b'{"value":1e400}',
    b'{"value":1,"value":2}',
    b'{"value":{"a":1,"a":2}}',
    b'{"value":"\\ud800"}',
    b'{"value":"\\u0000"}',
    b'{"value":"\xed\xa0\x80"}',
    b'{"value":' + b"9" * 5000 + b"}",
    b'{"value":' + b"[" * 129 + b"]" * 129 + b"}",
    b'{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"value":1,"ttl":-1}',
    b'{"value":1,"ttl":true}',
    b'{"value":1,"ttl":1e400}',
    b'{"value":"x","encoding":"base64"}',
    b'{"value":"eA==","encoding":"base64"}',
    b'{"value":"eA==","encoding":"rot13"}',
    b'{"value":-0.0}',
    b'{"value":18446744073709551617}',
    b'{"value":1,"other":2}',
    b"{}",
]
OPS = [
    {"op": "get", "namespace": "n", "key": "k", "at": 99},
    {"op": "list_keys", "namespace": "n", "limit": -1},
    {"op": "list_changes", "namespace": "n", "since": 99},
    {"op": "fork", "namespace": "n", "name": "n"},
    {"op": "fork", "namespace": "n", "name": "a/b"},
    {"op": "merge", "namespace": "n", "other": "absent"},
    {"op": "merge", "namespace": "n", "other": "n", "strategy": "both"},
    {"op": "purge", "namespace": "n", "target": ""},
    {"op": "restore", "namespace": "n", "key": "k", "version": 7},
    {"op": "search", "namespace": "n", "where": {"a": {"$regex": "x"}}},
    {"op": "increment", "namespace": "n", "key": "text"},
    {"op": "increment", "namespace": "n", "key": "k", "by": "1"},
    {"op": "append", "namespace": "n", "log": "", "values": [1]},
    {"op": "no_such_op", "namespace": "n"},
    {"namespace": "n"},
    [],
    None,
]


@pytest.fixture(scope="module")
def urls() -> dict[str, str]:
    """Of the servers, by the names of the stores that are clients of them."""
    return {}


@pytest.fixture(scope="module")
def stores(
    urls: dict[str, str], fresh_schema: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stores]:
    folder = tmp_path_factory.mktemp("stores")
    with ExitStack() as stack:
        quiet = ServerConfig(log_requests=False)
        far = {
            "http+sqlite": SqliteStore(folder / "far.db", durability="normal"),
            "http+postgres": open_url(fresh_schema()),
        }
        opened: Stores = {
            "sqlite": SqliteStore(folder / "here.db", durability="normal"),
            "postgres": open_url(fresh_schema()),
            **{name: HttpStore(urls.setdefault(name, stack.enter_context(served(far[name], quiet)))) for name in far},
        }
        yield opened
        for store in opened.values():
            store.close()
    for store in far.values():
        asyncio.run(store.aclose())


def outcome(call: Callable[[], Any]) -> str:
    """What came of a call, as text: its result, or the class and the code of its error."""
    try:
        return repr(call())
    except BotWireError as error:
        return f"{type(error).__name__} {error.code}"


def alike(stores: Stores, call: Callable[[Memory], Any], name: str = "space") -> str:
    """What a call on a memory comes to, which has to be the same in all stores."""
    told = {kind: outcome(lambda store=store: call(Memory(name, store=store))) for kind, store in stores.items()}  # type: ignore[misc]
    assert set(told.values()) == {told["sqlite"]}, told
    return told["sqlite"]


def test_every_key_is_one_everywhere_or_nowhere(stores: Stores, scale: Callable[[int], int]) -> None:
    def everything(key: Any) -> Callable[[Memory], Any]:
        def call(memory: Memory) -> Any:
            told = [outcome(lambda: memory.set(key, "value")), outcome(lambda: memory.get(key))]
            told += [outcome(lambda: memory.list_keys(key)), outcome(lambda: memory.append(key, 1))]
            told += [outcome(lambda: sorted(one.key for one in memory.search(key))), outcome(lambda: memory.read(key))]
            told += [outcome(lambda: memory.purge(key).keys), outcome(lambda: memory.delete(key))]
            return told

        return call

    for key in [*KEYS, *HOSTILE_TEXTS[:: 200 // scale(200)]]:
        alike(stores, everything(key))


def test_j17_what_is_accepted_anywhere_is_read_everywhere_as_it_was(stores: Stores) -> None:
    accepted = 0
    for value in VALUES:

        def call(memory: Memory, value: Any = value) -> Any:
            memory.drop()
            version = memory.set("key", value)
            read = memory.get("key")
            assert repr(read) == repr(value)
            return version, [entry.value for entry in memory.entries()], memory.append("log", value), memory.read("log")

        accepted += alike(stores, call).startswith("(1,")
    assert 15 < accepted < len(VALUES) - 10


@pytest.mark.parametrize("name", [*GOOD_NAMES, *BAD_NAMES])
def test_k6_a_name_is_one_everywhere_or_nowhere(stores: Stores, name: str) -> None:
    alike(stores, lambda memory: (memory.set("key", 1), memory.list_keys()), name)


def test_t5_k9_numbers_are_taken_everywhere_or_nowhere(stores: Stores) -> None:
    for ttl in TTLS:
        alike(stores, lambda memory, ttl=ttl: (memory.set("ttl", 1, ttl=ttl), memory.expire("ttl", ttl)))  # type: ignore[misc]
    for count in COUNTS:
        alike(stores, lambda memory, count=count: memory.list_keys(limit=count))  # type: ignore[misc]
        alike(stores, lambda memory, count=count: memory.read("log", last=count))  # type: ignore[misc]
        alike(stores, lambda memory, count=count: memory.set("counted", 1, if_version=count))  # type: ignore[misc]
        alike(stores, lambda memory, count=count: memory.at(count).list_keys())  # type: ignore[misc]
        alike(stores, lambda memory, count=count: [entry.version for entry in memory.history("counted", limit=count)])  # type: ignore[misc]
        alike(stores, lambda memory, count=count: memory.increment("counter", count))  # type: ignore[misc]


@pytest.mark.parametrize("body", [*BODIES, *OPS], ids=range(len(BODIES) + len(OPS)))
def test_h14_a_body_comes_to_the_same_over_either_store(stores: Stores, urls: dict[str, str], body: Any) -> None:
    told = []
    for url in urls.values():
        with httpx.Client(base_url=url, timeout=20) as client:
            client.put("/memory/n/text", json={"value": "text"})
            if isinstance(body, bytes):
                head = {"content-type": "application/json"}
                reply = client.put("/memory/n/k", content=body, headers=head)
                there = client.get("/memory/n/k").json().get("value")
            else:
                reply = client.post("/v1/ops", json={"ops": [body]})
                there = None
            assert reply.status_code < 500
            changing = ("request_id", "created_at", "updated_at", "expires_at")
            members = {name: value for name, value in reply.json().items() if name not in changing}
            told.append((reply.status_code, members, there))
    assert repr(told[0]) == repr(told[1])
