"""Our client on a server that speaks only what the first service spoke: what works, and what says that it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any

import pytest
from compat.first_service import FirstService

from botwire_core.errors import (
    CommitUnknownError,
    InvalidKeyError,
    InvalidNamespaceError,
    StoreUnavailableError,
    TooLargeError,
    UnsupportedError,
)
from botwire_core.memory import Memory
from botwire_core.protocol import Transact
from botwire_core.results import Retention
from botwire_core.stores.http.store import HttpStore


@pytest.fixture
def store(service: FirstService) -> Iterator[HttpStore]:
    with closing(HttpStore(service.url)) as opened:
        yield opened


@pytest.fixture
def memory(store: HttpStore) -> Memory:
    return Memory("my-agent", store=store)


VALUES = [
    "text", "", "5", "true", "null", "[1, 2]", '{"a": 1}', "[not JSON", '"quoted"', "é\n🌍", 5, -1.5, 1.0, 10**30, True,
    False, None, [], {}, ["tea", 1, 1.0, None, {"é": [True]}], b"", b"\x00\xff",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_a_value_comes_back_with_its_type(memory: Memory, value: Any) -> None:
    memory.set("k", value)
    found = memory.get("k", "absent")
    assert (found, type(found)) == (value, type(value))
    assert repr(found) == repr(value)


def test_what_can_be_done_with_four_routes_can_be_done(memory: Memory) -> None:
    assert memory.get("a") is None
    assert memory.set("a", 1) == 0
    memory.set("b.c_D-9", {"x": 1})
    assert "a" in memory
    assert "z" not in memory
    assert memory.get_many(["b.c_D-9", "z", "a"]) == {"b.c_D-9": {"x": 1}, "a": 1}
    assert memory.list_keys() == ["a", "b.c_D-9"]
    assert memory.keys("b") == ["b.c_D-9"]
    assert memory.list_keys(after="a", limit=5) == ["b.c_D-9"]
    assert memory.list_keys(limit=1) == ["a"]
    assert memory.delete("a") is True
    assert memory.delete("a") is False
    assert memory.exists("a") is False


async def test_it_is_the_same_in_the_other_colour(memory: Memory) -> None:
    assert await memory.aget("a") is None
    await memory.aset("a", 1)
    assert await memory.aget("a") == 1
    assert await memory.aget_many(["a", "b"]) == {"a": 1}
    assert await memory.alist_keys() == ["a"]
    assert await memory.adelete("a") is True
    with pytest.raises(UnsupportedError):
        await memory.aincrement("n")
    await memory.store.aclose()


def test_what_kind_of_server_it_is_is_asked_once(service: FirstService, memory: Memory) -> None:
    memory.set("a", 1)
    asked = len([path for _, path in service.requests if path.startswith("/v1")])
    assert asked == 1
    for _ in range(5):
        assert memory.get("a") == 1
    assert asyncio.run(memory.aget("a")) == 1
    assert len([path for _, path in service.requests if path.startswith("/v1")]) == 1
    assert service.requests[-6:] == [("GET", "/memory/my-agent/a")] * 6


async def test_those_who_come_first_together_all_learn_it(service: FirstService, memory: Memory) -> None:
    service.put("my-agent", "a", "x")
    assert await asyncio.gather(*(memory.aget("a") for _ in range(20))) == ["x"] * 20
    await memory.store.aclose()


def test_so_it_is_with_threads(service: FirstService, memory: Memory) -> None:
    service.put("my-agent", "a", "x")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(memory.get, ["a"] * 16)) == ["x"] * 16


def test_a_memory_is_opened_as_the_first_sdk_opened_one(service: FirstService, monkeypatch: pytest.MonkeyPatch) -> None:
    with Memory("my-agent", service.url + "/", 5.0) as memory:
        memory.set("a", ["tea"])
    with Memory("my-agent", base_url=service.url, timeout=5) as memory:
        assert memory.get("a") == ["tea"]
    monkeypatch.setenv("BOTWIRE_URL", service.url)
    with Memory("my-agent") as memory:
        assert memory.get("a") == ["tea"]
    assert service.text("my-agent", "a") == '["tea"]'


def test_a_list_of_names_alone_is_understood_too(service: FirstService, memory: Memory) -> None:
    service.lists_objects = False
    memory.set("b", 1)
    memory.set("a", 1)
    assert memory.list_keys() == ["a", "b"]


def test_a_write_whose_answer_is_lost_is_not_sent_again(service: FirstService, memory: Memory) -> None:
    memory.set("a", 1)
    service.drops_answers = True
    before = len(service.requests)
    for write in (lambda: memory.set("a", 2), lambda: memory.delete("a")):
        with pytest.raises(CommitUnknownError, match="may or may not have been done"):
            write()
    assert [method for method, _ in service.requests[before:]] == ["PUT", "DELETE"]
    with pytest.raises(StoreUnavailableError):
        memory.get("a")
    assert [method for method, _ in service.requests[before + 2 :]] == ["GET"] * 3


ABSENT: dict[str, Callable[[Memory], Any]] = {
    "ttl": lambda memory: memory.set("k", 1, ttl=5),
    "if_version": lambda memory: memory.set("k", 1, if_version=0),
    "if_version ": lambda memory: memory.delete("k", if_version=1),
    "set_many": lambda memory: memory.set_many({"a": 1, "b": 2}),
    "delete_many": lambda memory: memory.delete_many(["a", "b"]),
    "entry": lambda memory: memory.entry("k"),
    "entries": lambda memory: list(memory.entries()),
    "append": lambda memory: memory.append("log", 1),
    "increment": lambda memory: memory.increment("n"),
    "expire": lambda memory: memory.expire("k", 5),
    "ttl ": lambda memory: memory.ttl("k"),
    "clear": lambda memory: memory.clear(),
    "clear ": lambda memory: memory.clear("user"),
    "drop": lambda memory: memory.drop(),
    "search": lambda memory: memory.search(words="tea"),
    "transactions": lambda memory: memory.store.run(Transact("my-agent", ())),
    "forks": lambda memory: memory.fork("other"),
    "snapshots": lambda memory: memory.snapshot("label"),
    "snapshots ": lambda memory: memory.snapshots(),
    "snapshots  ": lambda memory: memory.delete_snapshot("label"),
    "past": lambda memory: memory.at(3).get("k"),
    "past ": lambda memory: memory.at(datetime.now(UTC)),
    "history": lambda memory: memory.history("k"),
    "restore": lambda memory: memory.restore("k", 1),
    "diff": lambda memory: memory.diff(Memory("other", store=memory.store)),
    "merge": lambda memory: memory.merge(Memory("other", store=memory.store)),
    "purge": lambda memory: memory.purge("k"),
    "stats": lambda memory: memory.stats(),
    "watch": lambda memory: next(memory.watch(since=0, timeout=0)),
    "export": lambda memory: memory.export(BytesIO(), full=True),
    "import": lambda memory: memory.import_(BytesIO(b'{"key":"a","value":1}\n')),
    "retention": lambda memory: memory.set_retention(Retention(3)),
    "authors": lambda memory: Memory("my-agent", store=memory.store, author="me").set("k", 1),
}


@pytest.mark.parametrize("feature", ABSENT)
def test_what_is_absent_is_named_with_how_to_get_it(service: FirstService, memory: Memory, feature: str) -> None:
    memory.set("k", "kept")
    before = list(service.requests)
    with pytest.raises(UnsupportedError) as raised:
        ABSENT[feature](memory)
    assert "the first BotWire service, which has no" in raised.value.message
    assert feature.strip() in raised.value.message
    assert "botwire serve" in raised.value.hint
    assert service.requests == before
    assert service.kept["my-agent"].keys() == {"k"}


@pytest.mark.parametrize("key", ["a b", "a/b", "user:1", "é", "a%2Fb", "?", "#", "x" * 129, ".", "..", "a\n"])
def test_a_key_that_the_service_cannot_have_is_refused_and_not_encoded(
    service: FirstService, memory: Memory, key: str
) -> None:
    memory.get("a")
    before = list(service.requests)
    for refused in (memory.get, memory.delete, lambda key: memory.set(key, 1), lambda key: memory.get_many([key])):
        with pytest.raises(InvalidKeyError, match="no key of the first BotWire service"):
            refused(key)
    assert service.requests == before
    assert service.kept == {}


@pytest.mark.parametrize("namespace", ["a.b", "a:b", "a@b", "x" * 65, "~a"])
def test_a_namespace_that_the_service_cannot_have_is_refused(
    service: FirstService, store: HttpStore, namespace: str
) -> None:
    memory = Memory(namespace, store=store)
    for refused in (lambda: memory.get("a"), lambda: memory.set("a", 1), memory.list_keys):
        with pytest.raises(InvalidNamespaceError, match="no namespace of the first BotWire service"):
            refused()
    assert service.kept == {}


@pytest.mark.parametrize("key", ["a", "x" * 128, "A-Z_0.9", "...", "-"])
def test_every_key_that_the_service_can_have_is_a_key(memory: Memory, key: str) -> None:
    memory.set(key, key)
    assert memory.get(key) == key
    assert memory.list_keys() == [key]


def test_999_keys_are_listed_and_of_1000_none_is_left_out_in_silence(service: FirstService, memory: Memory) -> None:
    for number in range(999):
        service.put("my-agent", f"k{number}", "x")
    assert len(memory.list_keys()) == 999
    service.put("my-agent", "k999", "x")
    with pytest.raises(UnsupportedError, match="lists the newest 1,000 keys") as raised:
        memory.list_keys()
    assert "--keys" in raised.value.hint
    assert memory.get("k0") == "x"


def test_a_value_over_the_limit_is_too_large(memory: Memory) -> None:
    memory.set("k", "x" * 100_000)
    with pytest.raises(TooLargeError, match="100 KB"):
        memory.set("k", "x" * 110_000)
    assert memory.get("k") == "x" * 100_000


def test_a_log_is_empty_there_and_nothing_is_under_its_name(service: FirstService, memory: Memory) -> None:
    assert memory.read("log") == []
    assert memory.clear("log/") == 0


class Stranger(BaseHTTPRequestHandler):
    """A web server that has nothing to do with memory, and says "not found" as most do."""

    status = 404

    def do_GET(self) -> None:
        body = b"<html>not here</html>"
        self.send_response(self.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Keep quiet."""


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_of_something_else_is_not_taken_for_the_first_service(status: int) -> None:
    handler = type("Handler", (Stranger,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with closing(HttpStore(f"http://127.0.0.1:{server.server_port}")) as store:
            memory = Memory("my-agent", store=store)
            for ask in (lambda: memory.get("a"), lambda: memory.set("a", 1), lambda: memory.delete("a")):
                with pytest.raises(StoreUnavailableError, match="no BotWire server"):
                    ask()
        server.shutdown()
        thread.join()


def test_a_server_without_the_method_is_taken_for_what_it_is(service: FirstService, memory: Memory) -> None:
    """Some servers answer 501 where they know no POST at all."""
    service.knows_post = False
    memory.set("a", 5)
    assert memory.get("a") == 5
