"""What `instrument` does to a client beyond scopes: nothing that a user would notice, and errors that are not lost."""

from __future__ import annotations

import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from evaluating import KERNEL, evaluate
from humanloop import AsyncHumanloop, Humanloop
from humanloop.context import get_decorator_context

from botwire_core.errors import ScopeError
from botwire_core.memory import Memory
from botwire_core.scopes.current import current_scope
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.upkeep import scoped_namespaces
from botwire_humanloop import instrument
from botwire_humanloop.known_runs import known_run
from botwire_humanloop.offline import OfflineHumanloop

pytestmark = pytest.mark.xdist_group("humanloop")


def test_twice_is_as_once(bare_client: Humanloop) -> None:
    run, create_run = bare_client.evaluations.run, bare_client.evaluations.create_run
    assert instrument(bare_client) is bare_client
    once = bare_client.evaluations.run, bare_client.evaluations.create_run
    assert once != (run, create_run)
    instrument(bare_client)
    assert (bare_client.evaluations.run, bare_client.evaluations.create_run) == once


@pytest.mark.parametrize(
    "client",
    [SimpleNamespace(), SimpleNamespace(evaluations=None), SimpleNamespace(evaluations=SimpleNamespace(run="later"))],
)
def test_a_client_without_the_methods_is_left_as_it_is(client: SimpleNamespace) -> None:
    before = repr(client)
    assert instrument(client) is client
    assert repr(client) == before


def test_signal_handlers_are_those_from_before(client: Humanloop, memory: Memory) -> None:
    def mine(number: int, frame: Any) -> None:
        raise AssertionError

    before = {number: signal.signal(number, mine) for number in (signal.SIGINT, signal.SIGTERM)}
    during: list[Any] = []
    try:
        evaluate(client, lambda question: during.append(signal.getsignal(signal.SIGINT)) or question)
        assert signal.getsignal(signal.SIGINT) is mine
        assert signal.getsignal(signal.SIGTERM) is mine
        with pytest.raises(TypeError):
            evaluate(client, len, workers="many")  # type: ignore[arg-type]
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert len(during) == 2
    assert mine not in during


def test_a_call_that_does_not_fit_is_the_sdk_s_to_refuse(client: Humanloop) -> None:
    with pytest.raises(TypeError, match="name"):
        client.evaluations.run(file={"path": "a", "type": "prompt"})  # type: ignore[call-arg]


def test_what_the_user_passes_is_not_changed(client: Humanloop, memory: Memory) -> None:
    def answer(question: str) -> str:
        return question

    def judge(log: Any) -> bool:
        return True

    file: Any = {"path": "p", "type": "prompt", "version": {**KERNEL, "template": "t"}, "callable": answer}
    evaluators: Any = [{"path": "j", "callable": judge, "args_type": "target_free", "return_type": "boolean"}]
    client.evaluations.run(file, None, {"path": "d", "datapoints": [{"inputs": {"question": "q"}}]}, evaluators, 1)
    assert file["callable"] is answer
    assert evaluators[0]["callable"] is judge


def test_the_source_of_an_evaluator_is_sent_and_not_that_of_its_wrapper(
    api: OfflineHumanloop, client: Humanloop
) -> None:
    def this_is_its_source(log: Any) -> bool:
        return True

    evaluate(client, lambda question: question, judges=[this_is_its_source])
    evaluator = api.files.by_path("judges/this_is_its_source", None)
    assert "def this_is_its_source" in evaluator["spec"]["attributes"]["code"]


def test_an_error_of_the_user_is_logged_as_the_sdk_does(api: OfflineHumanloop, client: Humanloop) -> None:
    def answer(question: str) -> str:
        raise ValueError("no answer")

    evaluate(client, answer)
    assert [log["error"] for log in api.logs.values()] == ["no answer"] * 2


def test_a_scope_error_that_the_sdk_swallows_is_raised_after_the_run(
    api: OfflineHumanloop, client: Humanloop, memory: Memory
) -> None:
    def answer(question: str) -> str:
        raise ScopeError("it is not known", hint="say it")

    with pytest.raises(ScopeError, match=r"run rn_.* cannot be trusted: it is not known") as caught:
        evaluate(client, answer)
    assert caught.value.hint == "say it"
    assert len(api.logs) == 2


def test_a_scope_error_in_an_evaluator_is_raised_too(client: Humanloop, memory: Memory) -> None:
    def judge(log: Any) -> bool:
        raise ScopeError("nobody knows")

    with pytest.raises(ScopeError, match="nobody knows"):
        evaluate(client, lambda question: question, judges=[judge])


def test_a_thread_that_dies_of_a_scope_error_unseen_is_told_of(
    client: Humanloop, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda args: None)

    def answer(question: str) -> str:
        thread = threading.Thread(target=memory.set, args=("question", question))
        thread.start()
        thread.join()
        return question

    with scope_policy(on_unscoped="error"), pytest.raises(ScopeError, match="outside of every scope"):
        evaluate(client, answer)
    assert not memory.exists("question")


def test_an_error_of_the_run_itself_is_not_hidden_by_a_scope_error(
    client: Humanloop, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(question: str) -> str:
        raise ScopeError("first")

    def fail(**given: Any) -> Any:
        raise RuntimeError("the results are gone")

    monkeypatch.setattr(client.evaluations, "get_stats", fail)
    with pytest.raises(RuntimeError, match="the results are gone"):
        evaluate(client, answer)


def test_a_stale_context_of_a_decorator_is_no_scope(client: Humanloop, memory: Memory) -> None:
    @client.prompt(path="support/answer")
    def answer() -> None:
        raise ValueError("the SDK does not clean up after it")

    with pytest.raises(ValueError, match="clean up"):
        answer()
    assert get_decorator_context() is not None
    assert current_scope() is None
    memory.set("k", "base")
    assert scoped_namespaces(memory.store) == []
    assert memory.get("k") == "base"


def test_a_run_that_is_made_by_hand_is_known_by_its_version(api: OfflineHumanloop, client: Humanloop) -> None:
    evaluate(client, lambda question: question, name="by hand")
    version, evaluation = api.files.by_path("support/answer", None), next(iter(api.evaluations))
    made = client.evaluations.create_run(
        evaluation,
        dataset={"version_id": next(iter(api.files.datasets.values()))["version_id"]},
        version={"version_id": version["version_id"]},
    )
    run = known_run(made.id)
    assert run is not None
    assert (run.variant, run.experiment, run.run_id) == (version["version_id"], evaluation, made.id)


async def test_the_asynchronous_client_tells_its_runs_too(api: OfflineHumanloop, client: Humanloop) -> None:
    put = api.files.put("prompts", {"path": "p", "template": "t"})
    data = api.files.put_dataset({"path": "d", "datapoints": []})
    made = api.create_evaluation({}, {"file": {"id": put["id"]}, "evaluators": []})
    later = instrument(AsyncHumanloop(base_url=api.url, api_key="none"))
    run = await later.evaluations.create_run(
        made["id"], dataset={"version_id": data["version_id"]}, version={"version_id": put["version_id"]}
    )
    known = known_run(run.id)
    assert known is not None
    assert known.variant == put["version_id"]
    await later._client_wrapper.httpx_client.httpx_client.aclose()
