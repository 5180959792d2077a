"""`BotWireByteStore`: exact bytes, readable JSON, and the same answers as LangChain's own store."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.storage import EncoderBackedStore, create_kv_docstore
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.stores import InMemoryByteStore

from botwire import InvalidKeyError, InvalidValueError, Memory, TooLargeError
from botwire_core.stores.dict import DictStore
from botwire_langchain.store import BotWireByteStore

EXACT = [
    b"", b"\0", b"\xff\xfe", b"text", b"{}", b"[]", b"{", b"[", b" {}", b"{} ", b"[1.0,2,-0.0]", b'{"a":1,"a":2}',
    b'{"a": 1}', b'{"b":1,"a":2}', b"[100000000000000000000000]", b"[18446744073709551615]", b"[1e400]", b"[NaN]",
    b'["\\u00e9"]', '["é"]'.encode(), b'["\\ud800"]', b"[\xff]", b"\xef\xbb\xbf{}", b"[" * 200 + b"]" * 200, b"null",
    b"1", b'"text"', b"true", b"[1E2]", b"[1.10]", b"[]\n", b'{"$ne":1}', b"[" * 100_000,
]  # fmt: skip


@pytest.fixture
def store(memory: Memory) -> BotWireByteStore:
    return BotWireByteStore(memory)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_any_bytes_come_back_exactly(store: BotWireByteStore, colour: str) -> None:
    pairs = [(f"key {number}", data) for number, data in enumerate(EXACT)]
    keys = [key for key, _ in pairs]

    async def there_and_back() -> list[bytes | None]:
        await store.amset(pairs)
        return await store.amget(keys)

    if colour == "async":
        assert asyncio.run(there_and_back()) == EXACT
    else:
        store.mset(pairs)
        assert store.mget(keys) == EXACT


@given(
    value=st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), data=st.data()
)
def test_json_in_any_spelling_comes_back_exactly(value: Any, data: st.DataObject) -> None:
    store = BotWireByteStore(Memory("bytes", store=DictStore()))
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    text = json.dumps({"it": value}, separators=separators, ensure_ascii=data.draw(st.booleans()))
    written = text.encode("utf-8", "surrogatepass")
    store.mset([("key", written)])
    assert store.mget(["key"]) == [written]


def test_a_compact_object_or_array_is_a_value_to_memory(store: BotWireByteStore) -> None:
    store.mset([("object", b'{"likes":["tea"]}'), ("array", b"[1,2]"), ("number", b"1"), ("spaced", b'{"a": 1}')])
    assert store.memory.get("object") == {"likes": ["tea"]}
    assert store.memory.get("array") == [1, 2]
    assert store.memory.get("number") == b"1"
    assert store.memory.get("spaced") == b'{"a": 1}'


def test_what_memory_set_is_read_as_its_json_text(store: BotWireByteStore) -> None:
    store.memory.set_many({"object": {"a": [1, None]}, "text": "tea", "null": None, "bytes": b"\xff"})
    found = store.mget(["object", "text", "null", "bytes", "absent"])
    assert found == [b'{"a":[1,null]}', b'"tea"', b"null", b"\xff", None]


def test_of_a_key_that_comes_twice_the_last_counts(store: BotWireByteStore) -> None:
    store.mset([("a", b"one"), ("a", b"two")])
    assert store.mget(["a", "a"]) == [b"two", b"two"]


def test_keys_come_in_byte_order_and_by_prefix(store: BotWireByteStore) -> None:
    keys = ["b/1", "a", "b", "b/", "\u00e9", "B", "b0", "c%_*?[a]", "x" * 1024]
    store.mset([(key, b"") for key in keys])
    assert list(store.yield_keys()) == sorted(keys, key=str.encode)
    assert list(store.yield_keys(prefix="b/")) == ["b/", "b/1"]
    assert list(store.yield_keys(prefix="c%")) == ["c%_*?[a]"]

    async def collect(prefix: str) -> list[str]:
        return [key async for key in store.ayield_keys(prefix=prefix)]

    assert asyncio.run(collect("b/")) == ["b/", "b/1"]


def test_what_is_no_bytes_is_refused_and_nothing_of_it_is_kept(store: BotWireByteStore) -> None:
    for value in ("text", None, 7, bytearray(b"x"), {"a": 1}):
        with pytest.raises(InvalidValueError, match="'b': a byte store keeps bytes, not"):
            store.mset([("a", b"fine"), ("b", value)])  # type: ignore[list-item]
    with pytest.raises(TooLargeError):
        store.mset([("a", b"fine"), ("b", bytes(16 * 1024 * 1024 + 1))])
    with pytest.raises(InvalidKeyError):
        store.mset([("a", b"fine"), ("", b"")])
    assert list(store.yield_keys()) == []


def test_a_batch_is_one_transaction(store: BotWireByteStore) -> None:
    store.mset([("a", b"1"), ("b", b"2")])
    assert len({entry.revision for entry in store.memory.entries()}) == 1


def test_an_expired_value_is_absent(store: BotWireByteStore, clock: Any) -> None:
    memory = Memory("bytes", store=DictStore(clock=clock))
    memory.set("a", b"x", ttl=60)
    clock.advance(61)
    assert BotWireByteStore(memory).mget(["a"]) == [None]


# --- the same as LangChain's own ----------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "a/b", "a:b", "\u00e9", "e\u0301", "\U0001f600", "%", " "])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mset"), st.lists(st.tuples(KEYS, st.sampled_from(EXACT) | st.binary()), max_size=4)),
        st.tuples(st.just("mdelete"), st.lists(KEYS, max_size=3)),
        st.tuples(st.just("mget"), st.lists(KEYS, max_size=4)),
        st.tuples(st.just("yield_keys"), st.none() | KEYS),
    ),
    max_size=12,
)


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_answers_as_the_store_that_comes_with_langchain(memory: Memory, steps: list[tuple[str, Any]]) -> None:
    memory.clear()
    ours, theirs = BotWireByteStore(memory), InMemoryByteStore()
    for name, argument in steps:
        if name == "yield_keys":
            # The one intended difference for what both accept: ours come in byte order, theirs as they were set.
            expected = sorted(theirs.yield_keys(prefix=argument), key=str.encode)
            assert list(ours.yield_keys(prefix=argument)) == expected
        else:
            assert getattr(ours, name)(argument) == getattr(theirs, name)(argument)


DIFFERENCES: dict[str, tuple[Any, type[Exception]]] = {
    "an empty key is a mistake": (("", b"x"), InvalidKeyError),
    "a key is text": ((7, b"x"), InvalidKeyError),
    "a key has at most 1,024 bytes": (("x" * 1025, b"x"), InvalidKeyError),
    "None could not be told from absence": (("a", None), InvalidValueError),
    "a value is bytes": (("a", "text"), InvalidValueError),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_what_langchains_own_store_takes_and_this_one_refuses(store: BotWireByteStore, difference: str) -> None:
    pair, error = DIFFERENCES[difference]
    InMemoryByteStore().mset([pair])
    with pytest.raises(error):
        store.mset([pair])


# --- what LangChain builds on it ------------------------------------------------------------------------


def test_a_document_store_keeps_documents(store: BotWireByteStore) -> None:
    documents = create_kv_docstore(store)
    documents.mset([("a", Document("tea", metadata={"page": 1, "lc": 1})), ("b", Document("cake", id="b"))])
    assert documents.mget(["b", "absent", "a"]) == [
        Document("cake", id="b"), None, Document("tea", metadata={"page": 1, "lc": 1})
    ]  # fmt: skip


class Lengths(Embeddings):
    """Embeddings that are told apart by their length, and that remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked += texts
        return [[float(len(text)), 0.1] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def test_embeddings_are_computed_once(store: BotWireByteStore) -> None:
    inner = Lengths()
    cached = CacheBackedEmbeddings.from_bytes_store(inner, store, namespace="lengths-", key_encoder="sha256")
    first = cached.embed_documents(["tea", "cake"])
    assert first == [[3.0, 0.1], [4.0, 0.1]]
    assert asyncio.run(cached.aembed_documents(["cake", "tea"])) == first[::-1]
    assert inner.asked == ["tea", "cake"]


def test_an_encoder_keeps_other_values(store: BotWireByteStore) -> None:
    encoded = EncoderBackedStore[str, Any](
        store, lambda key: key, lambda value: json.dumps(value, separators=(",", ":")).encode(), json.loads
    )
    encoded.mset([("user", {"likes": ["tea"]})])
    assert encoded.mget(["user"]) == [{"likes": ["tea"]}]
    assert store.memory.get("user") == {"likes": ["tea"]}


def test_a_fork_is_a_store_of_its_own(memory: Memory) -> None:
    memory.set("a", b"base")
    fork = BotWireByteStore(memory.fork(f"fork-{uuid4().hex}"))
    fork.mset([("a", b"fork")])
    assert fork.mget(["a"]) == [b"fork"]
    assert BotWireByteStore(memory).mget(["a"]) == [b"base"]
