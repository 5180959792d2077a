"""J18: data stays data. Terminal control sequences in memory never reach a terminal, in any command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.running import Result, run_on_a_terminal

from botwire import Memory
from botwire.cli.text import json_text, visible

Botwire = Callable[..., Result]

EVIL = "\x1b]0;owned\x07\x1b[31mred\x9b2J\x7f\u202ereversed\r\n=cmd|' /C calc'!A0[bold]"


@pytest.fixture
def evil() -> str:
    """A key and a value that try everything."""
    memory = Memory("notes")
    memory.set(EVIL, {EVIL: EVIL})
    fork = memory.fork("notes-v2")
    fork.set(EVIL, EVIL)
    fork.append(EVIL, EVIL)
    return EVIL


COMMANDS = [
    ("get", "notes", EVIL),
    ("get", "notes", EVIL, "--json"),
    ("get", "notes", EVIL + "absent"),
    ("get", "notes", EVIL + "absent", "--json"),
    ("set", "notes", EVIL, "1"),
    ("ls", "notes"),
    ("ls", "notes", "--json"),
    ("ls", "notes", "--long"),
    ("read", "notes-v2", EVIL),
    ("append", "notes", EVIL, "1"),
    ("search", "notes", "owned"),
    ("diff", "notes", "notes-v2"),
    ("diff", "notes", "notes-v2", "--json"),
    ("diff", "notes", "notes-v2", "--keys-only"),
    ("merge", "notes", "notes-v2"),
    ("history", "notes", EVIL),
    ("watch", "notes", "--since", "0", "--timeout", "0"),
    ("watch", "notes", "--since", "0", "--timeout", "0", "--json"),
    ("snapshot", "notes", EVIL),
    ("set", "notes", "a", EVIL),
    ("purge", "notes", EVIL, "--yes"),
]


def unsafe(text: str) -> list[str]:
    return [character for character in text if not character.isprintable() and character != "\n"]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: f"{arguments[0]} {arguments[-1][:10]!a}")
def test_no_command_prints_a_control_character(botwire: Botwire, evil: str, arguments: tuple[str, ...]) -> None:
    result = botwire(*arguments)
    assert unsafe(result.out) == []
    assert unsafe(result.err) == []
    assert "Traceback" not in result.err


def test_a_terminal_gets_our_colours_and_none_of_theirs(tmp_path: Path, evil: str) -> None:
    for arguments in (("get", "notes", EVIL), ("diff", "notes", "notes-v2"), ("ls", "notes", "--long")):
        written = run_on_a_terminal(*arguments, folder=tmp_path)
        for sequence in (b"\x1b]0;owned", b"\x1b[31mred", "\x9b2J".encode(), "\u202e".encode()):
            assert sequence not in written, arguments
        assert b"[bold]" in written  # rich's markup is data too


def test_raw_text_is_raw_in_a_pipe_and_safe_on_a_terminal(botwire: Botwire, tmp_path: Path) -> None:
    Memory("notes").set("a", EVIL)
    assert botwire("get", "notes", "a", "--raw").raw == EVIL.encode() + b"\n"
    assert b"\x1b]0;owned" not in run_on_a_terminal("get", "notes", "a", "--raw", folder=tmp_path)


def test_json_that_is_escaped_is_the_same_json() -> None:
    value = {EVIL: [EVIL, "\U000e0001", 1.5, None]}
    assert json.loads(json_text(value)) == value
    assert unsafe(json_text(value)) == []
    assert unsafe(visible(EVIL)) == []
