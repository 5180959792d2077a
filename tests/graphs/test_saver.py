"""`BotWireSaver` beyond the conformance suite: real graphs, long threads, long values, and upkeep."""

from __future__ import annotations

import asyncio
import operator
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from botwire import Memory
from botwire_core.errors import InvalidValueError, StoreCorruptError, StoreReadOnlyError
from botwire_core.quoting import quoted, short, unquoted
from botwire_core.store import Limits
from botwire_core.stores.dict import DictStore
from botwire_langgraph.pieces import FULL, TAIL, Piece, cut, joined
from botwire_langgraph.saver import BotWireSaver
from botwire_langgraph.thread_keys import Place


def config(thread: str = "t", namespace: str = "", id: str | None = None) -> Any:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": id}}


def put(
    saver: Any, values: dict[str, Any], before: Any = None, thread: str = "t", namespace: str = "", **told: Any
) -> Any:
    """Put a checkpoint in which every channel has a new version; gives its config."""
    version = saver.get_next_version(None, None)
    versions = dict.fromkeys(values, version)
    made = {**empty_checkpoint(), "channel_values": values, "channel_versions": versions}
    metadata = {"source": "loop", "step": 1, "parents": {}, **told}
    return saver.put(before or config(thread, namespace), made, metadata, versions)


def said(saver: Any, at: Any) -> Any:
    found = saver.get_tuple(at)
    return found and found.checkpoint["channel_values"]


# --- graphs --------------------------------------------------------------------------------------------------------


def talking(saver: Any) -> Any:
    def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"I see {len(state['messages'])}.")]}

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"You said {interrupt('Sure?')}.")]}

    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_node("ask", ask)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", "ask")
    graph.add_edge("ask", END)
    return graph.compile(checkpointer=saver)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_graph_is_interrupted_and_goes_on_in_another_process_and_in_time(memory: Memory, colour: str) -> None:
    def invoke(graph: Any, given: Any, at: Any) -> Any:
        return graph.invoke(given, at) if colour == "sync" else asyncio.run(graph.ainvoke(given, at))

    at = {"configurable": {"thread_id": "user/42"}}
    stopped = invoke(talking(BotWireSaver(memory)), {"messages": [HumanMessage("hello")]}, at)
    assert stopped["__interrupt__"][0].value == "Sure?"
    graph = talking(BotWireSaver(memory))  # another object, as in another process
    ended = invoke(graph, Command(resume="yes"), at)
    assert [message.content for message in ended["messages"]] == ["hello", "I see 1.", "You said yes."]
    past = [state for state in graph.get_state_history(at) if state.next == ("ask",)][-1]
    other = graph.update_state(past.config, {"messages": [HumanMessage("wait")]}, as_node="answer")
    invoke(graph, None, other)
    again = invoke(graph, Command(resume="no"), at)
    assert [message.content for message in again["messages"]][2:] == ["wait", "You said no."]
    ends = [state.values["messages"][-1].content for state in graph.get_state_history(at) if not state.next]
    assert ends == ["You said no.", "You said yes."]


def test_a_graph_in_a_graph_has_a_namespace_of_its_own(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    outer = StateGraph(MessagesState)
    outer.add_node("inner", talking(True))
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=saver)
    at: Any = {"configurable": {"thread_id": "t"}}
    graph.invoke({"messages": [HumanMessage("hello")]}, at)
    graph.invoke(Command(resume="yes"), at)
    namespaces = {found.config["configurable"]["checkpoint_ns"] for found in saver.list(at)}
    assert "" in namespaces
    assert len(namespaces) == 2
    assert graph.get_state(at).values["messages"][-1].content == "You said yes."


# --- against LangGraph's own ---------------------------------------------------------------------------------------


def shown(found: Any) -> Any:
    """A checkpoint without the tuples that JSON has not."""
    return found and (
        found.config["configurable"],
        found.checkpoint,
        found.metadata,
        found.parent_config and found.parent_config["configurable"],
        found.pending_writes,
    )


def grown(draw: random.Random, messages: list[Any]) -> list[Any]:
    """A conversation after one step: longer, edited, cut short, or another."""
    text = "".join(draw.choices("abc äö", k=draw.choice([3, 300, 3000])))
    match draw.randrange(8):
        case 0:
            return messages[: draw.randrange(len(messages) + 1)]
        case 1 if messages:
            place = draw.randrange(len(messages))
            return [*messages[:place], AIMessage(text, id="x"), *messages[place + 1 :]]
        case 2:
            return [*messages, {"role": "user", "content": text}]
        case _:
            return [*messages, *(HumanMessage(text, id=str(n)) for n in range(draw.randrange(1, 4)))]


State = dict[str, tuple[Any, Any]]
"""By channel its value and version."""


def stepped(draw: random.Random, saver: BotWireSaver, state: State, step: int) -> tuple[State, dict[str, Any]]:
    """The state after a step, and the versions that it made."""
    messages, version = state.get("messages", ([], None))
    new: dict[str, Any] = {"step": (step, saver.get_next_version(state.get("step", (0, None))[1], None))}
    if draw.random() < 0.8 or not state:
        new["messages"] = grown(draw, messages), saver.get_next_version(version, None)
    if draw.random() < 0.3:
        new["blob"] = draw.randbytes(draw.choice([10, 9000])), saver.get_next_version(None, None)
    return {**state, **new}, {name: version for name, (_, version) in new.items()}


def some_writes(draw: random.Random, number: int) -> list[tuple[str, Any]]:
    writes = [("messages", [AIMessage("x" * draw.choice([3, 5000]), id="w")]), ("__error__", f"e{number}"), ("n", (1,))]
    return writes[: draw.randrange(4)]


@pytest.mark.parametrize("seed", range(3))
def test_it_shows_what_langgraphs_own_saver_shows(memory: Memory, seed: int, scale: Callable[[int], int]) -> None:
    draw = random.Random(seed)
    theirs, ours = InMemorySaver(), BotWireSaver(memory)
    heads: dict[tuple[str, str], list[tuple[Any, State]]] = {}
    for step in range(scale(300)):
        place = draw.choice(["a", "b/c"]), draw.choice(["", "sub:1|x"])
        known = heads.setdefault(place, [(config(*place), {})])
        before, state = draw.choice(known[-3:])  # so threads branch
        state, changed = stepped(draw, ours, state, step)
        made: Any = {
            **empty_checkpoint(),
            "id": str(uuid6(clock_seq=step)),
            "channel_values": {name: value for name, (value, _) in state.items()},
            "channel_versions": {name: version for name, (_, version) in state.items()},
        }
        metadata: Any = {"source": "loop", "step": step, "parents": {}, "even": step % 2 == 0}
        after = [saver.put(before, made, metadata, changed) for saver in (theirs, ours)]
        assert after[0] == after[1]
        known.append((after[0], state))
        for number in range(draw.randrange(3)):
            writes, task = some_writes(draw, number), f"task{draw.randrange(2)}"
            for saver in (theirs, ours):
                saver.put_writes(after[0], writes, task, f"~path{task}")
        assert shown(ours.get_tuple(after[0])) == shown(theirs.get_tuple(after[0]))
    for (thread, namespace), known in heads.items():
        at: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": namespace}}
        middle = known[(len(known) + 1) // 2][0]
        for arguments in ({}, {"limit": 3}, {"before": middle}, {"filter": {"even": True}, "limit": 5}):
            right = [shown(one) for one in theirs.list(at, **arguments)]
            assert [shown(one) for one in ours.list(at, **arguments)] == right
        assert shown(ours.get_tuple(at)) == shown(theirs.get_tuple(at))
    everything = [shown(one) for one in theirs.list(None)]
    everything.sort(key=lambda one: one[0]["checkpoint_id"], reverse=True)
    assert [shown(one) for one in ours.list(None)] == everything
    for thread in ("a", "b/c"):
        mine = [one for one in everything if one[0]["thread_id"] == thread]
        assert [shown(one) for one in ours.list({"configurable": {"thread_id": thread}})] == mine


# --- size ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["messages", "JSON", "text"])
def test_a_thread_grows_with_its_length_and_not_with_its_square(kind: str) -> None:
    def grow(steps: int) -> int:
        memory = Memory("growing", store=DictStore())
        saver = BotWireSaver(memory)
        at, version, seen = config(), None, []
        value: Any = "" if kind == "text" else []
        for step in range(steps):
            text = f"message {step}: " + "remember that the meeting moved to thursday; " * 4
            new = {"text": text, "JSON": [{"text": text}], "messages": [HumanMessage(text, id=str(step))]}[kind]
            value = value + new
            version = saver.get_next_version(version, None)
            versions: Any = {"said": version}
            made: Any = {**empty_checkpoint(), "channel_values": {"said": value}, "channel_versions": versions}
            at = saver.put(at, made, {"step": step}, versions)
            seen.append((at, value))
        for one, right in seen[:: steps // 10]:
            assert said(saver, one) == {"said": right}
        return memory.stats().bytes

    sizes = [grow(steps) for steps in (100, 200, 400)]
    assert [longer / size < 2.3 for size, longer in pairwise(sizes)] == [True, True]


def test_a_value_that_did_not_change_is_kept_once(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    at, version = config(), saver.get_next_version(None, None)
    versions: Any = {"said": version}
    for step in range(20):
        made: Any = {**empty_checkpoint(), "channel_values": {"said": ["x" * 3000]}, "channel_versions": versions}
        at = saver.put(at, made, {"step": step}, {} if step else versions)
    assert len([key for key in memory.list_keys() if "/channels/" in key]) == 1
    assert [one.checkpoint["channel_values"] for one in saver.list(config())] == [{"said": ["x" * 3000]}] * 20


@pytest.mark.parametrize("length", [0, 1, 100, 4096, 4097, 20_000, 300_000])
def test_a_value_longer_than_the_store_takes_is_kept_in_pieces(length: int) -> None:
    store = DictStore()
    store.limits = Limits(value_bytes=10_000)
    memory = Memory("small", store=store)
    saver = BotWireSaver(memory)
    values = {"bytes": random.Random(1).randbytes(length), "text": "ä" * length, "list": [HumanMessage("x" * length)]}
    at = put(saver, values)
    saver.put_writes(at, [("bytes", values["bytes"]), ("list", values["list"])], "task")
    assert said(saver, at) == values
    assert saver.get_tuple(at).pending_writes == [  # type: ignore[union-attr]
        ("task", "bytes", values["bytes"]),
        ("task", "list", values["list"]),
    ]
    saver.copy_thread("t", "u")
    saver.delete_thread("t")
    assert said(saver, config("u")) == values


@given(st.lists(st.binary(max_size=9000), max_size=12), st.integers(1, 5000))
def test_pieces_give_back_what_was_cut(parts: list[bytes], longest: int) -> None:
    kept: dict[str, bytes] = {}
    pieces: list[Piece] = []
    data = b""
    for part in parts:
        data = data[: len(data) - len(part) // 3] + part
        pieces, new, rest = cut(data, pieces, longest)
        kept |= new
        assert joined(pieces, kept, rest) == data  # type: ignore[arg-type]
        assert all(piece.length <= longest for piece in pieces)


def test_a_long_value_has_few_pieces_and_its_row_is_short() -> None:
    pieces: list[Piece] = []
    data, written = b"", 0
    for number in range(3000):
        data += f"message {number}".encode() * 20
        pieces, new, rest = cut(data, pieces)
        written += sum(map(len, new.values()))
        assert len(rest) <= TAIL + 16
        assert len(pieces) <= 32 + len(data) // FULL
    assert written < 6 * len(data)


# --- keys ----------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(), max_size=30), st.text(st.characters(), max_size=30))
def test_every_text_is_one_part_of_a_key_and_no_two_are_the_same(one: str, other: str) -> None:
    assert unquoted(quoted(one)) == one
    assert "/" not in quoted(one)
    quoted(one).encode()
    assert "\0" not in quoted(one)
    assert (quoted(one) == quoted(other)) is (one == other)
    assert (short(one, 8) == short(other, 8)) is (one == other)


@given(st.lists(st.text(max_size=40), min_size=7, max_size=7))
def test_keys_of_different_places_never_meet(parts: list[str]) -> None:
    place, other = Place(parts[0], parts[1]), Place(parts[2], parts[3])
    keys = [made.write(parts[4], parts[5], 1) for made in (place, other)]
    assert (keys[0] == keys[1]) is ((parts[0], parts[1]) == (parts[2], parts[3]))
    assert place.version(parts[4], 5) != place.version(parts[4], 5.0) != place.version(parts[4], "5")
    assert all(len(key.encode()) <= 1024 for key in keys)


def test_numbers_as_versions_come_in_their_order() -> None:
    place = Place("t")
    keys = [place.version("c", number) for number in (1, 2, 9, 10, 11, 100, 10**12)]
    assert keys == sorted(keys)


def test_versions_rise_and_no_two_branches_have_the_same() -> None:
    saver = BotWireSaver(Memory("versions", "memory:"))
    versions: list[Any] = [None]
    for _ in range(200):
        versions.append(saver.get_next_version(versions[-1], None))
    assert versions[1:] == sorted(versions[1:])
    assert saver.get_next_version(versions[5], None) != versions[6]
    assert saver.get_next_version(7, None).startswith("0" * 31 + "8.")


# --- what is readable ----------------------------------------------------------------------------------------------


def test_memory_shows_checkpoints_and_values_as_json(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    at = put(saver, {"topic": "cats", "facts": [{"likes": "fish"}]}, run_id="r1", user="ada")
    saver.put_writes(at, [("facts", {"sleeps": True})], "task")
    id = at["configurable"]["checkpoint_id"]
    row = memory.get(f"threads/t/checkpoints//{id}")
    assert row["values"] == {"topic": "cats"}
    assert (row["metadata"]["user"], row["checkpoint"]["id"], row["parent_id"]) == ("ada", id, None)
    (key,) = memory.list_keys("threads/t/channels//facts/")
    assert memory.get(key)["value"] == [{"likes": "fish"}]
    assert memory.get(f"threads/t/writes//{id}/task/0")["value"] == {"sleeps": True}
    assert memory.purge("threads/t/").keys
    assert memory.keys() == []


class Shift:
    """A cipher for tests."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "shift", bytes((byte + 1) % 256 for byte in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "shift"
        return bytes((byte - 1) % 256 for byte in ciphertext)


def test_with_a_serializer_of_ones_own_no_value_is_readable(memory: Memory) -> None:
    saver = BotWireSaver(memory, serde=EncryptedSerializer(Shift()))
    values = {"topic": "canary", "facts": ["canary"], "long": ["canary" * 5000]}
    at = put(saver, values, user="ada")
    saver.put_writes(at, [("facts", "canary")], "canary-free")
    assert said(saver, at) == values
    assert [write[2] for write in saver.get_tuple(at).pending_writes] == ["canary"]  # type: ignore[union-attr]
    stored = "".join(repr(entry.value) for entry in memory.entries())
    assert "ada" in stored
    assert '"canary"' not in stored
    assert "'canary'" not in stored
    assert "canarycanary" not in stored
    with pytest.raises(StoreCorruptError, match="nothing that JsonPlusSerializer can read"):
        BotWireSaver(memory).get_tuple(at)


@dataclass
class Mine:
    x: int


def test_a_class_of_ones_own_comes_back_where_it_is_allowed(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    at = put(saver, {"mine": [Mine(1)]})
    assert said(saver, at) == {"mine": [{"x": 1}]}
    assert said(saver.with_allowlist([(Mine.__module__, "Mine")]), at) == {"mine": [Mine(1)]}
    allowing = BotWireSaver(memory, serde=JsonPlusSerializer(allowed_msgpack_modules=[Mine]))
    assert said(allowing, at) == {"mine": [Mine(1)]}


# --- upkeep --------------------------------------------------------------------------------------------------------


def test_a_copy_of_a_thread_and_its_source_go_apart(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    first = put(saver, {"said": ["one" * 5000]})
    saver.put_writes(first, [("said", "w")], "task")
    put(saver, {"said": ["sub"]}, namespace="sub")
    saver.copy_thread("t", "u")
    saver.copy_thread("t", "t")
    saver.copy_thread("nowhere", "v")
    copied = saver.get_tuple(config("u"))
    assert copied is not None
    assert copied.config["configurable"]["thread_id"] == "u"
    assert copied.pending_writes == [("task", "said", "w")]
    put(saver, {"said": ["two"]}, copied.config, thread="u")
    assert said(saver, config("t")) == {"said": ["one" * 5000]}
    saver.delete_thread("t")
    assert said(saver, config("u")) == {"said": ["two"]}
    assert said(saver, copied.config) == {"said": ["one" * 5000]}
    assert said(saver, config("u", "sub")) == {"said": ["sub"]}
    assert not [key for key in memory.list_keys() if key.startswith(("threads/t/", "threads/v/"))]


def test_what_runs_left_is_deleted_with_all_that_only_they_need(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    at = put(saver, {"said": ["x" * 9000]}, run_id="r1")
    at = put(saver, {"said": ["x" * 9000, "y" * 9000]}, at, run_id="r2")
    saver.put_writes(at, [("said", "z" * 9000)], "task")
    put(saver, {"said": ["x"]}, thread="other", run_id="r2")
    memory.set("threads/t/channels//said/planted", {"value": 1, "metadata": {"run_id": "r1"}})
    saver.delete_for_runs(["r2", "r9"])
    assert [one.metadata["run_id"] for one in saver.list(None)] == ["r1"]
    assert said(saver, config()) == {"said": ["x" * 9000]}
    saver.delete_for_runs(["r1"])
    assert memory.keys() == []


def test_pruning_keeps_the_newest_of_each_namespace_and_what_it_needs(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    for namespace in ("", "sub"):
        at = None
        for length in range(1, 6):
            at = put(saver, {"said": ["x" * 3000] * length}, at, namespace=namespace)
            saver.put_writes(at, [("said", length)], "task")
    before = [said(saver, config()), said(saver, config(namespace="sub"))]
    keys = len(memory.keys())
    saver.prune(["t", "nowhere"])
    assert [said(saver, config()), said(saver, config(namespace="sub"))] == before
    assert len(list(saver.list(config()))) == 1
    assert saver.get_tuple(config()).pending_writes == [("task", "said", 5)]  # type: ignore[union-attr]
    assert len(memory.keys()) < keys / 3
    saver.prune([], strategy="delete")
    saver.prune(["t"], strategy="delete")
    assert memory.keys() == []
    with pytest.raises(InvalidValueError, match="strategy"):
        saver.prune(["t"], strategy="keep_some")


def joined_up(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*state, *(text for texts in writes for text in texts)]


class Noted(TypedDict):
    log: Annotated[list[str], DeltaChannel(joined_up, snapshot_frequency=3)]
    turns: Annotated[int, operator.add]


def test_pruning_keeps_what_delta_channels_are_made_from(memory: Memory) -> None:
    graph: Any = StateGraph(Noted)
    graph.add_node("note", lambda state: {"log": [f"turn {state['turns']}"], "turns": 1})
    graph.add_edge(START, "note")
    saver = BotWireSaver(memory)
    compiled = graph.compile(checkpointer=saver)
    at: Any = {"configurable": {"thread_id": "t"}}
    for turn in range(5):
        compiled.invoke({"log": [f"said {turn}"], "turns": 1}, at)
        before = compiled.get_state(at).values
        saver.prune(["t"])
        assert compiled.get_state(at).values == before
    assert len(before["log"]) == 10
    assert len(list(saver.list(config()))) < 12


def test_two_who_write_the_same_keep_it_once(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    at = put(saver, {"said": []})
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(saver.put_writes, at, [("said", number), ("__interrupt__", number), ("x", number)], "task")
            for number in range(4)
        ]
        for job in jobs:
            job.result()
    writes = saver.get_tuple(at).pending_writes  # type: ignore[union-attr]
    assert writes is not None
    assert sorted(channel for _, channel, _ in writes) == ["__interrupt__", "said", "x"]
    assert len({value for _, channel, value in writes if channel != "__interrupt__"}) == 1


def test_the_past_of_a_memory_takes_no_checkpoints(memory: Memory) -> None:
    put(BotWireSaver(memory), {"said": [1]})
    past = BotWireSaver(memory.at(memory.snapshot()))
    for work in (
        lambda: put(past, {"said": [2]}),
        lambda: past.delete_thread("t"),
        lambda: past.copy_thread("t", "u"),
        lambda: past.prune(["t"]),
    ):
        with pytest.raises(StoreReadOnlyError):
            work()
