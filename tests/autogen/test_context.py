"""What a model is told: AutoGen's own context first, then ours, embedded and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from autogen_core import FunctionCall, Image
from autogen_core.model_context import (
    BufferedChatCompletionContext,
    ChatCompletionContext,
    UnboundedChatCompletionContext,
)
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from PIL import Image as Pictures

from botwire import Memory
from botwire_autogen.context import BotWireChatCompletionContext
from botwire_autogen.unreadable import UnreadableWarning
from botwire_core.errors import InvalidValueError


def said(content: str) -> UserMessage:
    return UserMessage(content=content, source="user")


CALL = AssistantMessage(content=[FunctionCall("1", '{"key": "a"}', "recall")], source="writer", thought="hm")
RESULT = FunctionExecutionResultMessage(
    content=[FunctionExecutionResult(content="tea", name="recall", call_id="1", is_error=False)]
)
MESSAGES: list[LLMMessage] = [
    SystemMessage(content="Be kind."),
    said("hello ☕\n"),
    UserMessage(content=["two", "parts"], source="user"),
    CALL,
    RESULT,
    AssistantMessage(content="bye", source="writer"),
]


@pytest.fixture(params=["Unbounded", "sqlite", "http"])
def one(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[ChatCompletionContext]:
    if request.param == "Unbounded":
        yield UnboundedChatCompletionContext()
        return
    with Memory(f"test-{uuid4().hex}", url_of(request.param)) as memory:
        yield BotWireChatCompletionContext(memory)


async def fill(context: ChatCompletionContext, *messages: LLMMessage) -> None:
    for message in messages:
        await context.add_message(message)


class TestEveryContext:
    async def test_messages_come_back_as_they_were_in_their_order(self, one: ChatCompletionContext) -> None:
        await fill(one, *MESSAGES)
        assert await one.get_messages() == MESSAGES

    async def test_an_image_comes_back(self, one: ChatCompletionContext) -> None:
        await fill(one, UserMessage(content=["look", Image(Pictures.new("RGB", (2, 3), (9, 8, 7)))], source="user"))
        (message,) = await one.get_messages()
        assert message.content[0] == "look"
        assert isinstance(message.content[1], Image)
        assert message.content[1].image.getpixel((1, 2)) == (9, 8, 7)

    async def test_an_empty_one_is_true(self, one: ChatCompletionContext) -> None:
        assert bool(one)
        assert await one.get_messages() == []

    async def test_clear_empties_it(self, one: ChatCompletionContext) -> None:
        await fill(one, *MESSAGES)
        await one.clear()
        assert await one.get_messages() == []
        await fill(one, said("anew"))
        assert await one.get_messages() == [said("anew")]

    async def test_a_state_replaces_what_is_there(self, one: ChatCompletionContext) -> None:
        await fill(one, *MESSAGES)
        state = await one.save_state()
        await one.clear()
        await fill(one, said("other"), said("words"))
        await one.load_state(state)
        assert await one.get_messages() == MESSAGES

    async def test_a_state_is_read_by_any_context(self, one: ChatCompletionContext) -> None:
        await fill(one, *MESSAGES)
        theirs = UnboundedChatCompletionContext()
        await theirs.load_state(await one.save_state())
        assert await theirs.get_messages() == MESSAGES
        await one.clear()
        await one.load_state(await theirs.save_state())
        assert await one.get_messages() == MESSAGES

    async def test_a_state_of_no_messages_empties_it(self, one: ChatCompletionContext) -> None:
        await fill(one, said("hello"))
        await one.load_state({"messages": []})
        assert await one.get_messages() == []

    @pytest.mark.parametrize("state", [{"messages": 7}, {"messages": [{"type": "Nothing"}]}, {"messages": ["text"]}])
    async def test_what_is_no_state_is_refused_and_changes_nothing(
        self, one: ChatCompletionContext, state: Any
    ) -> None:
        await fill(one, said("hello"))
        with pytest.raises(ValueError):
            await one.load_state(state)
        assert await one.get_messages() == [said("hello")]


class TestOurs:
    async def test_each_name_is_a_conversation_of_its_own(self, memory: Memory) -> None:
        names = ["writer", "critic", "a/b", "a", "é", "x" * 2000]
        for name in names:
            await fill(BotWireChatCompletionContext(memory, name=name), said(name))
        for name in names:
            assert await BotWireChatCompletionContext(memory, name=name).get_messages() == [said(name)]
        await BotWireChatCompletionContext(memory, name="a").clear()
        assert await BotWireChatCompletionContext(memory, name="a/b").get_messages() == [said("a/b")]

    @pytest.mark.parametrize("last", range(1, 8))
    async def test_the_newest_are_shown_as_the_buffered_context_shows_them(self, memory: Memory, last: int) -> None:
        ours, theirs = BotWireChatCompletionContext(memory, last=last), BufferedChatCompletionContext(last)
        await fill(ours, *MESSAGES)
        await fill(theirs, *MESSAGES)
        assert await ours.get_messages() == await theirs.get_messages()
        assert await BotWireChatCompletionContext(memory).get_messages() == MESSAGES

    async def test_two_results_without_their_calls_are_both_left_out(self, memory: Memory) -> None:
        one = BotWireChatCompletionContext(memory, last=3)
        await fill(one, CALL, RESULT, RESULT, said("and?"))
        assert await one.get_messages() == [said("and?")]

    async def test_a_state_that_is_there_already_is_not_written(self, memory: Memory) -> None:
        one = BotWireChatCompletionContext(memory)
        await fill(one, *MESSAGES)
        keys, state = memory.keys(), await one.save_state()
        await one.load_state(state)
        assert memory.keys() == keys
        assert all(entry.version == 1 for entry in memory.entries())

    async def test_a_state_goes_back_to_where_it_was_saved_and_keeps_what_both_have(self, memory: Memory) -> None:
        one = BotWireChatCompletionContext(memory)
        await fill(one, *MESSAGES[:4])
        keys, state = memory.keys(), await one.save_state()
        await fill(one, *MESSAGES[4:])
        await one.load_state(state)
        assert await one.get_messages() == MESSAGES[:4]
        assert memory.keys() == keys

    @pytest.mark.parametrize("name", ["", None, 7])
    def test_a_conversation_has_a_name(self, name: Any) -> None:
        with pytest.raises(InvalidValueError, match="names no conversation"):
            BotWireChatCompletionContext(name=name)

    async def test_what_is_no_message_is_refused(self, memory: Memory) -> None:
        with pytest.raises(InvalidValueError, match="no message for a model"):
            await BotWireChatCompletionContext(memory).add_message("hello")  # type: ignore[arg-type]
        assert memory.keys() == []

    async def test_what_is_stored_and_is_no_message_is_told_and_left_out(self, memory: Memory) -> None:
        one = BotWireChatCompletionContext(memory)
        await fill(one, said("hello"))
        memory.append("contexts/default", {"type": "Nothing"}, "text", b"\x80\x04")
        with pytest.warns(UnreadableWarning, match="3 of 4 stored messages"):
            assert await one.get_messages() == [said("hello")]
        assert len(memory.read("contexts/default")) == 4
