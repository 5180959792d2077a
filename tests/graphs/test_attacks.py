"""Rows S1 to S4 and S8: whatever somebody put into the memory loads as inert data, or raises, and runs nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import ormsgpack
import pytest
from hostile import BYTES, GADGETS, HOSTILE_TEXTS, SECRET, audited
from langgraph.checkpoint.base import empty_checkpoint

from botwire import Memory
from botwire_core.errors import BotWireError, InvalidValueError, StoreCorruptError
from botwire_core.protocol import Op
from botwire_core.stores.dict import DictStore
from botwire_langgraph.cache import BotWireNodeCache
from botwire_langgraph.saver import BotWireSaver
from botwire_langgraph.store import BotWireStore

CONFIG: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
CALLS: list[tuple[Any, ...]] = [
    ("os", "system", "true", "__call__"),
    ("os", "system", ["true"]),
    ("subprocess", "Popen", {"args": ["true"]}),
    ("builtins", "eval", "__import__('os').system('true')"),
    ("colorsys", "Missing", {"x": 1}),
    ("pickle", "loads", BYTES[0]),
    ("re", "compile", ["x"], "escape"),
    ("langchain_core.prompts", "PromptTemplate", {"template": "${BOTWIRE_TESTING_SECRET}"}),
    ("importlib", "import_module", "colorsys"),
]
CODES = [0, 1, 2, 3, 4, 5, 7, 42]


def extension(code: int, call: Any) -> bytes:
    return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(call)))


EXTENSIONS = {f"code {code}, {call[0]}.{call[1]}": extension(code, call) for code in CODES for call in CALLS}


def saved(memory: Memory) -> BotWireSaver:
    saver = BotWireSaver(memory)
    versions: Any = {"said": "1"}
    made: Any = {**empty_checkpoint(), "channel_values": {"said": ["fine"]}, "channel_versions": versions}
    saver.put(CONFIG, made, {"source": "loop"}, versions)
    saver.put_writes({"configurable": {**CONFIG["configurable"], "checkpoint_id": made["id"]}}, [("said", 1)], "task")
    return saver


def test_the_audit_sees_what_it_looks_for() -> None:
    with audited() as events:
        exec("1")
    assert {event for event, _ in events} >= {"exec", "compile"}


def tried(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (BotWireError, ValueError, TypeError) as error:
        return type(error)


def planted(memory: Memory, value: Any) -> list[Callable[[], Any]]:
    """Put a value into every place from which the three classes read, one at a time; each gives what is read there."""
    saver, store, cache = saved(memory), BotWireStore(memory), BotWireNodeCache[Any](memory)
    cache.set({(("n",), "k"): ([1], None)})
    kinds = ("channels", "writes", "checkpoints")
    (channel,), (write,), (record,) = (memory.list_keys(f"threads/t/{kind}/") for kind in kinds)
    row = memory.get(record)

    def at(key: str, value: Any, read: Callable[[], Any]) -> Callable[[], Any]:
        def look() -> Any:
            before = memory.get(key)
            memory.set(key, value)
            try:
                tried(read)  # what is imported or compiled at first use is so by then
                with audited() as events:
                    found = tried(read)
                assert events == []
                return found
            finally:
                memory.set(key, before)

        return look

    def read_all() -> Any:
        return saver.get_tuple(CONFIG), list(saver.list(None))

    looks = [
        at(channel, value, read_all),
        at(write, value, read_all),
        at(record, value, read_all),
        at("store/a/k", value, lambda: (store.get(("a",), "k"), store.search(()), store.list_namespaces())),
        at("cache/n,/k", value, lambda: cache.get([(("n",), "k")])),
    ]
    if not isinstance(value, bytes):
        looks += [at(record, {**row, name: value}, read_all) for name in row]
        inner = row["checkpoint"]
        looks += [at(record, {**row, "checkpoint": {**inner, name: value}}, read_all) for name in inner]
        looks += [at(channel, {"channel": "said", "version": "1", "value": value}, read_all)]
    return looks


@pytest.mark.parametrize("number", range(len(GADGETS) + len(BYTES)))
def test_row_s1_and_s2_planted_values_are_inert(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTWIRE_TESTING_SECRET", SECRET)
    memory = Memory("planted", store=DictStore())
    looks = planted(memory, [*GADGETS, *BYTES][number])
    for look in looks:
        assert SECRET not in repr(look())


@pytest.mark.parametrize("name", EXTENSIONS)
def test_row_s1_extension_types_of_msgpack_are_inert(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTWIRE_TESTING_SECRET", SECRET)
    memory = Memory("planted", store=DictStore())
    head = json.dumps({"channel": "said", "task_id": "t", "task_path": "", "index": 0, "type": "msgpack"}).encode()
    for look in planted(memory, head + b"\n" + EXTENSIONS[name]):
        found = look()
        assert SECRET not in repr(found)
        assert "colorsys" not in str(type(found))


@pytest.mark.parametrize("type_", ["pickle", "json", "", "msgpack", "bytes", "null", "evil\n", "msgpack+aes"])
@pytest.mark.parametrize("data", [*BYTES, b"", b'{"lc":2,"type":"constructor","id":["os","system"],"args":["true"]}'])
def test_row_s1_pickle_is_never_read_whatever_a_row_calls_it(type_: str, data: bytes) -> None:
    memory = Memory("planted", store=DictStore())
    head = json.dumps({"channel": "said", "task_id": "t", "task_path": "", "index": 0, "type": type_}).encode()
    for look in planted(memory, head + b"\n" + data):
        look()
    for look in planted(Memory("packed", store=DictStore()), {"$type": type_, "$base64": "Y29zCnN5c3RlbQo="}):
        look()


def test_row_s2_a_checkpoint_with_a_future_field_loads_and_one_without_its_fields_is_told(memory: Memory) -> None:
    saver = saved(memory)
    (key,) = memory.list_keys("threads/t/checkpoints/")
    row = memory.get(key)
    memory.set(key, {**row, "future": {"x": 1}, "checkpoint": {**row["checkpoint"], "future": [1]}})
    found = saver.get_tuple(CONFIG)
    assert found is not None
    assert found.checkpoint["channel_values"] == {"said": ["fine"]}
    for name in ("thread_id", "checkpoint", "metadata", "values", "channels"):
        memory.set(key, {member: value for member, value in row.items() if member != name})
        with pytest.raises(StoreCorruptError, match="no checkpoint"):
            saver.get_tuple(CONFIG)
        with pytest.raises(StoreCorruptError, match="no checkpoint"):
            asyncio.run(saver.aget_tuple(CONFIG))


def test_row_s3_a_row_that_was_edited_in_the_file_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    with Memory("edited", url) as memory:
        saver = saved(memory)
        BotWireStore(memory).put(("a",), "k", {"x": 1})
    with apsw.Connection(str(tmp_path / "memory.db")) as connection:
        connection.execute("UPDATE versions SET value = ? WHERE codec != 0", (b'{"value":{"lc":2}}',))
    for look in (lambda: saver.get_tuple(CONFIG), lambda: BotWireStore(memory).get(("a",), "k")):
        with pytest.raises(StoreCorruptError):
            look()
        with audited() as events, pytest.raises(StoreCorruptError):
            look()
        assert events == []
    memory.close()


@pytest.fixture(scope="module", params=["file", "postgres"])
def filtered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    if request.param == "postgres":
        url = request.getfixturevalue("fresh_schema")()
    else:
        url = f"sqlite:///{tmp_path_factory.getbasetemp() / 'filtered.db'}?durability=normal"
    with Memory("filtered", url) as memory:
        yield memory


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
def test_row_s4_hostile_filters_have_no_effect_on_sql(text: str, filtered: Memory) -> None:
    memory = filtered
    store, saver = BotWireStore(memory), BotWireSaver(memory)
    if not memory.keys():
        store.put(("a",), "k", {"x": "plain"})
        saved(memory)
    before = [(entry.key, entry.version) for entry in memory.entries()]
    try:
        assert store.search((), filter={text: "plain"}) == []
    except InvalidValueError as error:
        assert "filter" in str(error)
    try:
        assert store.search((), filter={"x": {text: "plain"}}) == []
    except InvalidValueError as error:
        assert "filter" in str(error)
    for filter in ({"x": text}, {"x": {"$eq": text}}, {"x": {"$gt": text, "$lt": text}}, {f"x.{'y'}": text}):
        assert store.search((), filter=filter) == []
    if label := text.replace(".", ""):
        assert store.search((label,)) == []
    assert list(saver.list(CONFIG, filter={text: text})) == []
    assert list(saver.list({"configurable": {"thread_id": text}})) == []
    saver.delete_for_runs([text])
    saver.delete_thread(text)
    saver.prune([text])
    assert [(entry.key, entry.version) for entry in memory.entries()] == before


class Counting(DictStore):
    """Counts the entries that reads give."""

    given = 0

    def run(self, op: Op[Any]) -> Any:
        result = super().run(op)
        if isinstance(result, list | dict):
            self.given += len(result)
        return result


def test_row_s8_a_search_gives_a_bounded_part_and_a_list_is_fetched_as_it_is_asked_for() -> None:
    store = Counting()
    memory = Memory("large", store=store)
    items, saver = BotWireStore(memory), BotWireSaver(memory)
    at = CONFIG
    for number in range(200):
        items.put(("a",), str(number), {"x": number})
        made: Any = {**empty_checkpoint(), "channel_values": {}, "channel_versions": {}}
        at = saver.put(at, made, {"step": number}, {})
    assert len(items.search(("a",))) == 10
    store.given = 0
    first = next(iter(saver.list(CONFIG)))
    assert first.metadata["step"] == 199
    assert store.given <= 64
    store.given = 0
    assert len(list(saver.list(CONFIG, limit=3))) == 3
    assert store.given <= 3
