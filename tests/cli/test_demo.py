"""`botwire demo`: two real processes, one memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.running import Result, run, run_on_a_terminal

from botwire import Memory
from botwire.demo.conversations import load_folder, shipped_folder

Botwire = Callable[..., Result]

SHIPPED = load_folder(shipped_folder())


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    """Two conversations that come with nothing."""
    folder = tmp_path / "unseen"
    folder.mkdir()
    for number, text in enumerate(("Please call me Ro. My glove size is M.", "My glove size is L now.")):
        members: dict[str, Any] = {
            "customer": "x-9",
            "name": "Rosa Lund",
            "date": f"2026-0{number + 1}-01",
            "channel": "chat",
        }
        members["turns"] = [{"role": "customer", "text": text}]
        (folder / f"{number}.json").write_text(json.dumps(members))
    return folder


def test_a_second_process_greets_everybody_with_what_the_first_one_learned(tmp_path: Path) -> None:
    report = run("demo", "--json", folder=tmp_path).json
    second = report["second_process"]
    assert second["pid"] != report["pid"]
    assert {greeting["pid"] for greeting in second["greetings"]} == {second["pid"]}
    assert (report["run"], report["customers_known_before"]) == (1, 0)
    assert [held["id"] for held in report["conversations"]] == [conversation.id for conversation in SHIPPED]
    assert sum(len(held["learned"]) for held in report["conversations"]) >= 60
    assert sum(len(held["answered"]) for held in report["conversations"]) >= 8

    greetings = {greeting["customer"]: greeting for greeting in second["greetings"]}
    assert greetings.keys() == {conversation.customer for conversation in SHIPPED}
    sam = greetings["c-1058"]
    assert sam["visits"] == 3
    for remembered in ("Hello Sam", "text message", "not by phone", "size 43", "in the porch", "Biscuit"):
        assert remembered in sam["greeting"]
    assert "42" not in sam["greeting"]  # he changed his mind
    assert "vegan" in greetings["c-1063"]["greeting"]
    assert greetings["c-1077"]["greeting"].startswith("Bonjour Jean-Luc Moreau")
    # What it was told is in the memory of any process, such as this one.
    assert Memory("botwire-demo").get("c-1058/about/size")["value"] == "43"


def test_a_second_run_knows_everybody_and_writes_nothing_twice(botwire: Botwire, tmp_path: Path, unseen: Path) -> None:
    first = run("demo", "--conversations", str(unseen), folder=tmp_path)
    again = run("demo", "--conversations", str(unseen), folder=tmp_path)
    assert "I have met you before" not in first.out
    assert "This is run 2: I have met you before" in again.out
    assert again.out.count("I remember this conversation") == 2
    assert Memory("botwire-demo").get("x-9/visits") == 2
    fresh = run("demo", "--conversations", str(unseen), "--fresh", "--json", folder=tmp_path).json
    assert (fresh["run"], fresh["customers_known_before"]) == (1, 0)


def test_it_shows_what_happened_where_the_memory_is_and_how_to_look(
    botwire: Botwire, tmp_path: Path, home: Path, unseen: Path
) -> None:
    result = run("demo", "--conversations", str(unseen), folder=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert "Rosa Lund" in result.out
    assert "glove size M → L" in result.out
    assert "Hello Ro, good to hear from you again." in result.out
    assert str(home / "memory.db") in result.out
    commands = [line.split("#")[0].split()[1:] for line in result.lines if line.startswith("  botwire ")]
    assert len(commands) >= 5
    for command in commands:
        if command[0] not in ("search", "purge", "demo"):
            assert botwire(*command).code == 0, command


def test_on_a_terminal_there_is_a_progress_bar(tmp_path: Path, unseen: Path) -> None:
    written = run_on_a_terminal("demo", "--conversations", str(unseen), folder=tmp_path)
    assert "━".encode() in written
    assert b"2/2" in written
    assert b"a new interpreter, which has seen none of this" in written


def test_the_store_can_be_named_and_is_handed_to_the_second_process(tmp_path: Path, unseen: Path) -> None:
    report = run("demo", "--conversations", str(unseen), "--url", "sqlite:///demo.db", "--json", folder=tmp_path).json
    assert (tmp_path / "demo.db").exists()
    assert len(report["second_process"]["greetings"]) == 1


def test_a_store_of_one_process_is_refused_with_the_reason(botwire: Botwire) -> None:
    result = botwire("demo", "--url", "memory:")
    assert result.code == 2
    assert "needs two" in result.err


def test_greeting_alone_works_and_finds_nobody_in_an_empty_store(botwire: Botwire) -> None:
    assert botwire("demo", "--greet", "--json").json["greetings"] == []


def test_a_folder_without_conversations_is_refused(botwire: Botwire, tmp_path: Path) -> None:
    assert botwire("demo", "--conversations", str(tmp_path)).code == 2


def test_control_characters_in_conversations_are_shown_as_escapes(tmp_path: Path, unseen: Path) -> None:
    members = json.loads((unseen / "0.json").read_text())
    members["name"] = "Rosa \x1b[31m\x9b"
    members["turns"][0]["text"] = (
        "What do you know about me? Please call me Ro\x1b[5m. Leave it in the \x1b]0;x\x07shed."
    )
    (unseen / "0.json").write_text(json.dumps(members))
    result = run("demo", "--conversations", str(unseen), folder=tmp_path)
    assert result.code == 0
    assert not [character for character in result.out if not character.isprintable() and character != "\n"]
