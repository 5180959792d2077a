"""Real flows on a memory: killed and resumed, paused for a human, looked back at, in scopes, installed once for all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crewai.flow.flow import Flow, listen, start
from crewai.flow.persistence import SQLiteFlowPersistence, persist
from crewai.flow.persistence.factory import default_flow_persistence, set_flow_persistence_factory
from crews import flows
from crews.flow_contract import context_of
from server.granting import give

import botwire.crewai
import botwire_crewai
from botwire import ForbiddenError, Memory, RevisionPrunedError, UnknownStoreError, scope
from botwire_core.errors import InvalidNamespaceError, InvalidValueError
from botwire_core.plugins import registry
from botwire_core.results import Retention
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_crewai.flow import BotWireFlowPersistence, install
from botwire_server.testing import served


@pytest.fixture
def installed(memory: Memory) -> Iterator[BotWireFlowPersistence]:
    yield install(memory)
    set_flow_persistence_factory(None)


# --- in processes -----------------------------------------------------------------------------------------


class Processes:
    """Processes that run flows on one store, with nothing in common but its URL."""

    def __init__(self, url: str) -> None:
        self.environment = os.environ | {"BOTWIRE_URL": url}

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, flows.__file__, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, text=True, env=self.environment, **pipes)  # type: ignore[call-overload, no-any-return]

    def run(self, *arguments: str) -> list[str]:
        process = self.begin(*arguments)
        printed, errors = process.communicate()
        assert process.returncode == 0, errors
        return [line.removeprefix("| ") for line in printed.splitlines() if line.startswith("| ")]


def test_a_flow_that_was_killed_goes_on_in_another_process(url: str) -> None:
    processes = Processes(url)
    process = processes.begin("run", "order-kill")
    assert process.stdout is not None
    said = (line for line in iter(process.stdout.readline, "") if line.startswith("| "))
    assert [next(said), next(said)] == ["| grind\n", "| in the middle\n"]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert processes.run("go-on", "order-kill") == ["brew", "pour", "done: ['grind', 'brew', 'pour']"]


def test_a_flow_that_waits_for_a_human_goes_on_in_another_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    processes = Processes(url)
    assert processes.run("ask", "order-ask") == ["HumanFeedbackPending"]
    assert processes.run("answer", "order-ask") == ["published 'a draft' after 'yes', draft 1"]
    waiting = BotWireFlowPersistence(url=url).load_pending_feedback("order-ask")
    assert waiting is None


# --- in this process --------------------------------------------------------------------------------------


def test_what_is_installed_serves_flows_that_name_no_store(installed: BotWireFlowPersistence) -> None:
    assert default_flow_persistence() is installed

    @persist()
    class Greeting(Flow[dict[str, Any]]):
        initial_state = dict

        @start()
        def greet(self) -> None:
            self.state["said"] = "hello"

    Greeting(suppress_flow_events=True).kickoff(inputs={"id": "f"})
    assert installed.memory.keys() == ["flows/f/state"]
    assert installed.memory.get("flows/f/state") == {"method": "greet", "state": {"id": "f", "said": "hello"}}


def test_a_store_that_a_flow_names_itself_is_used(installed: BotWireFlowPersistence, tmp_path: Path) -> None:
    @persist(SQLiteFlowPersistence(str(tmp_path / "own.db")))
    class Greeting(Flow[dict[str, Any]]):
        initial_state = dict

        @start()
        def greet(self) -> None:
            self.state["said"] = "hello"

    Greeting(suppress_flow_events=True).kickoff(inputs={"id": "f"})
    assert installed.memory.keys() == []


def test_it_is_where_the_guides_have_it(memory: Memory) -> None:
    installed = botwire.crewai.install(memory, ttl=60)
    assert default_flow_persistence() is installed
    assert (installed.memory.namespace, installed.ttl) == (memory.namespace, 60)
    set_flow_persistence_factory(None)
    assert botwire_crewai.install is registry().adapter("crewai", "install") is install
    assert botwire_crewai.BotWireFlowPersistence is registry().adapter("crewai", "flow_persistence")


def test_the_states_of_a_flow_are_kept_newest_first_and_one_can_be_restored(memory: Memory) -> None:
    kept = BotWireFlowPersistence(memory)
    for step, name in enumerate(["ask", "pay", "ship"]):
        kept.save_state("f", name, {"id": "f", "step": step})
    saved = kept.states("f")
    assert [(one.version, one.method, one.state["step"]) for one in saved] == [
        (3, "ship", 2), (2, "pay", 1), (1, "ask", 0)
    ]  # fmt: skip
    assert saved == sorted(saved, key=lambda one: one.saved_at, reverse=True)
    assert kept.states("f", limit=1) == saved[:1]
    kept.restore_state("f", 2)
    assert kept.load_state("f") == {"id": "f", "step": 1}
    assert [one.method for one in kept.states("f")] == ["pay", "ship", "pay", "ask"]
    assert kept.states("other") == []


def test_a_flow_goes_on_from_the_state_that_was_restored(memory: Memory) -> None:
    @persist(BotWireFlowPersistence(memory))
    class Counting(Flow[dict[str, Any]]):
        initial_state = dict

        @start()
        def count(self) -> None:
            self.state["count"] = self.state.get("count", 0) + 1

    for _ in range(3):
        Counting(suppress_flow_events=True).kickoff(inputs={"id": "f"})
    kept = BotWireFlowPersistence(memory)
    kept.restore_state("f", kept.states("f")[-1].version)
    Counting(suppress_flow_events=True).kickoff(inputs={"id": "f"})
    assert kept.load_state("f") == {"id": "f", "count": 2}


def test_the_history_is_capped(memory: Memory) -> None:
    memory.set("other", 1)
    kept = BotWireFlowPersistence(memory)
    for step in range(100):
        kept.save_state("f", "step", {"step": step})
    steps = [one.state["step"] for one in kept.states("f")]
    assert 64 <= len(steps) < 80  # old ones go at every 16th save
    assert steps == list(range(99, 99 - len(steps), -1))
    with pytest.raises(RevisionPrunedError):
        kept.restore_state("f", 1)
    memory.set_retention(Retention(versions=3))
    for step in range(50):
        kept.save_state("g", "step", {"step": step})
    assert 3 <= len(kept.states("g")) < 19


def test_a_flow_is_forgotten_so_many_seconds_after_its_last_save(clock: ManualClock) -> None:
    kept = BotWireFlowPersistence(Memory("flows", store=DictStore(clock=clock)), ttl=60)
    kept.save_state("f", "step", {"id": "f"})
    clock.advance(50)
    kept.save_pending_feedback("f", context_of("f"), {"id": "f"})
    clock.advance(50)
    assert kept.load_state("f") == {"id": "f"}
    clock.advance(10)
    assert kept.load_state("f") is None
    assert kept.load_pending_feedback("f") is None


def test_making_one_touches_no_file_and_uses_a_namespace_of_its_own(home: Path) -> None:
    kept = BotWireFlowPersistence()
    kept.init_db()
    assert bool(kept)
    assert not home.exists()
    kept.save_state("f", "step", {"id": "f"})
    assert Memory("crewai-flows").keys() == ["flows/f/state"]
    assert BotWireFlowPersistence("crewai-flows").load_state("f") == {"id": "f"}


@pytest.mark.parametrize("members", [{"namespace": "a/b"}, {"ttl": 0}])
def test_what_makes_no_sense_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises((InvalidNamespaceError, InvalidValueError)):
        BotWireFlowPersistence(**members)


def test_what_is_written_down_holds_no_secret() -> None:
    address = "https://ana:hidden1@memory.example.com"
    for kept in (BotWireFlowPersistence(Memory("f", address, token="bw_hidden2")), BotWireFlowPersistence(url=address)):
        assert kept.url == "https://memory.example.com"
        assert "hidden" not in json.dumps(kept.model_dump(mode="json")) + repr(kept)


def test_a_store_that_only_this_process_has_is_not_restored_as_something_else() -> None:
    kept = BotWireFlowPersistence(Memory("flows", store=DictStore()))
    kept.save_state("f", "step", {"id": "f"})
    with pytest.raises(UnknownStoreError):
        BotWireFlowPersistence.model_validate(kept.model_dump()).load_state("f")


def test_a_flow_that_was_written_down_finds_its_states(memory: Memory) -> None:
    class Counting(Flow[dict[str, Any]]):
        @start()
        def count(self) -> None:
            self.state["count"] = 1

    written = Counting(persistence=BotWireFlowPersistence(memory)).model_dump(mode="json")["persistence"]
    restored = Counting.model_validate({"persistence": written}).persistence
    assert isinstance(restored, BotWireFlowPersistence)
    assert (restored.memory.namespace, restored.url) == (memory.namespace, written["url"])


def test_a_flow_inside_a_scope_has_states_of_its_own(memory: Memory) -> None:
    @persist(BotWireFlowPersistence(memory))
    class Counting(Flow[dict[str, Any]]):
        initial_state = dict

        @start()
        async def count(self) -> None:
            self.state["count"] = self.state.get("count", 0) + 1

        @listen(count)
        def tell(self) -> int:
            return int(self.state["count"])

    def kickoff() -> int:
        return int(Counting(suppress_flow_events=True).kickoff(inputs={"id": "f"}))

    assert kickoff() == 1
    for variant in ("v1", "v2"):
        with scope(variant=variant, run_id="r1"):
            assert [kickoff(), kickoff()] == [2, 3]
    assert kickoff() == 2


def test_two_tenants_of_a_server_never_see_each_others_flows(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "server.db", durability="normal")
    secrets = {tenant: give(store, f"{tenant}-flows:all")[0] for tenant in ("ana", "tom")}
    with served(store) as url:
        for tenant, secret in secrets.items():
            kept = BotWireFlowPersistence(Memory(f"{tenant}-flows", url, token=secret))
            kept.save_state("f", "step", {"of": tenant})
            assert kept.load_state("f") == {"of": tenant}
            assert len(kept.states("f")) == 1
        with pytest.raises(ForbiddenError):
            BotWireFlowPersistence(Memory("ana-flows", url, token=secrets["tom"])).load_state("f")
    store.close()
