"""What a chat history in the shape of LangChain's `BaseChatMessageHistory` has to do, as tests to inherit.

It imports no framework: the classes of the messages are taken from what the history gives back.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import pytest

from botwire_core.testing.contract import Contract

__all__ = ["HOSTILE_SESSION_IDS", "LC_PAYLOADS", "Chat", "ChatHistoryContract"]

OpenHistory: TypeAlias = Callable[[str], Any]
OpenChat: TypeAlias = Callable[[str], "Chat"]
MakeMessage: TypeAlias = Callable[..., Any]

HOSTILE_SESSION_IDS = (
    "a", "A", "a/", "a//", "/a", "a/b", "a%2Fb", "a%2fb", "a%252Fb", "a%", "%", "a/0000000000000000000",
    "a/0000000000000000000/0000000000000000000", "0000000000000000000", "messages/a", ".", "..", "../a", "a\0", "a\n",
    " a", "a ", " ", "\u00e9", "e\u0301", "\U0001f600", "\ud800", "\udfff", "a*", "a_", "'; DROP TABLE x; --",
    "x" * 900, "x" * 5000, "x" * 5001, "\u00e9" * 700, "/" * 600,
)  # fmt: skip
"""Session ids that an adapter may mix up, cut off or choke on; each is a session of its own."""

LC_PAYLOADS: tuple[dict[str, Any], ...] = (
    {"lc": 1, "type": "secret", "id": ["BOTWIRE_TESTING_SECRET"]},
    {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "HumanMessage"], "kwargs": {"content": "x"}},
    {"lc": 2, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "true"}},
    {"lc": 1, "type": "not_implemented", "id": ["langchain_core"], "repr": "x"},
    {"__lc_escaped__": {"lc": 1, "type": "secret", "id": ["BOTWIRE_TESTING_SECRET"]}},
)
"""Data in the form of LangChain's serialised objects, as a model can be made to say it."""


class Chat:
    """A history in one colour: with a runner all is done by the async methods, else by the sync ones."""

    def __init__(self, history: Any, runner: asyncio.Runner | None) -> None:
        self.history = history
        self._runner = runner

    def messages(self) -> list[Any]:
        found: list[Any] = (
            self.history.messages if self._runner is None else self._runner.run(self.history.aget_messages())
        )
        return found

    def texts(self) -> list[str]:
        return [message.content for message in self.messages()]

    def add(self, *messages: Any) -> None:
        if self._runner is None:
            self.history.add_messages(messages)
        else:
            self._runner.run(self.history.aadd_messages(messages))

    def clear(self) -> None:
        if self._runner is None:
            self.history.clear()
        else:
            self._runner.run(self.history.aclear())


class ChatHistoryContract(Contract):
    """A chat history under test; the author gives `history`, a function from a session id to a history.

    All histories of one test share what they stand on, which is empty at its beginning.
    """

    @pytest.fixture
    def history(self) -> OpenHistory:
        """Opens the history of a session; a new object at each call, where the adapter has more than one."""
        raise NotImplementedError(f"{type(self).__name__} has to define the fixture `history`")

    @pytest.fixture
    def message(self, history: OpenHistory) -> MakeMessage:
        """Makes a message: `message("hello", "ai", id="m1")`; the kind is "human" or "ai"."""
        probe = history("the classes of messages")
        probe.add_user_message("hello")
        probe.add_ai_message("hello")
        human, ai = (type(one) for one in probe.messages)
        probe.clear()
        return lambda text, kind="human", **details: {"human": human, "ai": ai}[kind](content=text, **details)

    @pytest.fixture(params=["sync", "async"])
    def chat(self, request: pytest.FixtureRequest, history: OpenHistory) -> Iterator[OpenChat]:
        """Opens a session, to be used in one colour."""
        if request.param == "sync":
            yield lambda session_id: Chat(history(session_id), None)
            return
        with asyncio.Runner() as runner:
            yield lambda session_id: Chat(history(session_id), runner)

    def test_a_new_session_is_empty_and_true(self, chat: OpenChat) -> None:
        new = chat("user-1")
        assert new.messages() == []
        assert new.history  # `history or default` must not pick the default

    def test_messages_come_back_in_the_order_they_were_added(self, chat: OpenChat, message: MakeMessage) -> None:
        conversation = chat("user-1")
        added = [message(str(number), "ai" if number % 2 else "human") for number in range(12)]
        conversation.add(*added[:5])
        conversation.add(added[5])
        conversation.add(*added[6:])
        assert conversation.messages() == added
        assert [type(one) for one in conversation.messages()] == [type(one) for one in added]

    def test_a_message_comes_back_whole(self, chat: OpenChat, message: MakeMessage) -> None:
        call = {"name": "look_up", "args": {"order": 7, "deep": [1, 1.5, None, True]}, "id": "c1", "type": "tool_call"}
        added = [
            message("hello", name="Ada", id="m1", additional_kwargs={"nested": {"a": [1, {"b": None}]}}),
            message("", "ai", tool_calls=[call], response_metadata={"model": "scripted", "seed": 2**53 + 1}),
            message([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]),
        ]
        conversation = chat("user-1")
        conversation.add(*added)
        assert conversation.messages() == added
        assert conversation.messages()[1].tool_calls == [call]

    @pytest.mark.parametrize(
        "text", ["", " ", "\0", "a\nb\r\n", '"\\', "\u00e9e\u0301", "\U0001f600\U0010ffff", "{}", "null"]
    )
    def test_any_text_comes_back_as_it_was(self, chat: OpenChat, message: MakeMessage, text: str) -> None:
        conversation = chat("user-1")
        conversation.add(message(text))
        assert conversation.texts() == [text]

    @pytest.mark.parametrize("payload", LC_PAYLOADS, ids=lambda payload: str(payload.get("type", "escaped")))
    def test_data_that_looks_like_an_object_stays_data(
        self, chat: OpenChat, message: MakeMessage, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BOTWIRE_TESTING_SECRET", "not to be seen")
        conversation = chat("user-1")
        conversation.add(
            message([{"type": "text", "text": "x", "extra": payload}]),
            message("x", "ai", additional_kwargs={"it": payload, **payload}),
            message("x", "ai", response_metadata={"it": [payload], **payload}),
        )
        content, kwargs, metadata = conversation.messages()
        assert content.content == [{"type": "text", "text": "x", "extra": payload}]
        assert kwargs.additional_kwargs == {"it": payload, **payload}
        assert metadata.response_metadata == {"it": [payload], **payload}
        assert "not to be seen" not in repr([content, kwargs, metadata])

    def test_what_is_given_back_belongs_to_the_caller(self, chat: OpenChat, message: MakeMessage) -> None:
        conversation = chat("user-1")
        conversation.add(message("one", additional_kwargs={"a": [1]}))
        given = conversation.messages()
        given[0].content = "changed"
        given[0].additional_kwargs["a"].append(2)
        given.append(message("two"))
        assert conversation.messages() == [message("one", additional_kwargs={"a": [1]})]

    def test_what_was_added_belongs_to_the_caller(self, chat: OpenChat, message: MakeMessage) -> None:
        conversation = chat("user-1")
        added = message("one")
        conversation.add(added)
        added.content = "changed"
        assert conversation.texts() == ["one"]

    def test_adding_nothing_adds_nothing(self, chat: OpenChat) -> None:
        conversation = chat("user-1")
        conversation.add()
        assert conversation.messages() == []

    def test_a_batch_is_added_whole_or_not_at_all(self, chat: OpenChat, message: MakeMessage) -> None:
        conversation = chat("user-1")
        conversation.add(message("before"))
        try:
            conversation.add(message("one"), message("two", additional_kwargs={"it": object()}))
        except Exception:  # noqa: BLE001  # which error it is, is the adapter's own affair
            assert conversation.texts() == ["before"]
        else:
            assert conversation.texts() == ["before", "one", "two"]

    def test_clear_takes_all_messages_of_the_session_and_no_other(self, chat: OpenChat, message: MakeMessage) -> None:
        mine, other = chat("user-1"), chat("user-11")
        mine.add(message("one"), message("two"))
        other.add(message("three"))
        mine.clear()
        assert mine.messages() == []
        assert other.texts() == ["three"]
        mine.clear()
        mine.add(message("four"))
        assert mine.texts() == ["four"]

    def test_no_session_reads_or_clears_another(self, chat: OpenChat, message: MakeMessage) -> None:
        for session_id in HOSTILE_SESSION_IDS:
            chat(session_id).add(message(ascii(session_id)), message("second"))
        for session_id in HOSTILE_SESSION_IDS:
            assert chat(session_id).texts() == [ascii(session_id), "second"]
        left = list(HOSTILE_SESSION_IDS)
        while left:
            chat(left.pop()).clear()
            assert [chat(session_id).texts() for session_id in left] == [[ascii(one), "second"] for one in left]

    def test_another_object_goes_on_with_the_session(self, chat: OpenChat, message: MakeMessage) -> None:
        chat("user-1").add(message("one"))
        second = chat("user-1")
        assert second.texts() == ["one"]
        second.add(message("two"))
        assert chat("user-1").texts() == ["one", "two"]

    def test_a_copy_is_a_handle_on_the_same_session(self, chat: OpenChat, message: MakeMessage) -> None:
        conversation = chat("user-1")
        for copied in (copy.copy(conversation.history), copy.deepcopy(conversation.history)):
            copied.add_messages([message("by a copy")])
        assert conversation.texts() == ["by a copy", "by a copy"]

    def test_both_colours_see_the_same_messages(self, history: OpenHistory, message: MakeMessage) -> None:
        one = history("user-1")
        one.add_messages([message("sync")])
        asyncio.run(one.aadd_messages([message("async")]))
        assert one.messages == asyncio.run(one.aget_messages()) == [message("sync"), message("async")]
        asyncio.run(one.aclear())
        assert one.messages == []

    def test_the_short_ways_to_add_work(self, history: OpenHistory, message: MakeMessage) -> None:
        one = history("user-1")
        one.add_user_message("hello")
        one.add_ai_message("good day")
        one.add_message(message("thanks"))
        assert one.messages == [message("hello"), message("good day", "ai"), message("thanks")]

    def test_writers_in_many_threads_lose_nothing(self, history: OpenHistory, message: MakeMessage) -> None:
        writers, batches = 8, 10

        def write(writer: int) -> None:
            own = history("user-1")
            for number in range(batches):
                own.add_messages([message(f"{writer}.{number}.question"), message(f"{writer}.{number}.answer", "ai")])

        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))
        texts = [one.content for one in history("user-1").messages]
        # A batch is one write, so nobody else's message stands within it.
        assert [text.replace("question", "answer") for text in texts[::2]] == texts[1::2]
        for writer in range(writers):
            mine = [text for text in texts[::2] if text.startswith(f"{writer}.")]
            assert mine == [f"{writer}.{number}.question" for number in range(batches)]

    def test_writers_in_one_event_loop_lose_nothing(self, history: OpenHistory, message: MakeMessage) -> None:
        one = history("user-1")

        async def write_all() -> None:
            await asyncio.gather(*(one.aadd_messages([message(str(number))]) for number in range(30)))

        asyncio.run(write_all())
        assert sorted(int(found.content) for found in one.messages) == list(range(30))
