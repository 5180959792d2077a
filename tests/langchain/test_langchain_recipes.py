"""The two ways in which people use a chat history with LangChain, and the message that one of them loses."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from langchain_classic.memory import ConversationBufferMemory
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory

from botwire import BotWireChatHistory, Memory, scope

# Both recipes are deprecated by LangChain, and used all the same.
pytestmark = pytest.mark.filterwarnings("ignore:.*:langchain_core._api.LangChainDeprecationWarning")

CONFIG: RunnableConfig = {"configurable": {"session_id": "user-42"}}
TALK = """
import warnings
warnings.simplefilter("ignore")
from botwire import BotWireChatHistory
from langchain_classic.memory import ConversationBufferMemory
memory = ConversationBufferMemory(chat_memory=BotWireChatHistory(session_id="user-42"), return_messages=True)
"""


def scripted(messages: list[BaseMessage]) -> AIMessage:
    return AIMessage(f"you said {len(messages)} things, last {messages[-1].content}")


def interrupted(messages: list[BaseMessage]) -> AIMessage:
    """A model that takes its time: meanwhile another tab of the same user goes on."""
    BotWireChatHistory("user-42").add_messages([HumanMessage("from another tab"), AIMessage("hello there")])
    return scripted(messages)


def chain(model: Runnable[list[BaseMessage], AIMessage], *, snapshot: bool) -> Runnable[list[BaseMessage], AIMessage]:
    return RunnableWithMessageHistory(model, lambda session_id: BotWireChatHistory(session_id, snapshot=snapshot))


def ask(asked: Runnable[list[BaseMessage], AIMessage], text: str, colour: str) -> AIMessage:
    question: list[BaseMessage] = [HumanMessage(text)]
    if colour == "sync":
        return asked.invoke(question, CONFIG)
    return asyncio.run(asked.ainvoke(question, CONFIG))


def texts() -> list[str]:
    return [str(message.content) for message in BotWireChatHistory("user-42").messages]


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_runnable_remembers_the_conversation(colour: str, snapshot: bool) -> None:
    talk = chain(RunnableLambda(scripted), snapshot=snapshot)
    assert ask(talk, "hello", colour).content == "you said 1 things, last hello"
    assert ask(talk, "thanks", colour).content == "you said 3 things, last thanks"
    assert texts() == ["hello", "you said 1 things, last hello", "thanks", "you said 3 things, last thanks"]


def test_without_a_snapshot_the_runnable_loses_the_users_message(colour: str) -> None:
    # LangChain's own doing, and the reason for the option; if this fails, LangChain has changed and it can go.
    ask(chain(RunnableLambda(interrupted), snapshot=False), "my question", colour)
    assert texts() == ["from another tab", "hello there", "you said 1 things, last my question"]


def test_with_a_snapshot_nobody_loses_a_message(colour: str) -> None:
    ask(chain(RunnableLambda(interrupted), snapshot=True), "my question", colour)
    assert texts() == ["from another tab", "hello there", "my question", "you said 1 things, last my question"]
    ask(chain(RunnableLambda(interrupted), snapshot=True), "my second", colour)
    assert texts()[-4:] == ["from another tab", "hello there", "my second", "you said 5 things, last my second"]


def test_a_runnable_in_a_scope_remembers_only_there(colour: str) -> None:
    talk = chain(RunnableLambda(scripted), snapshot=True)
    ask(talk, "base", colour)
    for variant in ("v1", "v2"):
        with scope(variant=variant, run_id="r1"):
            ask(talk, variant, colour)
            assert texts() == ["base", "you said 1 things, last base", variant, f"you said 3 things, last {variant}"]
    assert texts() == ["base", "you said 1 things, last base"]


def test_a_placeholder_for_the_history_needs_no_snapshot(colour: str) -> None:
    prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{question}")])
    talk: Runnable[dict[str, str], AIMessage] = RunnableWithMessageHistory(
        prompt | RunnableLambda(lambda value: interrupted(value.to_messages())),
        BotWireChatHistory,
        input_messages_key="question",
        history_messages_key="history",
    )
    question = {"question": "my question"}
    talk.invoke(question, CONFIG) if colour == "sync" else asyncio.run(talk.ainvoke(question, CONFIG))
    assert texts() == ["from another tab", "hello there", "my question", "you said 1 things, last my question"]


def test_a_snapshot_ends_with_what_the_object_itself_adds() -> None:
    memory = Memory("chats")
    history = BotWireChatHistory("user-42", memory, snapshot=True)
    other = BotWireChatHistory("user-42", memory)
    assert history.messages == []
    other.add_user_message("by another")
    assert history.messages == asyncio.run(history.aget_messages()) == []
    history.add_user_message("by this")
    assert [message.content for message in history.messages] == ["by another", "by this"]
    other.clear()
    assert len(history.messages) == 2
    history.clear()
    assert history.messages == []


def test_conversation_buffer_memory_goes_on_in_another_process() -> None:
    memory = ConversationBufferMemory(chat_memory=BotWireChatHistory(session_id="user-42"), return_messages=True)
    memory.save_context({"input": "I drink tea"}, {"output": "noted"})
    code = "print([m.content for m in memory.load_memory_variables({})['history']]); memory.clear()"
    result = subprocess.run([sys.executable, "-c", TALK + code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "['I drink tea', 'noted']", result.stderr
    assert memory.load_memory_variables({}) == {"history": []}
    asyncio.run(memory.asave_context({"input": "hello again"}, {"output": "good day"}))
    assert texts() == ["hello again", "good day"]
