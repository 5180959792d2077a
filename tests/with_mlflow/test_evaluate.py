"""Evaluations by MLflow's own harness: every version, run or row has memory of its own, and nothing leaks."""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.genai.scorers import Scorer, scorer
from witness import Witness, state

from botwire import ScopeError, current_scope, scope, scope_policy
from botwire.scopes import MemoryReport, scoped_namespaces
from botwire_core.memory import Memory
from botwire_core.scopes.naming import Isolation
from botwire_mlflow import evaluate, load_prompt

ONE = [{"inputs": {"question": "a"}}]
TWO = [*ONE, {"inputs": {"question": "b"}}]


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("isolation", ["version", "run", "datapoint"])
def test_not_one_key_leaks_and_all_start_from_the_same_seed(
    memory: Memory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scale: Callable[[int], int],
    isolation: Isolation,
    workers: int,
) -> None:
    monkeypatch.setenv("MLFLOW_GENAI_EVAL_MAX_WORKERS", str(workers))
    points = scale(50)
    witness = Witness(memory, isolation)
    before = state(memory, tmp_path)

    def predict(question: str) -> str:
        return witness.answer(question)

    @scorer
    def reads_its_row(inputs: dict[str, Any]) -> bool:
        return witness.judge(inputs["question"])

    data = [{"inputs": {"question": f"question {number}"}} for number in range(points)]
    with scope_policy(isolation=isolation):
        for version in (1, 2):
            result = evaluate(data, [reads_its_row], predict, prompt=f"prompts:/answer/{version}", experiment="e")
            assert list(result.result_df["reads_its_row/value"]) == [True] * points
    assert witness.judged == 2 * points
    real = {place for place in witness.places if not str(place[1]).endswith(".dryrun")}
    assert len(real) == 2 * points
    assert {variant for variant, _, _ in real} == {"answer.v1", "answer.v2"}
    assert len(witness.places - real) == 2  # the call before each run
    witness.check(answers=2 * (points + 1), namespaces=2 * ((points if isolation == "datapoint" else 1) + 1))
    assert MemoryReport.of(memory.store, "support").contamination() == []
    assert state(memory, tmp_path) == before


def test_the_call_before_the_run_has_a_memory_of_its_own(memory: Memory) -> None:
    def predict(question: str) -> int:
        memory.append("asked", question)
        return len(memory.read("asked"))

    result = evaluate(TWO, [], predict, prompt="prompts:/answer/1")
    run_id = result.run_id
    names = {one.name: Memory(one.name, store=memory.store) for one in scoped_namespaces(memory.store)}
    assert {name: sorted(fork.read("asked")) for name, fork in names.items()} == {
        f"support@answer.v1~{run_id}": ["a", "b"],
        f"support@answer.v1~{run_id}.dryrun": ["a"],
    }
    assert memory.read("asked") == []


def test_an_alias_is_pinned_for_the_whole_evaluation(memory: Memory) -> None:
    seen: list[tuple[int, int, str | None]] = []
    mlflow.genai.set_prompt_alias("answer", "moving", 1)

    def predict(question: str) -> str:
        mlflow.genai.set_prompt_alias("answer", "moving", 2)
        by_alias, by_name = load_prompt("prompts:/answer@moving"), load_prompt("answer")
        here = current_scope()
        assert here is not None
        seen.append((by_alias.version, by_name.version, here.prompt_version))
        assert load_prompt("prompts:/answer/2").version == 2
        assert load_prompt("answer", 2).version == 2
        return question

    evaluate(TWO, [], predict, prompt="prompts:/answer@moving")
    assert seen == [(1, 1, "1")] * 3
    assert load_prompt("prompts:/answer@moving", cache_ttl_seconds=0).version == 2


def test_the_variant_is_the_prompt_or_what_the_user_says_and_stands_on_the_run(memory: Memory) -> None:
    def predict(question: str) -> str:
        memory.set("k", 1)
        return question

    second = mlflow.genai.load_prompt("prompts:/answer@candidate")
    runs = [
        evaluate(ONE, [], predict, prompt=second).run_id,
        evaluate(ONE, [], predict, prompt=second, variant="answer.v2.small").run_id,
        evaluate(ONE, [], predict).run_id,
    ]
    variants = ["answer.v2", "answer.v2.small", None]
    made = {one.scope.run_id: one.scope for one in scoped_namespaces(memory.store)}
    for run_id, variant in zip(runs, variants, strict=True):
        assert made[run_id].variant == variant
        assert mlflow.get_run(run_id).data.tags.get("botwire.variant") == variant
    assert not memory.exists("k")


def test_runs_of_one_experiment_start_from_the_same_moment(memory: Memory) -> None:
    tones = []

    def predict(question: str) -> str:
        tones.append(memory.get("tone"))
        return question

    for experiment in ("e", "e", "other"):
        evaluate(ONE, [], predict, experiment=experiment)
        memory.set("tone", "changed since")
    assert tones == ["formal"] * 4 + ["changed since"] * 2


def test_an_active_run_is_used(memory: Memory) -> None:
    with mlflow.start_run() as run:
        result = evaluate(ONE, [], lambda question: memory.set("k", 1), variant="v")
        assert result.run_id == run.info.run_id
    assert not memory.exists("k")


def test_a_coroutine_function_works_on_its_row(memory: Memory) -> None:
    async def predict(question: str) -> int:
        await asyncio.sleep(0)
        memory.append("asked", question)
        return len(await asyncio.to_thread(memory.read, "asked"))

    @scorer
    def alone(outputs: int) -> bool:
        return outputs == 1

    with scope_policy(isolation="datapoint"):
        result = evaluate(TWO, [alone], predict, variant="v")
    assert len(scoped_namespaces(memory.store)) == 3
    assert list(result.result_df["alone/value"]) == [True, True]
    assert memory.read("asked") == []


def test_scorers_of_every_kind_read_their_row_and_stay_the_users_own(memory: Memory) -> None:
    class Asked(Scorer):
        def __call__(self, *, inputs: Any, outputs: Any) -> bool:
            return memory.read("asked") == [inputs["question"]]

    @scorer
    def asked(inputs: Any) -> bool:
        return memory.read("asked") == [inputs["question"]]

    @scorer(timeout=0)
    def where(inputs: Any) -> str:
        here = current_scope()
        return str(here and here.variant)

    mine = [Asked(name="as_class"), asked, where]
    before = [copy.copy(vars(one)) for one in mine]

    def predict(question: str) -> str:
        memory.append("asked", question)
        return question

    with scope_policy(isolation="datapoint"):
        found = evaluate(TWO, mine, predict, variant="v").result_df
    assert list(found["as_class/value"]) == list(found["asked/value"]) == [True, True]
    assert list(found["where/value"]) == ["v", "v"]
    assert [vars(one) for one in mine] == before


def test_answers_that_are_there_already_are_judged_in_their_rows(memory: Memory) -> None:
    seen = []

    @scorer
    def where(inputs: Any, outputs: Any) -> bool:
        here = current_scope()
        assert here is not None
        seen.append(here.datapoint_id)
        return True

    evaluate([{**row, "outputs": "x"} for row in TWO], [where], variant="v")
    assert len(set(seen)) == 2


def test_a_thread_that_lost_its_row_is_refused_and_the_refusal_is_raised_at_the_end(memory: Memory) -> None:
    def predict(question: str) -> str:
        if threading.current_thread() is not threading.main_thread():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(memory.set, "k", 1).result()
        return question

    with pytest.raises(ScopeError, match="refused during the run"):
        evaluate(ONE, [], predict, variant="v")
    assert not memory.exists("k")
    assert mlflow.last_active_run().info.status == "FAILED"


def test_what_fails_in_the_call_before_the_run_is_told_by_mlflow(memory: Memory) -> None:
    def predict(question: str) -> str:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(memory.set, "k", 1).result()
        return question

    with pytest.raises(MlflowException, match="outside of every scope"):
        evaluate(ONE, [], predict, variant="v")
    assert not memory.exists("k")


def test_blocks_around_it_overrule_it(memory: Memory) -> None:
    def predict(question: str) -> str:
        memory.increment("count")
        return question

    with scope(variant="mine", run_id="monday"):
        evaluate(ONE, [], predict, prompt="prompts:/answer/1")
    names = [one.name for one in scoped_namespaces(memory.store)]
    assert names == ["support@mine~monday", "support@mine~monday.dryrun"]
    with scope(off=True):
        evaluate(ONE, [], predict, prompt="prompts:/answer/1")
    assert memory.get("count") == 2
    assert len(scoped_namespaces(memory.store)) == 2


def test_without_the_call_before_the_run_there_is_no_memory_for_it(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_GENAI_EVAL_SKIP_TRACE_VALIDATION", "true")
    result = evaluate(ONE, [], lambda question: memory.set("k", 1), variant="v")
    assert [one.scope.run_id for one in scoped_namespaces(memory.store)] == [result.run_id]


def test_outside_of_an_evaluation_a_prompt_is_what_mlflow_gives() -> None:
    assert load_prompt("prompts:/answer@candidate").version == 2
    assert load_prompt("prompts:/answer/1").template == "Be brief."
    with scope(variant="answer.v1", run_id="r", prompt_path="answer", prompt_version="1"):  # told by somebody else
        assert load_prompt("prompts:/answer@candidate").version == 2


def test_declaring_what_there_is_loads_nothing() -> None:
    code = "import sys, botwire_mlflow, botwire_mlflow.plugin; print('mlflow' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
