"""The fixtures, used by a test suite of somebody else, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from botwire_core.memory import Memory
from botwire_core.testing.memory_diff import assert_memory_diff

AGENT = """
from botwire import Memory
memory = Memory("support")          # made at import, as agents do
def answer(question):
    memory.append("log", question)
    return memory.get("tone", "formal")
"""


def run_tests(folder: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "agent.py").write_text(AGENT)
    (folder / "test_agent.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *options]
    if "botwire_pytest.fixtures" not in loaded_entry_points():
        command += ["-p", "botwire_pytest.fixtures"]
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)


def loaded_entry_points() -> set[str]:
    from importlib.metadata import entry_points

    return {point.value for point in entry_points(group="pytest11")}


def test_a_memory_of_the_tests_own_with_a_seed_a_diff_and_a_clock(tmp_path: Path) -> None:
    (tmp_path / "seed.jsonl").write_text('{"key": "prefs/tone", "value": "brief"}\n{"key": "old", "value": 1}\n')
    result = run_tests(
        tmp_path,
        """
import pytest, agent

def test_it(botwire_seeded, botwire_memory, assert_memory_diff, botwire_clock):
    memory = botwire_seeded("seed.jsonl")
    assert_memory_diff.reset()
    memory.set("new", 1, ttl=60)
    memory.set("old", 2)
    assert_memory_diff(added="new", changed=["old"], removed=[], unchanged="prefs/*")
    botwire_clock.advance(61)
    assert memory.get("new") is None
    memory.set("prefs/tone", "long")
    with pytest.raises(AssertionError, match="'prefs/tone' differs"):
        assert_memory_diff(unchanged="prefs/*")

def test_it_starts_empty(botwire_memory):
    assert botwire_memory.keys() == []

def test_other_memories_are_in_the_same_file(botwire_memory):
    from botwire import Memory
    botwire_memory.set("k", 1)
    assert Memory("test").get("k") == 1
""",
    )
    assert result.returncode == 0, result.stdout
    assert "3 passed" in result.stdout


def test_a_scope_of_the_tests_own_keeps_tests_apart_that_share_an_agent(tmp_path: Path) -> None:
    result = run_tests(
        tmp_path,
        """
import agent

def test_one(botwire_scope):
    assert agent.answer("one") == "formal"
    assert agent.memory.read("log") == ["one"]
    agent.memory.set("tone", "brief")

def test_two(botwire_scope):
    assert agent.answer("two") == "formal"
    assert agent.memory.read("log") == ["two"]

def test_the_memory_itself_is_untouched():
    assert agent.memory.keys() == []
""",
    )
    assert result.returncode == 0, result.stdout
    assert "3 passed" in result.stdout


def test_the_plugin_loads_nothing_before_a_fixture_is_used(tmp_path: Path) -> None:
    result = run_tests(
        tmp_path,
        """
import sys
def test_it():
    assert not [name for name in sys.modules if name.split(".")[0] in ("botwire", "botwire_core", "apsw")]
""",
        "-s",
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"added": "new"}, None),
        ({"added": ["new", "other*"]}, "nothing that matches 'other\\*' was added"),
        ({"added": []}, "'new' was added"),
        ({"changed": "tone", "removed": "gone", "added": "*"}, None),
        ({"changed": []}, "'tone' was changed"),
        ({"removed": "nobody"}, "'gone' was removed"),
        ({"unchanged": "same*"}, None),
        ({"unchanged": ["same", "g*"]}, "'gone' differs"),
        ({}, "did not change as expected"),
    ],
)
def test_the_assertion_says_what_is_wrong(expected: dict[str, object], message: str | None) -> None:
    memory = Memory("diff", "memory:")
    memory.clear()
    memory.set_many({"tone": 1, "gone": 1, "same": 1})
    before = memory.at(memory.snapshot())
    memory.delete("gone")
    memory.set_many({"tone": 2, "new": 1})
    if message is None:
        assert_memory_diff(before, memory, **expected)  # type: ignore[arg-type]
    else:
        with pytest.raises(AssertionError, match=message):
            assert_memory_diff(before, memory, **expected)  # type: ignore[arg-type]
