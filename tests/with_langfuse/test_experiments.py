"""Experiments run by Langfuse's own SDK: every version, run or item has memory of its own, and nothing leaks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langfuse import Evaluation
from langfuse.api import DatasetItem, DatasetStatus, Prompt_Text
from langfuse.model import TextPromptClient
from opentelemetry.sdk.trace import TracerProvider
from witness import Witness, state

from botwire import ScopeError, bind, current_scope, scope, scope_policy
from botwire.scopes import MemoryReport, scoped_namespaces
from botwire_core.memory import Memory
from botwire_core.scopes.naming import Isolation
from botwire_langfuse import run_experiment

ItemOf = Callable[..., Any]


def plain(client: Any, **arguments: Any) -> Any:
    """Langfuse as it is, with nothing done to it."""
    return client.run_experiment(**arguments)


def prompt(version: int) -> TextPromptClient:
    text = Prompt_Text(prompt="Be brief.", name="answer", version=version, config={}, labels=[], tags=[])
    return TextPromptClient(text)


def judgments(result: Any) -> list[Any]:
    return [one.value for item in result.item_results for one in item.evaluations]


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("isolation", ["version", "run", "datapoint"])
@pytest.mark.parametrize("way", [plain, run_experiment], ids=["by itself", "run_experiment"])
def test_not_one_key_leaks_and_all_start_from_the_same_seed(
    client: Any,
    memory: Memory,
    tmp_path: Path,
    scale: Callable[[int], int],
    way: Callable[..., Any],
    isolation: Isolation,
    workers: int,
) -> None:
    points = scale(50)
    witness = Witness(memory, isolation)
    before = state(memory, tmp_path)

    async def task(*, item: Any, **_: Any) -> str:
        return await asyncio.to_thread(witness.answer, item["input"])

    def judge(*, input: str, **_: Any) -> Evaluation:
        return Evaluation(name="reads its item", value=witness.judge(input))

    data = [{"input": f"question {number}"} for number in range(points)]
    with scope_policy(isolation=isolation):
        for version in ("1", "2"):
            metadata = {"prompt_name": "answer", "prompt_version": version, "botwire.experiment": "e"}
            result = way(
                client, name="n", data=data, task=task, evaluators=[judge], metadata=metadata, max_concurrency=workers
            )
            assert judgments(result) == [True] * points
    assert {variant for variant, _, _ in witness.places} == {"answer.v1", "answer.v2"}
    assert len(witness.places) == 2 * points
    witness.check(answers=2 * points, namespaces=2 * (points if isolation == "datapoint" else 1))
    assert MemoryReport.of(memory.store, "support").contamination() == []
    assert state(memory, tmp_path) == before


def test_a_prompt_is_the_variant_and_stands_in_the_metadata(client: Any, memory: Memory) -> None:
    found = []

    def task(*, item: Any, **_: Any) -> str:
        found.append(current_scope())
        return "x"

    run_experiment(client, name="n", data=[{"input": "q"}], task=task, prompt=prompt(3), experiment="tone")
    run_experiment(client, name="n", data=[{"input": "q"}], task=task, prompt=prompt(3), variant="answer.v3.small")
    one, other = found
    assert one is not None and other is not None
    assert (one.variant, one.prompt_path, one.prompt_version, one.experiment) == ("answer.v3", "answer", "3", "tone")
    assert (other.variant, other.prompt_version, other.experiment) == ("answer.v3.small", "3", None)
    assert one.datapoint_id == other.datapoint_id
    assert one.run_id != other.run_id


@pytest.mark.parametrize(
    ("metadata", "variant"),
    [
        (None, None),
        ({"team": "support"}, None),
        ({"prompt_version": "prv_1"}, "prv_1"),
        ({"prompt_version": "7"}, "v7"),
        ({"prompt_name": "answer", "prompt_version": 7}, "answer.v7"),
        ({"prompt_name": "answer", "prompt_version": True}, None),
        ({"prompt_name": "answer", "prompt_version": ["7"]}, None),
        ({"prompt_version": "7", "botwire.variant": "mine"}, "mine"),
        ({"prompt_version": "", "botwire.variant": ""}, None),
    ],
)
def test_an_unknown_version_is_isolated_by_its_run(
    client: Any, memory: Memory, tmp_path: Path, metadata: Any, variant: str | None
) -> None:
    before = state(memory, tmp_path)

    def task(*, item: Any, **_: Any) -> str:
        memory.set("tone", "spoiled")
        return "x"

    result = client.run_experiment(name="n", data=[{"input": "q"}], task=task, metadata=metadata)
    assert len(result.item_results) == 1
    (made,) = scoped_namespaces(memory.store, "support")
    assert (made.scope.variant, made.scope.run_id) == (variant, result.experiment_id)
    assert state(memory, tmp_path) == before


@pytest.mark.parametrize("way", [plain, run_experiment], ids=["by itself", "run_experiment"])
def test_items_of_a_dataset_keep_their_ids(client: Any, memory: Memory, way: Callable[..., Any]) -> None:
    now = datetime.now(UTC)
    item = DatasetItem(
        id="item-7",
        status=DatasetStatus.ACTIVE,
        input={"q": "why?"},
        expected_output=None,
        metadata=None,
        dataset_id="ds",
        dataset_name="support-qa",
        created_at=now,
        updated_at=now,
        media_references=[],
    )
    found = []
    way(client, name="n", data=[item], task=lambda *, item, **_: found.append(current_scope()))
    assert [one.datapoint_id for one in found if one is not None] == ["item-7"]


@pytest.mark.parametrize("way", [plain, run_experiment], ids=["by itself", "run_experiment"])
@pytest.mark.parametrize("options", [{"sample_rate": 0.0}, {"tracing_enabled": False}], ids=str)
def test_spans_that_nobody_records_isolate_too(
    make_client: Callable[..., Any], memory: Memory, way: Callable[..., Any], options: dict[str, Any]
) -> None:
    result = way(make_client(**options), name="n", data=[{"input": "q"}], task=lambda *, item, **_: memory.set("k", 1))
    assert len(result.item_results) == 1
    assert not memory.exists("k")
    assert len(scoped_namespaces(memory.store, "support")) == 1


def test_spans_of_others_in_a_task_and_threads_with_its_context_stay_in_the_item(client: Any, memory: Memory) -> None:
    others = TracerProvider().get_tracer("others")
    found = []

    async def task(*, item: Any, **_: Any) -> str:
        with others.start_as_current_span("theirs"), client.start_as_current_observation(name="ours"):
            found.append(current_scope())
            found.append(await asyncio.to_thread(current_scope))
            found.append(await asyncio.create_task(asyncio.to_thread(current_scope)))
        return "x"

    client.run_experiment(name="n", data=[{"input": "q"}], task=task)
    assert len(found) == 3
    assert found[0] is not None
    assert all(one is found[0] for one in found)  # the same object: it is what a memory finds its fork by


def test_run_evaluators_read_the_memory_of_the_run(client: Any, memory: Memory) -> None:
    seen = []

    def task(*, item: Any, **_: Any) -> str:
        memory.append("asked", item["input"])
        return "x"

    def whole(*, item_results: Any, **_: Any) -> Evaluation:
        seen.append((current_scope(), memory.read("asked")))
        return Evaluation(name="n", value=1)

    data = [{"input": "a"}, {"input": "b"}]
    result = run_experiment(client, name="n", data=data, task=task, run_evaluators=[whole], max_concurrency=1)
    ((here, asked),) = seen
    assert here is not None
    assert (here.run_id, here.datapoint_id) == (result.experiment_id, None)
    assert sorted(asked) == ["a", "b"]
    refused = pytest.raises(ScopeError, match="the datapoint is not known")
    with refused, scope_policy(isolation="datapoint"):
        run_experiment(client, name="n", data=data, task=task, run_evaluators=[whole])


def test_a_composite_evaluator_reads_the_memory_of_its_item(client: Any, memory: Memory) -> None:
    def task(*, item: Any, **_: Any) -> str:
        memory.append("asked", item["input"])
        return "x"

    def asked(**arguments: Any) -> Evaluation:
        return Evaluation(name="n", value=memory.read("asked") == [arguments["input"]])

    with scope_policy(isolation="datapoint"):
        result = run_experiment(
            client,
            name="n",
            data=[{"input": "a"}, {"input": "b"}],
            task=task,
            evaluators=[asked],
            composite_evaluator=asked,
        )
    assert judgments(result) == [True] * 4


def test_a_thread_that_lost_its_item_is_refused_and_the_refusal_is_raised_at_the_end(
    client: Any, memory: Memory
) -> None:
    def task(carry: Callable[..., Any], *, item: Any, **_: Any) -> str:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(carry(lambda: memory.set("k", 1))).result()
        return "x"

    lost = partial(task, lambda function: function)
    with pytest.raises(ScopeError, match="refused during the run"):
        run_experiment(client, name="n", data=[{"input": "q"}], task=lost)
    assert not memory.exists("k")
    assert len(run_experiment(client, name="n", data=[{"input": "q"}], task=partial(task, bind)).item_results) == 1
    assert not memory.exists("k")


def test_blocks_around_it_overrule_what_langfuse_tells(client: Any, memory: Memory) -> None:
    found = []

    def task(*, item: Any, **_: Any) -> str:
        found.append(current_scope())
        return "x"

    with scope(variant="mine", run_id="monday"):
        run_experiment(client, name="n", data=[{"input": "q"}], task=task, prompt=prompt(1))
    with scope(off=True):
        run_experiment(client, name="n", data=[{"input": "q"}], task=task, prompt=prompt(1))
    one, other = found
    assert one is not None
    assert (one.variant, one.run_id, one.prompt_version) == ("mine", "monday", "1")
    assert other is None


async def test_inside_of_a_running_loop_langfuse_takes_another_thread_and_the_policy_goes_with_it(
    client: Any, memory: Memory
) -> None:
    with scope_policy(isolation="datapoint", seed="empty"):
        result = run_experiment(
            client, name="n", data=[{"input": "a"}, {"input": "b"}], task=lambda *, item, **_: memory.get("tone")
        )
    assert [one.output for one in result.item_results] == [None, None]
    assert len(scoped_namespaces(memory.store, "support")) == 2


def test_a_fallback_has_no_version(client: Any) -> None:
    fallback = client.get_prompt("answer", fallback="Be brief.", max_retries=0, fetch_timeout_seconds=1)
    with pytest.raises(ScopeError, match="'answer' is the fallback"):
        run_experiment(client, name="n", data=[], task=print, prompt=fallback)


def test_outside_of_an_experiment_memory_is_the_base(client: Any, memory: Memory) -> None:
    with client.start_as_current_observation(name="production"):
        assert current_scope() is None
        memory.set("k", 1)
    assert scoped_namespaces(memory.store) == []


class LaterClient:
    """A client of a version that tells its context nothing, runs tasks in threads, and keeps errors to itself."""

    def run_experiment(self, *, data: list[Any], task: Callable[..., Any], **more: Any) -> list[Any]:
        outputs: list[Any] = []
        for item in data:
            thread = threading.Thread(target=lambda item=item: outputs.append(task(item=item)))
            thread.start()
            thread.join()
        return outputs + [judge(input=item["input"]) for item in data for judge in more["evaluators"]]


def test_where_the_sdk_tells_nothing_the_call_is_still_one_run(memory: Memory) -> None:
    def task(*, item: Any, **_: Any) -> int:
        return memory.append("asked", item["input"]) is not None and len(memory.read("asked"))

    with scope_policy(isolation="datapoint"):
        results = run_experiment(
            LaterClient(),
            data=[{"input": "a"}, {"input": "b"}],
            task=task,
            evaluators=[lambda *, input: memory.read("asked")],
            variant="v",
        )
    assert results == [1, 1, ["a"], ["b"]]
    made = scoped_namespaces(memory.store, "support")
    assert len(made) == 2
    assert len({one.scope.run_id for one in made}) == 1
    assert memory.read("asked") == []


def test_the_provider_loads_nothing_and_is_asked_as_soon_as_langfuse_is_there() -> None:
    code = """
import sys
from botwire_core.scopes.current import armed, current_scope
from botwire_langfuse import plugin
before = set(sys.modules)
assert plugin.botwire_current_scope() is None and current_scope() is None
assert set(sys.modules) == before and not armed.providers
import langfuse
current_scope()
print([provider.__module__ for provider in armed.providers])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['botwire_langfuse.plugin']"
