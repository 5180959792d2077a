"""What starting the command costs, and what a shell can complete."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.running import Result, environment_for

from botwire import Memory

Botwire = Callable[..., Result]

LOADED_AFTER = """
import sys
sys.argv = ["botwire", *sys.argv[1:]]
from botwire.cli import main
try:
    main()
except SystemExit:
    print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_get_draws_nothing_and_so_loads_no_rich(tmp_path: Path) -> None:
    Memory("notes").set("a", 1)
    result = subprocess.run(
        [sys.executable, "-c", LOADED_AFTER, "get", "notes", "a"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment_for(),
    )
    value, loaded = result.stdout.splitlines()
    assert value == "1"
    assert {"typer", "botwire_core"} <= set(loaded.split())
    assert not set(loaded.split()) & {"rich", "httpx", "langchain_core", "langchain_classic", "pytest"}


def test_python_m_botwire_is_the_command(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "botwire", "--help"], capture_output=True, text=True, cwd=tmp_path, env=environment_for()
    )
    assert result.returncode == 0
    for name in ("get", "set", "ls", "rm", "fork", "diff", "merge", "watch", "demo", "doctor"):
        assert name in result.stdout
    assert "Exit codes" in result.stdout


@pytest.mark.parametrize(
    ("line", "suggested"),
    [
        ("botwire st", ["stats"]),
        ("botwire get no", ["notes", "notes-v2"]),
        ("botwire get notes us", ["user/1", "user/2"]),
        ("botwire get notes user/1 --js", ["--json"]),
    ],
)
def test_a_shell_completes_commands_namespaces_keys_and_options(
    botwire: Botwire, line: str, suggested: list[str]
) -> None:
    memory = Memory("notes")
    memory.set_many({"user/1": 1, "user/2": 2, "other": 3})
    memory.fork("notes-v2")
    result = botwire(_BOTWIRE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split()) - 1))
    assert result.lines == suggested


def test_completion_is_silent_where_the_store_cannot_be_read(botwire: Botwire, home: Path) -> None:
    home.mkdir()
    (home / "memory.db").write_text("no memory at all. " * 300)
    result = botwire(_BOTWIRE_COMPLETE="complete_bash", COMP_WORDS="botwire get no", COMP_CWORD="2")
    assert (result.out.strip(), result.err) == ("", "")
