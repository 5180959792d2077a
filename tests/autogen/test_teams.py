"""Real agents and teams: they remember, they resume in another process, and they stay in their scope."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from autogen.member import take_turns
from autogen.teams import agent, calling, scripted, shown, team
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Team
from autogen_core import CancellationToken, Image
from autogen_core.memory import MemoryContent, MemoryMimeType
from PIL import Image as Pictures
from server.granting import give

from botwire import Memory, scope
from botwire_autogen.blocks import HEADER
from botwire_autogen.context import BotWireChatCompletionContext
from botwire_autogen.memory import BotWireMemory
from botwire_autogen.state import load_team, save_team
from botwire_autogen.tools import memory_tools
from botwire_core.errors import ConflictError, ForbiddenError, InvalidValueError
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.testing import served

TESTS = Path(__file__).parents[1]


def known(text: str) -> MemoryContent:
    return MemoryContent(content=text, mime_type=MemoryMimeType.TEXT)


class TestAnAgent:
    async def test_it_is_shown_what_is_known_once_in_three_turns(self, memory: Memory) -> None:
        knowledge = BotWireMemory(memory)
        await knowledge.add(known("likes tea"))
        model = scripted("one", "two", "three")
        helper = agent("helper", model, memory=[knowledge])
        events = []
        for question in ("a", "b", "c"):
            result = await helper.run(task=question)
            events += [message for message in result.messages if message.type == "MemoryQueryEvent"]  # type: ignore[union-attr]
        block = f'{HEADER}\n- "likes tea"'
        assert shown(model) == ["a", block, "one", "b", "two", "c"]
        assert [content.content for event in events for content in event.content] == ["likes tea"] * 3

    async def test_it_learns_from_another_agent_between_two_turns(self, memory: Memory) -> None:
        model = scripted("one", "two")
        helper = agent("helper", model, memory=[BotWireMemory(memory)])
        await helper.run(task="a")
        await BotWireMemory(memory).add(known("likes cake"))
        await helper.run(task="b")
        assert shown(model) == ["a", "one", "b", f'{HEADER}\n- "likes cake"']

    async def test_its_context_goes_on_without_any_saved_state(self, memory: Memory) -> None:
        for question, answer in (("a", "one"), ("b", "two")):
            model = scripted(answer)
            helper = agent("helper", model, model_context=BotWireChatCompletionContext(memory, name="helper"))
            await helper.run(task=question)
        assert shown(model) == ["a", "one", "b"]

    async def test_a_reset_clears_its_context_and_no_other(self, memory: Memory) -> None:
        helper = agent("helper", scripted("one"), model_context=BotWireChatCompletionContext(memory, name="helper"))
        other = BotWireChatCompletionContext(memory, name="other")
        await helper.run(task="a")
        await other.load_state(await helper.model_context.save_state())
        await helper.on_reset(CancellationToken())
        assert await helper.model_context.get_messages() == []
        assert len(await other.get_messages()) == 2

    async def test_the_dump_of_an_agent_restores_all_that_it_was_given(self, memory: Memory) -> None:
        await BotWireMemory(memory).add(known("likes tea"))
        given = agent(
            "helper",
            scripted(calling("remember", key="a", value="b"), "done"),
            memory=[BotWireMemory(memory)],
            model_context=BotWireChatCompletionContext(memory, name="helper"),
            tools=memory_tools(memory),
            reflect_on_tool_use=True,
        )
        restored = AssistantAgent.load_component(json.loads(given.dump_component().model_dump_json()))
        await restored.run(task="hello")
        assert memory.get("a") == "b"
        assert len(await given.model_context.get_messages()) == 5
        await restored.close()


class TestATeam:
    async def test_it_goes_on_where_it_stopped(self, memory: Memory) -> None:
        await BotWireMemory(memory).add(known("likes tea"))
        first = await take_turns(memory, "Write.", "draft", "shorter")
        assert (first["loaded"], first["version"]) == (False, 1)
        second = await take_turns(memory, "Go on.", "draft two", "good")
        assert (second["loaded"], second["version"]) == (True, 2)
        block = f'{HEADER}\n- "likes tea"'
        assert second["writer was shown"] == ["Write.", block, "draft", "shorter", "Go on."]
        assert second["critic was shown"] == ["Write.", "draft", "shorter", "Go on.", "draft two"]

    async def test_whose_turn_it_is_is_kept_too(self, memory: Memory) -> None:
        await take_turns(memory, "Write.", "draft")
        second = await take_turns(memory, "Go on.", "never said", "too long")
        assert [source for source, _ in second["said"]] == ["user", "critic", "writer"]

    def test_it_goes_on_in_another_process(self, url: str) -> None:
        namespace = f"test-{uuid4().hex}"

        def run(*arguments: str) -> Any:
            result = subprocess.run(
                [sys.executable, "-m", "autogen.member", url, namespace, *arguments],
                capture_output=True, text=True, cwd=TESTS, env={**os.environ, "PYTHONPATH": str(TESTS)},
            )  # fmt: skip
            assert result.returncode == 0, result.stderr
            return json.loads(result.stdout)

        assert run("Write.", "draft", "shorter")["loaded"] is False
        second = run("Go on.", "draft two", "good")
        assert second["loaded"] is True
        assert second["writer was shown"] == ["Write.", "draft", "shorter", "Go on."]
        assert second["critic was shown"] == ["Write.", "draft", "shorter", "Go on.", "draft two"]
        assert Memory(namespace, url).entry("teams/default").version == 2  # type: ignore[union-attr]

    async def test_each_name_is_a_team_of_its_own(self, memory: Memory) -> None:
        one = team(agent("writer", scripted("draft")), turns=2)
        assert await load_team(one, memory, name="a/b") is False
        await one.run(task="Write.")
        for name in ("a/b", "a", "x" * 2000):
            await save_team(one, memory, name=name)
        assert len(memory.keys("teams/")) == 3
        assert await load_team(team(agent("writer", scripted()), turns=2), memory, name="a/b") is True
        for name in ("", None, 7):
            with pytest.raises(InvalidValueError, match="names no team"):
                await save_team(one, memory, name=name)  # type: ignore[arg-type]

    async def test_an_agent_alone_is_saved_likewise(self, memory: Memory) -> None:
        helper = agent("helper", scripted("one"))
        await helper.run(task="a")
        await save_team(helper, memory, name="helper")
        model = scripted("two")
        other = agent("helper", model)
        assert await load_team(other, memory, name="helper") is True
        await other.run(task="b")
        assert shown(model) == ["a", "one", "b"]

    async def test_a_state_that_somebody_else_saved_meanwhile_is_not_overwritten(self, memory: Memory) -> None:
        one = team(agent("writer", scripted("draft")), turns=2)
        version = await save_team(one, memory, if_version=0)
        await save_team(one, memory)
        with pytest.raises(ConflictError):
            await save_team(one, memory, if_version=version)

    async def test_an_older_state_can_be_taken_up_again(self, memory: Memory) -> None:
        await take_turns(memory, "Write.", "draft", "shorter")
        await take_turns(memory, "Go on.", "draft two", "good")
        memory.restore("teams/default", 1)
        third = await take_turns(memory, "Once more.", "draft three", "better")
        assert third["writer was shown"] == ["Write.", "draft", "shorter", "Once more."]

    async def test_the_state_of_another_team_is_refused_by_autogen(self, memory: Memory) -> None:
        await save_team(team(agent("writer", scripted()), turns=2), memory)
        with pytest.raises(ValueError, match="critic not found"):
            await load_team(team(agent("critic", scripted()), turns=2), memory)

    async def test_it_can_be_saved_whatever_its_memory_holds(self, memory: Memory) -> None:
        # AutoGen keeps what was recalled with the state, as JSON text, and cannot write down bytes.
        knowledge = BotWireMemory(memory)
        await knowledge.add(MemoryContent(content=b"\xff\xfe", mime_type=MemoryMimeType.BINARY))
        await knowledge.add(MemoryContent(content=Image(Pictures.new("RGB", (2, 2))), mime_type=MemoryMimeType.IMAGE))
        await knowledge.add(MemoryContent(content={"data": "no image"}, mime_type=MemoryMimeType.JSON))
        for loaded in (False, True):
            one = team(agent("writer", scripted("draft"), memory=[knowledge]), turns=2)
            assert await load_team(one, memory) is loaded
            result = await one.run(task="Write.")
            await save_team(one, memory)
        (event,) = [message for message in result.messages if message.type == "MemoryQueryEvent"]  # type: ignore[union-attr]
        assert event.content[0].content == {"mime_type": "application/octet-stream", "bytes": 2}
        assert (await knowledge.query("")).results[0].content == b"\xff\xfe"

    async def test_a_whole_team_is_restored_from_its_dump_and_its_state(self, memory: Memory) -> None:
        context = BotWireChatCompletionContext(memory, name="writer")
        one: Team = team(agent("writer", scripted("draft", "more"), model_context=context), turns=2)
        await one.run(task="Write.")
        await save_team(one, memory)
        other = Team.load_component(json.loads(one.dump_component().model_dump_json()))
        await load_team(other, memory)
        assert len((await other.run(task="Go on.")).messages) == 2
        assert len(await context.get_messages()) == 4


class TestScopes:
    async def test_a_team_stays_in_the_scope_that_it_runs_in(self, memory: Memory) -> None:
        # AutoGen's runtime handles messages in tasks of its own.
        await BotWireMemory(memory).add(known("likes tea"))
        base = memory.keys()
        for variant in ("v1", "v2"):
            with scope(variant=variant, run_id="r1"):
                first = await take_turns(memory, f"Write {variant}.", "draft", "shorter")
                second = await take_turns(memory, "Go on.", "draft two", "good")
                assert (first["loaded"], second["loaded"]) == (False, True)
                assert second["writer was shown"][0] == f"Write {variant}."
                assert len(memory.keys("contexts/writer/")) == 6
        assert memory.keys() == base

    async def test_a_team_that_was_made_before_any_scope_uses_the_one_that_it_runs_in(self, memory: Memory) -> None:
        model = scripted(calling("remember", key="key", value="v1"), calling("remember", key="key", value="v2"))
        both = team(agent("writer", model, tools=memory_tools(memory)), turns=2)
        for variant in ("v1", "v2"):
            with scope(variant=variant, run_id="r1"):
                await both.run(task="Remember it.")
                assert memory.get("key") == variant
        assert memory.keys() == []


class TestTenants:
    @pytest.fixture
    def tenants(self, tmp_path: Path) -> Iterator[list[Memory]]:
        store = SqliteStore(tmp_path / "tenants.db", durability="normal")
        names = ["tenant-ana", "tenant-tom"]
        tokens = [give(store, f"{name}:read,write,delete")[0] for name in names]
        with served(store) as url:
            yield [Memory(name, url, token=token) for name, token in zip(names, tokens, strict=True)]
        store.close()

    async def test_two_tenants_never_see_each_other(self, tenants: list[Memory]) -> None:
        for memory in tenants:
            await BotWireMemory(memory).add(known(f"the secret of {memory.namespace}"))
            await take_turns(memory, f"For {memory.namespace}.", "draft", "shorter")
        for memory, other in zip(tenants, reversed(tenants), strict=True):
            later = await take_turns(memory, "Go on.", "draft two", "good")
            assert later["loaded"] is True
            assert other.namespace not in json.dumps(later)
            (found,) = (await BotWireMemory(memory).query("secret")).results
            assert found.content == f"the secret of {memory.namespace}"

    async def test_a_token_opens_nothing_of_another_tenant(self, tenants: list[Memory]) -> None:
        ana, tom = tenants
        await take_turns(tom, "For tom.", "draft", "shorter")
        intruder = Memory(tom.namespace, ana._url, token=ana._token)
        one = team(agent("writer", scripted()), turns=2)
        for attempt in (
            lambda: BotWireMemory(intruder).query(""),
            lambda: BotWireMemory(intruder).add(known("x")),
            lambda: BotWireMemory(intruder).clear(),
            lambda: BotWireChatCompletionContext(intruder, name="writer").get_messages(),
            lambda: load_team(one, intruder),
            lambda: save_team(one, intruder),
        ):
            with pytest.raises(ForbiddenError):
                await attempt()
        model = scripted(calling("recall", key="teams/default"), "done")
        helper = agent("helper", model, tools=memory_tools(intruder), reflect_on_tool_use=True)
        result = await helper.run(task="Look.")
        (execution,) = [message for message in result.messages if message.type == "ToolCallExecutionEvent"]  # type: ignore[union-attr]
        assert execution.content[0].is_error
        assert "draft" not in execution.content[0].content
