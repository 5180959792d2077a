"""How the command fails: a message, a hint, an exit code, and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.running import Result, environment_for, run

from botwire import Memory, errors
from botwire.cli.failures import BAD_INPUT, CONFLICT, FORBIDDEN, NOT_THERE, STORE_FAILED, exit_code

Botwire = Callable[..., Result]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("get", "notes", "absent"), NOT_THERE),
        (("get", ".hidden", "a"), BAD_INPUT),
        (("get", "notes", ""), BAD_INPUT),
        (("get", "notes"), BAD_INPUT),
        (("get", "notes", "a", "--no-such-option"), BAD_INPUT),
        (("no-such-command",), BAD_INPUT),
        (("get", "notes", "a", "--url", "no-scheme"), BAD_INPUT),
        (("get", "notes", "a", "--url", "gopher://example"), BAD_INPUT),
        (("get", "notes", "a", "--url", "sqlite:////dev/null/nowhere/memory.db"), STORE_FAILED),
        (("set", "notes", "a", "1", "--if-version", "7"), CONFLICT),
        (("set", "notes", "a", "1", "--ttl", "-1"), BAD_INPUT),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(botwire: Botwire, arguments: tuple[str, ...], code: int) -> None:
    result = botwire(*arguments)
    assert result.code == code, result.err
    assert result.out == ""
    assert result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_an_exit_code(name: str) -> None:
    assert exit_code(getattr(errors, name)("message")) in {NOT_THERE, BAD_INPUT, STORE_FAILED, CONFLICT, FORBIDDEN}


def test_an_error_is_json_where_json_was_asked_for(botwire: Botwire) -> None:
    Memory("notes").set("a", 1)
    result = botwire("set", "notes", "a", "2", "--if-version", "9", "--json")
    error = json.loads(result.err)["error"]
    assert (result.out, error["code"], error["retryable"]) == ("", "conflict", False)
    assert error["message"]
    assert error["hint"]


def test_a_hint_says_what_to_do(botwire: Botwire) -> None:
    message, hint = botwire("get", "no slash/please", "a").err.splitlines()
    assert message.startswith("botwire: ")
    assert hint.startswith("  use 1 to 243 of")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    Memory("notes").set_many({f"{n:06d}": None for n in range(30_000)})
    process = subprocess.Popen(
        [sys.executable, "-m", "botwire", "ls", "notes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment_for(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"000000\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(timeout=60)


def test_an_output_that_cannot_show_a_character_gets_an_escape(botwire: Botwire) -> None:
    Memory("notes").set("a", "café ☕")
    # The encoding of a stream is settled when Python starts, so this one is not forked.
    result = run("get", "notes", "a", folder=Path(os.environ["BOTWIRE_HOME"]), PYTHONIOENCODING="latin-1")
    assert result.raw == b'"caf\xe9 \\u2615"\n'


def test_the_version_is_that_of_the_package(botwire: Botwire) -> None:
    from botwire import __version__

    assert botwire("--version").out == f"botwire {__version__}\n"
