"""Rows S1 and S3: whatever somebody put into the store, reading a history makes messages and nothing else."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hostile import BYTES, GADGETS, SECRET, audited, plain
from langchain_core.messages import BaseMessage, HumanMessage

from botwire import BotWireChatHistory, Memory


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
