"""`BotWireChatHistory(last=)`: a window on the newest messages, alone and in a runnable."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage, messages_to_dict
from langchain_core.runnables import ConfigurableFieldSpec, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from scripted import calling

from botwire import BotWireChatHistory, InvalidValueError, Memory
from botwire_core.stores.dict import DictStore

# RunnableWithMessageHistory is deprecated by LangChain, and used all the same.
pytestmark = pytest.mark.filterwarnings("ignore:.*:langchain_core._api.LangChainDeprecationWarning")


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shown(history: BotWireChatHistory, colour: str) -> list[BaseMessage]:
    return history.messages if colour == "sync" else asyncio.run(history.aget_messages())


def numbered(count: int) -> list[BaseMessage]:
    return [HumanMessage(str(number)) for number in range(count)]


@pytest.mark.parametrize("last", [0, 1, 3, 9, 10, 11, 1000, 2**70, None])
def test_it_shows_the_newest_and_everything_stays_stored(memory: Memory, colour: str, last: int | None) -> None:
    BotWireChatHistory("user-42", memory).add_messages(numbered(10))
    expected = numbered(10) if last is None else numbered(10)[max(0, 10 - last) :]
    assert shown(BotWireChatHistory("user-42", memory, last=last), colour) == expected
    assert len(memory.read("messages/user-42")) == 10


@pytest.mark.parametrize("last", [0, 1, 2, 3, 4, 5, 6])
def test_messages_that_botwire_0_2_kept_are_in_the_window_too(memory: Memory, colour: str, last: int) -> None:
    memory.set("user-42", messages_to_dict(numbered(3)))
    history = BotWireChatHistory("user-42", memory, last=last)
    history.add_messages([HumanMessage("3"), HumanMessage("4")])
    assert shown(history, colour) == numbered(5)[max(0, 5 - last) :]


def test_the_result_of_a_tool_is_not_shown_without_its_call(memory: Memory, colour: str) -> None:
    call, result = calling("recall", key="a"), ToolMessage("found", tool_call_id="call recall")
    messages = [HumanMessage("?"), call, result, result, AIMessage("Porto.")]
    BotWireChatHistory("user-42", memory).add_messages(messages)
    for last, expected in {5: messages, 4: messages[1:], 3: messages[4:], 2: messages[4:], 1: messages[4:]}.items():
        assert shown(BotWireChatHistory("user-42", memory, last=last), colour) == expected


@pytest.mark.parametrize("last", [-1, 1.5, "3", True])
def test_what_is_no_number_of_messages_is_refused(last: Any) -> None:
    with pytest.raises(InvalidValueError, match="last"):
        BotWireChatHistory("user-42", last=last)


KINDS = st.sampled_from(["human", "ai", "tool"])


@given(kinds=st.lists(KINDS, max_size=12), older=st.integers(0, 4), last=st.integers(0, 14))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_is_the_end_of_the_whole(kinds: list[str], older: int, last: int) -> None:
    memory = Memory("chats", store=DictStore())
    make = {"human": HumanMessage, "ai": AIMessage, "tool": lambda text: ToolMessage(text, tool_call_id="c1")}
    messages = [make[kind](str(number)) for number, kind in enumerate(kinds)]
    memory.set("user-42", messages_to_dict(messages[:older]))
    whole = BotWireChatHistory("user-42", memory)
    whole.add_messages(messages[older:])
    window = BotWireChatHistory("user-42", memory, last=last).messages
    assert window == whole.messages[len(messages) - len(window) :]
    assert len(window) <= last
    if len(messages) >= last and window:
        assert window[0].type != "tool"


def scripted(messages: list[BaseMessage]) -> AIMessage:
    return AIMessage(f"I see {len(messages)}.")


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_runnable_with_a_window_neither_loses_nor_repeats(colour: str, snapshot: bool) -> None:
    def history(session_id: str) -> BotWireChatHistory:
        return BotWireChatHistory(session_id, last=4, snapshot=snapshot)

    chain: Any = RunnableWithMessageHistory(RunnableLambda(scripted), history)
    config: Any = {"configurable": {"session_id": "user-42"}}
    for number in range(5):
        question = [HumanMessage(str(number))]
        chain.invoke(question, config) if colour == "sync" else asyncio.run(chain.ainvoke(question, config))
    texts = [message.content for message in BotWireChatHistory("user-42").messages]
    assert texts == ["0", "I see 1.", "1", "I see 3.", "2", "I see 5.", "3", "I see 5.", "4", "I see 5."]


def test_a_factory_of_two_keys_keeps_a_user_and_a_conversation_apart(colour: str) -> None:
    def history(user_id: str, conversation_id: str) -> BotWireChatHistory:
        return BotWireChatHistory(conversation_id, f"chats-{user_id}")

    chain: Any = RunnableWithMessageHistory(
        RunnableLambda(scripted),
        history,
        history_factory_config=[
            ConfigurableFieldSpec(id="user_id", annotation=str),
            ConfigurableFieldSpec(id="conversation_id", annotation=str),
        ],
    )
    for user, conversation in (("ana", "1"), ("ana", "2"), ("tom", "1"), ("ana", "1")):
        config: Any = {"configurable": {"user_id": user, "conversation_id": conversation}}
        question = [HumanMessage(f"{user} {conversation}")]
        chain.invoke(question, config) if colour == "sync" else asyncio.run(chain.ainvoke(question, config))
    assert len(BotWireChatHistory("1", "chats-ana").messages) == 4
    assert len(BotWireChatHistory("2", "chats-ana").messages) == 2
    assert len(BotWireChatHistory("1", "chats-tom").messages) == 2


def test_a_turn_that_cannot_be_stored_is_told_by_us_since_langchain_swallows_it(
    colour: str, caplog: pytest.LogCaptureFixture
) -> None:
    chain: Any = RunnableWithMessageHistory(
        RunnableLambda(lambda _: AIMessage("x", response_metadata={"p": float("nan")})), BotWireChatHistory
    )
    config: Any = {"configurable": {"session_id": "user-42"}}
    question = [HumanMessage("my secret")]
    chain.invoke(question, config) if colour == "sync" else asyncio.run(chain.ainvoke(question, config))
    ours = [record for record in caplog.records if record.name == "botwire"]
    assert [record.getMessage() for record in ours] == [
        "2 chat messages were not stored in langchain-sessions: InvalidValueError"
    ]
    assert [record.levelname for record in ours] == ["ERROR"]
