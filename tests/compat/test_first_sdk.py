"""SDK 0.2.1, as it was published, beside this version: at its own service, and at ours."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from compat.first_sdk import FirstSdk
from house.tree import ROOT
from langchain_core.messages import AIMessage, HumanMessage, message_to_dict

from botwire_core.codec import encode
from botwire_core.errors import UnsupportedError
from botwire_core.memory import Memory
from botwire_core.stores.http.store import HttpStore
from botwire_langchain.history import BotWireChatHistory

# One worker runs them all: the environment is made once, and the processes of the SDK are shared.
pytestmark = pytest.mark.xdist_group("first-sdk")

PAGE = (ROOT / "docs" / "how-to" / "come-from-0.2.1.md").read_text(encoding="utf-8")


def rows_under(heading: str) -> list[tuple[Any, ...]]:
    """The values in the rows of the table under a heading; each cell begins with a Python literal in backquotes."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*) \|$", section, re.MULTILINE)
    return [tuple(ast.literal_eval(re.findall("`([^`]*)`", cell)[0]) for cell in row.split(" | ")) for row in rows]


WRITTEN_BY_US = rows_under("What this version writes, and 0.2.1 reads")
WRITTEN_BY_SDK = rows_under("What 0.2.1 writes, and this version reads")


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same, and of the same types inside."""
    return encode(one) == encode(other)


def test_it_is_the_published_one(sdk: FirstSdk) -> None:
    assert sdk.ask("version") == "0.2.1"


def test_all_of_it_works(sdk: FirstSdk, memory: Memory) -> None:
    namespace = memory.namespace
    assert sdk.get(namespace, "name", "nobody") == "nobody"
    sdk.set(namespace, "name", "Marta")
    sdk.set(namespace, "likes", ["tea", {"sugar": 0}])
    assert sdk.get(namespace, "name") == "Marta"
    assert sdk.get(namespace, "likes") == ["tea", {"sugar": 0}]
    assert sorted(listed["key"] for listed in sdk.ask("keys", namespace)) == ["likes", "name"]
    assert sdk.ask("in", namespace, "name") is True
    assert sdk.ask("in", namespace, "nobody") is False
    assert sdk.ask("delete", namespace, "name") is True
    assert sdk.ask("delete", namespace, "name") is False
    assert sdk.get(namespace, "name") is None
    assert memory.list_keys() == ["likes"]


def test_its_keys_reach_our_server_whole(sdk: FirstSdk, memory: Memory, is_first: bool) -> None:
    keys = ["A.b-c_9"] if is_first else ["A.b-c_9", "a b", "a/b/c", "user:1", "é", "a+b", "~x"]
    for key in keys:
        sdk.set(memory.namespace, key, [key])
        assert sdk.get(memory.namespace, key) == [key]
    assert memory.get_many(keys) == {key: [key] for key in keys}


@pytest.mark.parametrize("row", WRITTEN_BY_US, ids=lambda row: repr(row[0])[:30])
def test_what_we_write_it_reads_as_the_page_says(sdk: FirstSdk, memory: Memory, is_first: bool, row: Any) -> None:
    value, at_first, at_ours = row
    memory.set("k", value)
    assert is_same(sdk.get(memory.namespace, "k"), at_first if is_first else at_ours)
    assert is_same(memory.get("k"), value)


@pytest.mark.parametrize("row", WRITTEN_BY_SDK, ids=lambda row: repr(row[0])[:30])
def test_what_it_writes_we_read_as_the_page_says(sdk: FirstSdk, memory: Memory, is_first: bool, row: Any) -> None:
    value, by_itself, at_first, at_ours = row
    sdk.set(memory.namespace, "k", value)
    assert is_same(sdk.get(memory.namespace, "k"), by_itself)
    assert is_same(memory.get("k"), at_first if is_first else at_ours)


def test_what_is_no_json_stays_the_text_that_it_wrote(sdk: FirstSdk, memory: Memory) -> None:
    sdk.set(memory.namespace, "k", {"a": float("nan")})
    assert memory.get("k") == '{"a": NaN}'
    assert str(sdk.get(memory.namespace, "k")) == "{'a': nan}"


def test_numbers_of_ours_are_numbers_to_whoever_reads_them_as_such(sdk: FirstSdk, memory: Memory) -> None:
    memory.set("n", 5)
    assert int(sdk.get(memory.namespace, "n")) == 5


def test_a_conversation_that_it_began_goes_on(sdk: FirstSdk, ours: HttpStore, is_first: bool) -> None:
    for message in (HumanMessage("hello"), AIMessage("hi")):
        sdk.ask("add_message", "user-42", message_to_dict(message))
    kept = Memory("langchain-sessions", store=ours).get("user-42")
    assert [record["type"] for record in kept] == ["human", "ai"]
    history = BotWireChatHistory("user-42", Memory("langchain-sessions", store=ours))
    assert history.messages == [HumanMessage("hello"), AIMessage("hi")]
    if is_first:
        with pytest.raises(UnsupportedError, match="no logs"):
            history.add_user_message("more")
    else:
        history.add_user_message("more")
        assert [message.content for message in history.messages] == ["hello", "hi", "more"]
    # The list is left as it is, for the SDK to go on with.
    assert [record["data"]["content"] for record in sdk.ask("messages", "user-42")] == ["hello", "hi"]
    history.clear()
    assert history.messages == []
    assert sdk.ask("messages", "user-42") == []


async def test_a_conversation_that_it_began_is_read_in_the_other_colour(sdk: FirstSdk, ours: HttpStore) -> None:
    sdk.ask("add_message", "user-43", message_to_dict(HumanMessage("hello")))
    history = BotWireChatHistory("user-43", Memory("langchain-sessions", store=ours))
    assert await history.aget_messages() == [HumanMessage("hello")]
    await history.aclear()
    assert await history.aget_messages() == []
    await ours.aclose()
