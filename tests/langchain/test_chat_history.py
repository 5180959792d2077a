"""What `BotWireChatHistory` does beyond the contract: where it keeps things, what it refuses, what it reads of old."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import warnings
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage, messages_to_dict

from botwire import BotWireChatHistory, InvalidValueError, Memory, StoreCorruptError
from botwire_core.names import check_log
from botwire_core.testing.chat_history import HOSTILE_SESSION_IDS
from botwire_langchain.history import log_name
from botwire_langchain.messages import ChatHistoryWarning

OLD = [HumanMessage("from before"), AIMessage("good old day")]


@pytest.fixture
def memory() -> Memory:
    return Memory("chats")


def test_making_one_touches_no_file(home: Path) -> None:
    history = BotWireChatHistory("user-42")
    assert repr(history) == "BotWireChatHistory('user-42', Memory('langchain-sessions'))"
    assert not home.exists()
    history.add_user_message("hello")
    assert home.exists()


def test_memory_may_be_a_memory_or_a_name_and_namespace_stands_in(memory: Memory) -> None:
    BotWireChatHistory("user-42", memory).add_user_message("hello")
    assert BotWireChatHistory("user-42", "chats").messages == [HumanMessage("hello")]
    assert BotWireChatHistory("user-42", namespace="chats").messages == [HumanMessage("hello")]
    assert BotWireChatHistory("user-42").messages == []


def test_each_message_is_a_row_of_a_log(memory: Memory) -> None:
    BotWireChatHistory("team/7", memory).add_messages([HumanMessage("hello"), AIMessage("good day")])
    assert memory.keys() == ["messages/team%2F7/0000000000000000000", "messages/team%2F7/0000000000000000001"]
    assert [row["type"] for row in memory.read("messages/team%2F7")] == ["human", "ai"]


def test_a_batch_is_one_transaction(memory: Memory) -> None:
    BotWireChatHistory("user-42", memory).add_messages([HumanMessage("hello"), AIMessage("good day")])
    assert len({entry.revision for entry in memory.entries()}) == 1


@pytest.mark.parametrize("session_id", ["", None, 42, b"user"])
def test_a_session_without_a_name_is_refused(session_id: object) -> None:
    with pytest.raises(InvalidValueError, match="names no session"):
        BotWireChatHistory(session_id)  # type: ignore[arg-type]


@given(st.sets(st.text(min_size=1) | st.sampled_from(HOSTILE_SESSION_IDS), min_size=2))
def test_every_session_has_a_log_of_its_own_and_none_is_within_another(session_ids: set[str]) -> None:
    logs = {log_name(session_id) for session_id in session_ids}
    assert len(logs) == len(session_ids)
    for log in logs:
        assert check_log(log) == log
        assert log.count("/") == 1


@given(st.text(st.characters(exclude_categories=[]), min_size=1))
def test_any_session_id_can_be_used(session_id: str) -> None:
    assert check_log(log_name(session_id))


def test_a_session_id_in_the_form_of_a_long_one_is_another_session() -> None:
    long = "x" * 5000
    assert log_name(log_name(long).removeprefix("messages/")) != log_name(long)


# --- what BotWire 0.2 kept --------------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["as a list", "as text"])
def test_messages_that_botwire_0_2_kept_come_first(memory: Memory, kept: str) -> None:
    old = messages_to_dict(OLD)
    memory.set("user-42", old if kept == "as a list" else json.dumps(old))
    history = BotWireChatHistory("user-42", memory)
    assert history.messages == OLD
    history.add_user_message("from now")
    assert history.messages == asyncio.run(history.aget_messages()) == [*OLD, HumanMessage("from now")]
    assert memory.exists("user-42")


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_clear_takes_the_old_messages_too(memory: Memory, colour: str) -> None:
    memory.set("user-42", messages_to_dict(OLD))
    history = BotWireChatHistory("user-42", memory)
    history.add_user_message("from now")
    history.clear() if colour == "sync" else asyncio.run(history.aclear())
    assert memory.keys() == []


@pytest.mark.parametrize(
    "value", [["tea", "cake"], [{"type": "x"}], "[not JSON", "[1]", {"type": "human", "data": {}}, 7]
)
def test_a_value_of_the_users_own_at_the_same_key_is_left_alone(memory: Memory, value: object) -> None:
    memory.set("user-42", value)
    history = BotWireChatHistory("user-42", memory)
    assert history.messages == []
    history.clear()
    asyncio.run(history.aclear())
    assert memory.get("user-42") == value


def test_clear_leaves_everything_else_of_the_namespace(memory: Memory) -> None:
    memory.set("messages/user-421/note", 1)
    memory.append("user-42", {"visited": "shop"})
    history = BotWireChatHistory("user-42", memory)
    history.add_user_message("hello")
    history.clear()
    assert memory.keys() == ["messages/user-421/note", "user-42/0000000000000000000"]


# --- what has no JSON form --------------------------------------------------------------------------


def test_what_json_lacks_is_kept_as_text(memory: Memory) -> None:
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    history = BotWireChatHistory("user-42", memory)
    history.add_messages(
        [AIMessage("x", response_metadata={"when": when, "raw": b"\xff\0", "pair": (1, 2), "few": {3}})]
    )
    (message,) = history.messages
    assert message.response_metadata == {"when": "2026-01-02T03:04:05Z", "raw": "_wA=", "pair": [1, 2], "few": [3]}


@pytest.mark.parametrize(
    "details", [{"p": float("nan")}, {"p": float("inf"), "when": datetime.date(2026, 1, 2)}, {"p": "\ud800"}]
)
def test_what_text_cannot_stand_for_is_refused_and_nothing_is_kept(
    memory: Memory, details: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    history = BotWireChatHistory("user-42", memory)
    with pytest.raises(InvalidValueError, match=r'\["response_metadata"\]\["p"\]'):
        history.add_messages([HumanMessage("hello"), AIMessage("x", response_metadata=details)])
    assert history.messages == []


def test_an_object_without_a_json_form_is_refused(memory: Memory) -> None:
    history = BotWireChatHistory("user-42", memory)
    with pytest.raises(InvalidValueError, match="no JSON form"):
        history.add_messages([ToolMessage("x", tool_call_id="1", artifact=object())])
    with pytest.raises(InvalidValueError, match="a str is no message"):
        history.add_messages(["hello"])  # type: ignore[list-item]


class Named(HumanMessage):
    """A message class of a user's own that LangChain reads as the class above it."""


class Strange(BaseMessage):
    """A message class that LangChain cannot read."""

    type: str = "strange"


def test_a_users_own_message_class_comes_back_as_the_one_above_it(memory: Memory) -> None:
    history = BotWireChatHistory("user-42", memory)
    history.add_messages([Named(content="hello")])
    assert history.messages == [HumanMessage("hello")]


def test_a_message_that_could_not_be_read_back_is_refused(memory: Memory) -> None:
    history = BotWireChatHistory("user-42", memory)
    with pytest.raises(InvalidValueError, match="'strange' cannot be read back"):
        history.add_messages([HumanMessage("hello"), Strange(content="x")])
    assert history.messages == []


# --- what else is stored ----------------------------------------------------------------------------


def test_row_s2_an_unknown_or_broken_message_is_left_out_and_stays_stored(memory: Memory) -> None:
    history = BotWireChatHistory("user-42", memory)
    history.add_user_message("before")
    strange = [
        {"type": "hologram", "data": {"content": "x"}},
        {"type": "human", "data": {}},
        {"data": {}},
        "x",
        None,
        7,
    ]
    memory.append("messages/user-42", *strange)
    memory.append("messages/user-42", {"type": "human", "data": {"content": "of later", "mood": "fine"}})
    with pytest.warns(ChatHistoryWarning, match="6 of 8 stored messages"):
        messages = history.messages
    assert [message.content for message in messages] == ["before", "of later"]
    with pytest.warns(ChatHistoryWarning, match="6 of 8 stored messages"):
        assert asyncio.run(history.aget_messages()) == messages
    assert len(memory.read("messages/user-42")) == 8


# --- errors and loops ---------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_messages_that_cannot_be_stored_are_told_in_the_log_and_raised(
    home: Path, caplog: pytest.LogCaptureFixture, colour: str
) -> None:
    home.mkdir(mode=0o700)
    (home / "memory.db").write_text("a diary, not a database\n" * 100)
    history = BotWireChatHistory("user-42")

    async def add() -> None:
        await history.aadd_messages([HumanMessage("my secret")])

    with pytest.raises(StoreCorruptError):
        asyncio.run(add()) if colour == "async" else history.add_messages([HumanMessage("my secret")])
    assert caplog.record_tuples == [
        ("botwire", logging.ERROR, "1 chat messages were not stored in langchain-sessions: StoreCorruptError")
    ]


def test_nothing_blocks_the_event_loop(memory: Memory) -> None:
    async def talk() -> list[BaseMessage]:
        with blockbuster_ctx():
            history = BotWireChatHistory("user-42", memory)
            await history.aadd_messages([HumanMessage("hello")])
            found = await history.aget_messages()
            await history.aclear()
            return found

    assert asyncio.run(talk()) == [HumanMessage("hello")]


def test_a_history_warns_of_nothing(memory: Memory) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert BotWireChatHistory("user-42", memory).messages == []
