"""Memory of a prompt's version outside of evaluations: resolved once, pinned, and offline by what stands in a file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from evaluating import evaluate
from humanloop import AsyncHumanloop, Humanloop
from humanloop.core.api_error import ApiError

from botwire_core.errors import InvalidValueError, ScopeError
from botwire_core.memory import Memory
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.current import current_scope
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.upkeep import scoped_namespaces
from botwire_humanloop import prompt_scope, scoped
from botwire_humanloop.offline import OfflineHumanloop

pytestmark = pytest.mark.xdist_group("humanloop")


@pytest.fixture
def versions(api: OfflineHumanloop) -> tuple[str, str]:
    """Two versions of support/answer; the first is in production, the second elsewhere."""
    first, second = (
        api.files.put("prompts", {"path": "support/answer", "template": name})["version_id"] for name in "ab"
    )
    api.files.deploy("support/answer", "production", first)
    return first, second


@pytest.fixture
async def async_client(api: OfflineHumanloop) -> AsyncIterator[AsyncHumanloop]:
    async with httpx.AsyncClient() as http:
        yield AsyncHumanloop(base_url=api.url, api_key="none", httpx_client=http)


def names(memory: Memory) -> list[str]:
    return [one.name for one in scoped_namespaces(memory.store)]


def test_the_version_that_is_read_for_is_the_one_that_is_called(
    api: OfflineHumanloop, bare_client: Humanloop, memory: Memory, versions: tuple[str, str]
) -> None:
    first, second = versions
    with prompt_scope(bare_client, path="support/answer", environment="production") as here:
        api.files.deploy("support/answer", "production", second)
        memory.set("asked", True)
        called = bare_client.prompts.call(path="support/answer", version_id=here.prompt_version, inputs={})
    assert here.prompt_version == called.prompt.version_id == first
    assert here.environment == "production"
    assert names(memory) == [f"support@{first}"]
    assert [path for _, path, _ in api.calls] == ["/files/retrieve-by-path", "/prompts/call"]
    assert not memory.exists("asked")
    with prompt_scope(bare_client, path="support/answer", environment="production") as here:
        assert (here.prompt_version, memory.exists("asked")) == (second, False)


async def test_it_works_in_both_colours(
    bare_client: Humanloop, async_client: AsyncHumanloop, memory: Memory, versions: tuple[str, str]
) -> None:
    for client in (async_client, bare_client):
        async with prompt_scope(client, path="support/answer") as here:
            assert here.prompt_version == versions[1]
            await memory.aincrement("count")
        assert current_scope() is None
    with pytest.raises(InvalidValueError, match="asynchronous"), prompt_scope(async_client, path="support/answer"):
        pass
    assert (await asyncio.to_thread(memory.get, "count")) is None
    async with prompt_scope(async_client, path="support/answer"):
        assert await memory.aget("count") == 2


def test_other_threads_of_a_live_service_are_not_disturbed(
    bare_client: Humanloop, memory: Memory, versions: tuple[str, str]
) -> None:
    with prompt_scope(bare_client, path="support/answer"):
        memory.set("mine", 1)
        thread = threading.Thread(target=memory.set, args=("other request", 1))
        thread.start()
        thread.join()
        assert not memory.exists("other request")
    assert memory.get("other request") == 1


def test_a_run_around_it_keeps_its_own_variant(
    bare_client: Humanloop, memory: Memory, versions: tuple[str, str]
) -> None:
    with scope(variant="mine", run_id="r"), prompt_scope(bare_client, path="support/answer") as here:
        assert here.prompt_version == versions[1]
        memory.set("k", 1)
    with scope(run_id="r"), prompt_scope(bare_client, path="support/answer"):
        memory.set("k", 1)
    assert names(memory) == ["support@mine~r", f"support@{versions[1]}~r"]


def test_inside_an_evaluation_the_version_is_the_one_evaluated(
    api: OfflineHumanloop, client: Humanloop, memory: Memory, versions: tuple[str, str]
) -> None:
    pinned: list[Any] = []

    def answer(question: str) -> str:
        with prompt_scope(client, path="support/answer", environment="production") as here:
            pinned.append(here.prompt_version)
            memory.set("question", question)
        with prompt_scope(client, path="support/other", version_id="prv_other") as here:
            pinned.append(here.prompt_version)
            memory.set("other", question)
        return question

    evaluate(client, answer, version="c", points=1)
    evaluated = api.files.by_path("support/answer", None)["version_id"]
    assert pinned == [evaluated, "prv_other"]
    assert names(memory) == [f"support@{evaluated}~{next(iter(api.runs))}"]


def test_a_decorated_function_runs_in_the_scope_of_its_prompt(
    api: OfflineHumanloop, client: Humanloop, memory: Memory, versions: tuple[str, str]
) -> None:
    @scoped(client, path="support/answer", environment="production")
    @client.prompt(path="support/answer")
    def answer(question: str) -> str:
        memory.set("question", question)
        return question

    assert answer("q") == "q"
    assert names(memory) == [f"support@{versions[0]}"]
    asked = len(api.calls)
    evaluate(client, answer, version="c", points=1)
    assert ("POST", "/files/retrieve-by-path") not in [call[:2] for call in api.calls[asked + 1 :]]
    evaluated = api.files.by_path("support/answer", None)["version_id"]
    assert f"support@{evaluated}~{next(iter(api.runs))}" in names(memory)


async def test_a_decorated_coroutine_function_stays_one(
    async_client: AsyncHumanloop, memory: Memory, versions: tuple[str, str]
) -> None:
    @scoped(async_client, path="support/answer")
    async def answer(question: str) -> str:
        await memory.aset("question", question)
        return question

    assert await asyncio.gather(answer("a"), answer("b")) == ["a", "b"]
    with scope(variant="mine", run_id="r"):
        await answer("c")
    assert names(memory) == ["support@mine~r", f"support@{versions[1]}"]


def test_a_prompt_file_is_a_version_without_any_service(memory: Memory, tmp_path: Path) -> None:
    file = tmp_path / "answer.prompt"
    for text in (b"Be brief.\n", b"Be brief.\r\n", b"Be kind.\n"):
        file.write_bytes(text)
        with prompt_scope(file=file) as here:
            memory.increment("count")
        assert here.prompt_version is None
    counts = {one.name: Memory(one.name, store=memory.store).get("count") for one in scoped_namespaces(memory.store)}
    assert sorted(counts.values()) == [1, 2]
    assert all(name.startswith("support@answer-") for name in counts)


def test_a_prompt_in_code_is_named_or_told_by_what_defines_it(memory: Memory) -> None:
    kernel = {"model": "m", "temperature": 0.8}

    @scoped(path="support/answer", version=kernel)
    def defined() -> None:
        memory.increment("count")

    @scoped(path="support/answer", version={"temperature": 0.8, "model": "m"})
    def defined_again() -> None:
        memory.increment("count")

    @scoped(path="support/answer", variant="by-hand")
    def named() -> None:
        memory.increment("count")

    for function in (defined, defined_again, named):
        function()
    first, second = names(memory)
    assert first.startswith("support@answer-")
    assert second == "support@by-hand"
    assert Memory(first, store=memory.store).get("count") == 2


def test_a_policy_that_was_said_holds(memory: Memory) -> None:
    with (
        scope_policy(isolation="run"),
        prompt_scope(path="p", version_id="v"),
        pytest.raises(ScopeError, match="the run is not known"),
    ):
        memory.set("k", 1)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"path": "p"}, "without a client"),
        ({"version_id": "v"}, "path: it is missing"),
        ({"path": "p", "version_id": "v", "variant": "w"}, "version_id and variant"),
        ({"file": "nowhere.prompt"}, "cannot be read"),
        ({"path": "p", "version": {"tools": {1, 2}}}, "version: .*not JSON"),
    ],
)
def test_arguments_that_name_no_version_are_refused(given: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidValueError, match=match), prompt_scope(**given):
        pass


def test_an_answer_without_a_version_is_never_the_base(
    api: OfflineHumanloop, bare_client: Humanloop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ApiError), prompt_scope(bare_client, path="support/unknown"):
        pass
    monkeypatch.setattr(api, "find_file", lambda query, body: {"id": "pr_1", "type": "prompt"})
    with pytest.raises(ScopeError, match="tells no version of 'support/answer'"):
        prompt_scope(bare_client, path="support/answer").__enter__()
