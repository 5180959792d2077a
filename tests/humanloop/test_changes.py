"""What an SDK or a service that tells less than today's would change: isolation by what is known, never the base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from evaluating import evaluate, state
from humanloop import Humanloop
from humanloop.context import EvaluationContext
from humanloop.evals import run as sdk
from humanloop.evaluations.client import EvaluationsClient

from botwire_core.memory import Memory
from botwire_core.scopes.naming import Isolation
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.upkeep import scoped_namespaces
from botwire_humanloop import instrument
from botwire_humanloop.offline import OfflineHumanloop

pytestmark = pytest.mark.xdist_group("humanloop")


def without_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK names the members of its context otherwise."""

    class Renamed(EvaluationContext):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            del self.run_id, self.source_datapoint_id

    monkeypatch.setattr(sdk, "EvaluationContext", Renamed)


def without_create_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK makes its runs by another method."""
    make = sdk._get_new_run
    create = EvaluationsClient.create_run
    monkeypatch.setattr(EvaluationsClient, "start_run", create, raising=False)
    monkeypatch.delattr(EvaluationsClient, "create_run")

    def get_new_run(client: Any, **given: Any) -> Any:
        class Renamed:
            def __getattr__(self, name: str) -> Any:
                return getattr(client.evaluations, "start_run" if name == "create_run" else name)

        class Client:
            evaluations = Renamed()

        return make(client=Client(), **given)  # type: ignore[arg-type]

    monkeypatch.setattr(sdk, "_get_new_run", get_new_run)


class NoVersion(OfflineHumanloop):
    """Answers a new run with its id alone."""

    def create_run(self, evaluation_id: str, query: dict[str, str], body: Any) -> Any:
        return {"id": super().create_run(evaluation_id, query, body)["id"]}


class NoVersionAnywhere(NoVersion):
    """Gives files without a version, so that the SDK asks for none."""

    def put_file(self, kind: str, query: dict[str, str], body: Any) -> Any:
        self.made = super().put_file(kind, query, body)
        return {**self.made, "version_id": None}

    def create_run(self, evaluation_id: str, query: dict[str, str], body: Any) -> Any:
        return super().create_run(evaluation_id, query, {**body, "version": self.made})

    def log(self, kind: str, query: dict[str, str], body: Any) -> Any:
        return super().log(kind, {"version_id": self.made["version_id"]}, body)


class NoDatapointId(OfflineHumanloop):
    """Gives datapoints without ids, and logs that name none."""

    def get_dataset(self, dataset_id: str, query: dict[str, str], body: Any) -> Any:
        dataset = super().get_dataset(dataset_id, query, body)
        return {**dataset, "datapoints": [{**one, "id": None} for one in dataset["datapoints"]]}


CHANGES: dict[str, tuple[type[OfflineHumanloop], tuple[Any, ...], str]] = {
    "nothing": (OfflineHumanloop, (), "support@prv_"),
    "no context": (OfflineHumanloop, (without_context,), "support@prv_"),
    "no create_run": (OfflineHumanloop, (without_create_run,), "support@~rn_"),
    "neither": (OfflineHumanloop, (without_context, without_create_run), "support@~run-"),
    "a response without a version": (NoVersion, (), "support@prv_"),
    "no version anywhere": (NoVersionAnywhere, (), "support@~rn_"),
    "datapoints without an id": (NoDatapointId, (), "support@prv_"),
    "datapoints without an id, and no context": (NoDatapointId, (without_context,), "support@prv_"),
    "all of it": (NoDatapointId, (without_context, without_create_run), "support@~run-"),
}


@pytest.mark.parametrize("isolation", ["version", "run", "datapoint"])
@pytest.mark.parametrize("change", CHANGES)
def test_memory_is_isolated_by_what_is_known(
    monkeypatch: pytest.MonkeyPatch, memory: Memory, tmp_path: Path, change: str, isolation: Isolation
) -> None:
    service, changes, begins = CHANGES[change]
    for one in changes:
        one(monkeypatch)
    before = state(memory, tmp_path)
    met: list[tuple[str, list[str]]] = []

    def answering(version: str) -> Any:
        def answer(question: str) -> str:
            memory.set(f"{version}/{question}", question)
            met.append((version, memory.list_keys("a/") + memory.list_keys("b/")))
            return question

        return answer

    def reads_its_datapoint(log: Any) -> bool:
        mine = log["inputs"]["question"]
        keys = memory.list_keys("a/") + memory.list_keys("b/")
        return any(key.endswith(f"/{mine}") for key in keys) and (isolation != "datapoint" or len(keys) == 1)

    api = service()
    with api, httpx.Client() as http, scope_policy(isolation=isolation):
        client = instrument(Humanloop(base_url=api.url, api_key="none", httpx_client=http))
        for version in ("a", "b"):
            evaluate(client, answering(version), version=version, judges=[reads_its_datapoint])

    assert len(met) == 4
    for version, keys in met:
        assert {key[0] for key in keys} == {version}, "another version's key"
        assert len(keys) == 1 or isolation != "datapoint", "another datapoint's key"
    made = [one.name for one in scoped_namespaces(memory.store)]
    assert len(made) == (4 if isolation == "datapoint" else 2)
    assert all(name.startswith(begins) for name in made), made
    assert [one["judgments"] for one in api.logs.values()] == [
        dict.fromkeys(one["judgments"], True) for one in api.logs.values()
    ]
    assert state(memory, tmp_path) == before
