"""Rows S1 and S3: whatever somebody put into the store, reading a history makes messages and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage

from botwire import BotWireChatHistory, Memory
from botwire_core.testing.chat_history import LC_PAYLOADS

SECRET = "sk-not-to-be-seen"
GADGETS: list[Any] = [
    *LC_PAYLOADS,
    {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain_core", "prompts", "PromptTemplate"],
        "kwargs": {"template": "x"},
    },
    {"__reduce__": ["os.system", ["true"]]},
    {"py/object": "subprocess.Popen", "args": ["true"]},
    {"!!python/object/apply:os.system": ["true"]},
    {"__class__": "colorsys.Missing", "__init__": "x", "__dict__": {"content": "y"}, "__pydantic_extra__": {"a": 1}},
    {"$ref": "file:///etc/passwd"},
    "${BOTWIRE_TESTING_SECRET}",
    "{{ self.__init__.__globals__ }}",
    "__import__('os').system('true')",
]
BYTES = [b"cos\nsystem\n(S'true'\ntR.", b"\x80\x04\x95\x1d\x00\x00\x00", b"\xc7\x03\x05abc"]
WATCHED = {
    "import",
    "exec",
    "compile",
    "os.system",
    "os.exec",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
}

_seen: list[tuple[str, str]] | None = None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _seen is not None and event in WATCHED:
        _seen.append((event, str(args[:1])))


sys.addaudithook(_hook)  # for good: a hook cannot be taken away


@contextmanager
def audited() -> Iterator[list[tuple[str, str]]]:
    global _seen
    found: list[tuple[str, str]] = []
    _seen = found
    try:
        yield found
    finally:
        _seen = None


def stored(gadget: Any) -> list[Any]:
    """A gadget in every place of a stored message, and in place of one."""
    fields = (
        "content",
        "additional_kwargs",
        "response_metadata",
        "tool_calls",
        "name",
        "id",
        "type",
        "extra",
        "lc_kwargs",
    )
    rows = [gadget, [gadget], {"type": gadget, "data": gadget}, {"type": "human", "data": gadget}]
    if isinstance(gadget, dict):
        rows += [
            {"type": "human", "data": {"content": "x", **gadget}},
            {"type": "human", "data": {"content": "x"}, **gadget},
        ]
    for kind in ("human", "ai", "tool", "chat", "AIMessageChunk", "remove"):
        for field in fields:
            rows.append({"type": kind, "data": {"content": "x", "tool_call_id": "1", "role": "r", field: gadget}})
            rows.append({"type": kind, "data": {"content": "x", "tool_call_id": "1", "role": "r", field: [gadget]}})
    return rows


def plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(plain(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return all(plain(one) for one in value)
    return value is None or type(value) in (str, int, float, bool)


def test_the_audit_sees_what_it_looks_for() -> None:
    sys.modules.pop("colorsys", None)
    with audited() as events:
        __import__("colorsys")
        exec("1")
    assert {event for event, _ in events} >= {"import", "exec", "compile"}


@pytest.mark.filterwarnings("ignore::botwire_langchain.messages.ChatHistoryWarning")
@pytest.mark.parametrize("gadget", [*GADGETS, *BYTES], ids=range(len(GADGETS) + len(BYTES)))
def test_row_s1_and_s3_planted_rows_are_inert_data(gadget: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTWIRE_TESTING_SECRET", SECRET)
    memory = Memory("chats")
    history = BotWireChatHistory("user-42", memory)
    history.add_user_message("before")
    memory.append("messages/user-42", *([gadget] if isinstance(gadget, bytes) else stored(gadget)))
    history.add_user_message("after")
    assert history.messages  # whatever is imported lazily is imported now
    with audited() as events:
        messages = history.messages
    assert events == []
    assert messages[0] == HumanMessage("before")
    assert messages[-1] == HumanMessage("after")
    for message in messages:
        assert isinstance(message, BaseMessage)
        assert type(message).__module__.startswith("langchain_core.messages.")
        assert all(plain(value) for value in message.model_dump().values())
        assert callable(message.model_dump_json)
    assert SECRET not in repr(messages)
