"""Real crews with a scripted model: they remember for the next one, alone, in scopes, in many processes, as tenants."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from crews.scripted_crews import calling, crew_of
from server.granting import give

from botwire import Memory, scope
from botwire_core.stores.sqlite import SqliteStore
from botwire_crewai import memory_tools
from botwire_server.testing import served

PROCESSES = 8


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def kickoff(crew: Any, colour: str) -> str:
    return str((crew.kickoff() if colour == "sync" else asyncio.run(crew.akickoff())).raw)


def test_a_crew_remembers_for_the_next_one(memory: Memory, colour: str) -> None:
    script = [calling(("remember", {"key": "user:ana", "value": "lives in Porto"})), "Noted."]
    assert kickoff(crew_of(memory_tools(memory), *script)[0], colour) == "Noted."
    assert memory.get("user:ana") == "lives in Porto"
    script = [
        calling(("list_memory", {"prefix": "user:"})),
        calling(("recall", {"key": "user:ana"})),
        lambda messages: "She " + json.loads(messages[-1]["content"])["value"],
    ]
    assert kickoff(crew_of(memory_tools(memory), *script)[0], colour) == "She lives in Porto"


def test_a_crew_goes_on_after_a_mistake(memory: Memory, colour: str) -> None:
    script = [calling(("recall", {"key": ""})), calling(("recall", {"wrong": 1})), "Sorry."]
    crew, llm = crew_of(memory_tools(memory), *script)
    assert kickoff(crew, colour) == "Sorry."
    empty, wrong = map(json.loads, llm.answers)
    assert empty["error"] == "a key cannot be empty"
    assert wrong == {"error": "key: Field required", "hint": "call it again with these arguments corrected"}


def test_a_crew_is_told_of_a_store_that_is_down_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "diary.db").write_text("a diary, not a database\n" * 100)
    tools = memory_tools(Memory("tools", f"sqlite:///{tmp_path}/diary.db"))
    crew, llm = crew_of(tools, calling(("recall", {"key": "a"})), "I cannot look that up.")
    assert kickoff(crew, "sync") == "I cannot look that up."
    assert llm.answers[0].startswith("Error executing tool: ")


def test_several_calls_at_once_are_all_done(memory: Memory, colour: str) -> None:
    calls = [("remember", {"key": f"k{number}", "value": str(number)}) for number in range(5)]
    crew, llm = crew_of(memory_tools(memory), calling(*calls), "Noted.")
    kickoff(crew, colour)
    assert memory.get_many([f"k{number}" for number in range(5)]) == {f"k{number}": str(number) for number in range(5)}
    assert sorted(json.loads(answer)["remembered"] for answer in llm.answers) == [f"k{number}" for number in range(5)]


def test_the_same_question_is_answered_anew_though_the_crew_caches(memory: Memory, colour: str) -> None:
    memory.set("city", "Porto")

    def moved(_: Any) -> Any:
        memory.set("city", "Lisbon")
        return calling(("recall", {"key": "city"}))

    script = [calling(("recall", {"key": "city"})), moved, "Done."]
    crew, llm = crew_of(memory_tools(memory), *script, cache=True)
    kickoff(crew, colour)
    assert [json.loads(answer)["value"] for answer in llm.answers] == ["Porto", "Lisbon"]


def test_a_crew_inside_a_scope_has_a_memory_of_its_own(memory: Memory, colour: str) -> None:
    memory.set("greeting", "hello")
    for variant in ("v1", "v2"):
        script = [
            calling(("recall", {"key": "greeting"})),
            calling(("remember", {"key": "greeting", "value": variant})),
            calling(("recall", {"key": "greeting"})),
            "Done.",
        ]
        crew, llm = crew_of(memory_tools(memory), *script)
        with scope(variant=variant, run_id="r1"):
            kickoff(crew, colour)
            assert memory.get("greeting") == variant
        assert [json.loads(llm.answers[number])["value"] for number in (0, 2)] == ["hello", variant]
    assert memory.get("greeting") == "hello"


IN_A_PROCESS = """
import sys
sys.path.insert(0, sys.argv[1])
from crews.scripted_crews import calling, crew_of
from botwire import Memory
from botwire_crewai import memory_tools

memory, name = Memory("crowd", sys.argv[2]), sys.argv[3]
calls = [("remember", {"key": f"{name}:{number}", "value": name}) for number in range(10)]
script = [calling(call) for call in calls] + [calling(("list_memory", {"prefix": f"{name}:"})), "Done."]
crew, llm = crew_of(memory_tools(memory), *script)
print("ready", flush=True)
sys.stdin.readline()
assert crew.kickoff().raw == "Done."
assert not [answer for answer in llm.answers if "rror" in answer], llm.answers
"""


@pytest.mark.timeout(600)
def test_eight_processes_run_the_same_crew_on_one_file_and_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    tests = str(Path(__file__).parents[1])
    crews = [
        subprocess.Popen(
            [sys.executable, "-c", IN_A_PROCESS, tests, url, f"p{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(PROCESSES)
    ]  # fmt: skip
    for crew in crews:
        assert crew.stdout is not None
        assert crew.stdout.readline() == "ready\n", crew.communicate()[1]
    for crew in crews:
        assert crew.stdin is not None
        crew.stdin.write("\n")
        crew.stdin.flush()
    outcomes = [(crew.communicate()[1], crew.returncode) for crew in crews]
    assert not [error for error, code in outcomes if code]
    expected = {f"p{number}:{turn}" for number in range(PROCESSES) for turn in range(10)}
    assert set(Memory("crowd", url).keys()) == expected


def test_two_tenants_of_a_server_never_see_what_the_other_remembers(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "server.db", durability="normal")
    tenants = ("ana", "tom")
    secrets = {tenant: give(store, f"{tenant}-crew:all")[0] for tenant in tenants}
    with served(store) as url:
        for tenant in tenants:
            script = [
                calling(("remember", {"key": "name", "value": f"I am {tenant}"})),
                calling(("recall", {"key": "name"})),
                calling(("list_memory", {})),
                "Done.",
            ]
            crew, llm = crew_of(memory_tools(Memory(f"{tenant}-crew", url, token=secrets[tenant])), *script)
            crew.kickoff()
            assert json.loads(llm.answers[1])["value"] == f"I am {tenant}"
            assert json.loads(llm.answers[2])["keys"] == ["name"]
        # A crew that is given the name of the other's memory is told that it may not, and learns nothing of it.
        script = [calling(("recall", {"key": "name"})), calling(("remember", {"key": "name", "value": "!"})), "Done."]
        crew, llm = crew_of(memory_tools(Memory("ana-crew", url, token=secrets["tom"])), *script)
        crew.kickoff()
        assert all(json.loads(answer).keys() == {"error", "hint"} for answer in llm.answers)
        assert "I am" not in "".join(llm.answers)
        assert Memory("ana-crew", url, token=secrets["ana"]).get("name") == "I am ana"
    store.close()


def test_a_crew_without_a_scope_leaves_other_namespaces_alone(memory: Memory) -> None:
    other = f"other-{uuid4().hex}"
    crew, _ = crew_of(memory_tools(memory), calling(("remember", {"key": "a", "value": "b", "memory": other})), "Done.")
    crew.kickoff()
    assert memory.keys() == ["a"]
