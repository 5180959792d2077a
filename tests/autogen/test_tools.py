"""The tools of AutoGen's agents, called by themselves and by an agent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from autogen.teams import agent, calling, scripted
from autogen_core import CancellationToken
from autogen_core.tools import BaseTool, StaticWorkbench

from botwire import Memory
from botwire_autogen.tools import MemoryToolError, memory_tools
from botwire_core.errors import InvalidNamespaceError, InvalidValueError, StoreUnavailableError


async def ask(tool: Any, **arguments: Any) -> Any:
    return json.loads(await tool.run_json(arguments, CancellationToken()))


async def test_an_agent_remembers_recalls_lists_and_forgets(memory: Memory) -> None:
    remember, recall, list_memory, forget = memory_tools(memory, forget=True)
    assert [tool.name for tool in (remember, recall, list_memory, forget)] == [
        "remember", "recall", "list_memory", "forget"
    ]  # fmt: skip
    assert await ask(remember, key="user:ana", value="lives in Porto") == {"remembered": "user:ana", "version": 1}
    assert memory.get("user:ana") == "lives in Porto"
    assert (await ask(recall, key="user:ana"))["value"] == "lives in Porto"
    assert (await ask(recall, key="user:tom"))["similar"] == ["user:ana"]
    assert await ask(list_memory) == {"keys": ["user:ana"], "truncated": False}
    assert await ask(forget, key="user:ana") == {"key": "user:ana", "forgotten": True}
    assert memory.keys() == []


def test_nothing_is_forgotten_unless_it_was_asked_for() -> None:
    assert [tool.name for tool in memory_tools("x")] == ["remember", "recall", "list_memory"]


def test_the_model_is_told_what_a_tool_takes() -> None:
    remember, _, list_memory = memory_tools("secret-namespace")
    schema = remember.schema
    assert schema["parameters"]["required"] == ["key", "value"]
    assert set(list_memory.schema["parameters"]["properties"]) == {"prefix", "after"}
    assert schema["description"].startswith("Remember something")
    assert "secret-namespace" not in json.dumps(schema)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [(0, {"key": "a"}, "value: Field required"), (1, {"key": ""}, "key"), (1, {"key": 7}, "valid string"),
     (0, {"key": "a", "value": "\ud800"}, "value")],
)  # fmt: skip
async def test_a_mistake_is_an_answer_with_a_hint(
    memory: Memory, tool: int, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(MemoryToolError) as caught:
        await memory_tools(memory)[tool].run_json(arguments, CancellationToken())
    answer = json.loads(str(caught.value))
    assert said in answer["error"]
    assert answer["hint"]
    assert "pydantic" not in str(caught.value)
    result = await StaticWorkbench(memory_tools(memory)).call_tool(  # type: ignore[arg-type]
        ["remember", "recall"][tool], arguments
    )
    assert result.is_error
    assert json.loads(result.to_text()) == answer


async def test_a_store_that_is_down_is_no_mistake_of_the_model() -> None:
    recall = memory_tools(Memory("x", "http://127.0.0.1:9", timeout=0.2))[1]
    with pytest.raises(StoreUnavailableError):
        await recall.run_json({"key": "a"}, CancellationToken())


async def test_what_is_remembered_can_expire_and_answers_are_bounded(memory: Memory) -> None:
    remember, recall, list_memory = memory_tools(memory, ttl=3600, max_items=1, max_bytes=10)
    await ask(remember, key="a", value="x" * 100)
    await ask(remember, key="b", value="y")
    assert memory.ttl("a") is not None
    assert (await ask(recall, key="a"))["value_start"] == "x" * 10
    assert await ask(list_memory) == {"keys": ["a"], "truncated": True, "next_after": "a"}


@pytest.mark.parametrize("options", [{"ttl": 0}, {"max_items": 0}, {"max_bytes": -1}])
def test_a_bad_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        memory_tools("x", **options)
    with pytest.raises(InvalidNamespaceError):
        memory_tools("a/b")


async def test_a_real_agent_calls_them(memory: Memory) -> None:
    model = scripted(calling("remember", key="city", value="Porto"), "Noted.")
    first = agent("helper", model, tools=memory_tools(memory), reflect_on_tool_use=True)
    assert (await first.run(task="I live in Porto.")).messages[-1].content == "Noted."  # type: ignore[union-attr]
    model = scripted(calling("recall", key="city"), calling("recall", key=""), "You live in Porto.")
    second = agent("helper", model, tools=memory_tools(memory), reflect_on_tool_use=True, max_tool_iterations=2)
    result = await second.run(task="Where do I live?")
    assert result.messages[-1].content == "You live in Porto."  # type: ignore[union-attr]
    results = [message.content[0] for message in result.messages if message.type == "ToolCallExecutionEvent"]  # type: ignore[union-attr,attr-defined]
    assert [(one.is_error, "Porto" in one.content) for one in results] == [(False, True), (True, False)]


async def test_a_dump_restores_each_of_them(memory: Memory) -> None:
    for tool in memory_tools(memory, forget=True, ttl=60, max_items=5, max_bytes=50):
        other = BaseTool.load_component(tool.dump_component().model_dump())
        assert type(other) is type(tool)
        assert other.schema == tool.schema
        assert (other.memory.namespace, other.ttl, other.max_items, other.max_bytes) == (  # type: ignore[attr-defined]
            memory.namespace, 60, 5, 50
        )  # fmt: skip
    workbench = StaticWorkbench.load_component(StaticWorkbench(memory_tools(memory)).dump_component())  # type: ignore[arg-type]
    await workbench.call_tool("remember", {"key": "a", "value": "b"})
    assert memory.get("a") == "b"
