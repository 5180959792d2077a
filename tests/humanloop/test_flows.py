"""Functions that Humanloop has decorated: evaluated in their scopes, or refused where the SDK would never end."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest
from evaluating import evaluate
from humanloop import Humanloop

from botwire_core.errors import UnsupportedError
from botwire_core.memory import Memory
from botwire_core.scopes.upkeep import scoped_namespaces
from botwire_humanloop.offline import OfflineHumanloop

pytestmark = [
    pytest.mark.xdist_group("humanloop"),
    # The SDK's exporter may come to hand an answer to the evaluators of a run that has ended meanwhile.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]

NEVER_ENDS = tuple(map(int, metadata.version("opentelemetry-sdk").split(".")[:2])) >= (1, 43)


@pytest.fixture
def flow(client: Humanloop, memory: Memory) -> Any:
    @client.flow(path="support/flow", attributes={"tone": "formal"})
    def answer(question: str) -> str:
        memory.set("question", question)
        return question

    return answer


@pytest.mark.skipif(not NEVER_ENDS, reason="this OpenTelemetry SDK lets flows end")
def test_a_flow_that_would_never_end_is_refused_before_anything_is_done(
    api: OfflineHumanloop, client: Humanloop, memory: Memory, flow: Any
) -> None:
    with pytest.raises(UnsupportedError, match="never ends with opentelemetry-sdk"):
        client.evaluations.run(name=None, file={"type": "flow", "callable": flow}, dataset={"path": "d"}, evaluators=[])
    assert api.calls == []


@pytest.mark.skipif(NEVER_ENDS, reason="this OpenTelemetry SDK lets no flow end; another environment has an older one")
def test_a_flow_is_evaluated_in_its_scope(api: OfflineHumanloop, client: Humanloop, memory: Memory, flow: Any) -> None:
    client.evaluations.run(
        name=None,
        file={"type": "flow", "callable": flow},
        dataset={"path": "d", "datapoints": [{"inputs": {"question": "q"}}]},
        evaluators=[],
    )
    (made,) = scoped_namespaces(memory.store)
    version = api.files.by_path("support/flow", None)
    assert made.name == f"support@{version['version_id']}~{next(iter(api.runs))}"
    assert not memory.exists("question")


def test_a_plain_function_is_evaluated_as_a_flow(api: OfflineHumanloop, client: Humanloop, memory: Memory) -> None:
    def answer(question: str) -> str:
        memory.set("question", question)
        return question

    evaluate(client, answer, path="support/flow", type="flow", kernel={"attributes": {"tone": "formal"}})
    (made,) = scoped_namespaces(memory.store)
    assert made.scope.variant == api.files.by_path("support/flow", None)["version_id"]


def test_a_prompt_function_is_evaluated_in_its_scope(api: OfflineHumanloop, client: Humanloop, memory: Memory) -> None:
    @client.prompt(path="support/answer")
    def answer(question: str) -> str:
        memory.set("question", question)
        return question

    evaluate(client, answer)
    (made,) = scoped_namespaces(memory.store)
    assert made.scope.variant == api.files.by_path("support/answer", None)["version_id"]
    assert not memory.exists("question")
