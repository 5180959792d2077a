"""export and import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cli.running import Result, run_on_a_terminal

from botwire import Memory

Botwire = Callable[..., Result]


def test_an_export_imports_to_an_equal_memory(botwire: Botwire, tmp_path: Path) -> None:
    Memory("notes").set_many({"b": {"n": 10**40}, "a": b"\x00\xff", "é": "x"})
    assert botwire("export", "notes", "notes.jsonl").out == "notes: 3 records exported\n"
    assert botwire("import", "copy", "notes.jsonl", "--json").json["records"] == 3
    assert botwire("export", "copy", "-").raw == (tmp_path / "notes.jsonl").read_bytes()
    assert Memory("copy").get("a") == b"\x00\xff"


def test_standard_output_carries_the_records_and_nothing_else(botwire: Botwire) -> None:
    Memory("notes").set("a", 1)
    result = botwire("export", "notes", "-", "--json")
    assert result.raw == b'{"key":"a","value":1}\n'
    assert "1 records" in result.err


def test_an_export_looks_at_the_past(botwire: Botwire) -> None:
    memory = Memory("notes")
    memory.set("a", 1)
    memory.set("a", 2)
    assert botwire("export", "notes", "-", "--at", "1").raw == b'{"key":"a","value":1}\n'


def test_a_full_export_makes_history_and_forks_anew(botwire: Botwire) -> None:
    memory = Memory("notes")
    memory.set("mood", "calm")
    memory.set("mood", "angry")
    memory.snapshot("before")
    memory.fork("notes-v2").set("mood", "happy")
    assert botwire("export", "notes", "all.jsonl", "--full").code == 0
    elsewhere = ("--url", "sqlite:///elsewhere.db")
    assert botwire("import", "notes", "all.jsonl", *elsewhere).code == 0
    versions = botwire("history", "notes", "mood", "--json", *elsewhere).json["versions"]
    assert [entry["value"] for entry in versions] == ["angry", "calm"]
    assert botwire("get", "notes-v2", "mood", *elsewhere).out == '"happy"\n'
    assert botwire("import", "notes", "all.jsonl", *elsewhere).code == 4


def test_a_bad_line_is_named_and_nothing_is_imported(botwire: Botwire) -> None:
    lines = b'{"key": "a", "value": 1}\n{"key": "b", "value": NaN}\n'
    result = botwire("import", "notes", "-", stdin=lines)
    assert result.code == 2
    assert "line 2" in result.err
    assert Memory("notes").list_keys() == []


def test_a_file_that_is_not_there_is_bad_input(botwire: Botwire) -> None:
    result = botwire("import", "notes", "no-such.jsonl", "--json")
    assert result.code == 2
    assert '"code": "file"' in result.err
    assert botwire("export", "notes", "no/such/folder.jsonl").code == 2


def test_a_terminal_gets_a_progress_bar_and_a_pipe_does_not(botwire: Botwire, tmp_path: Path) -> None:
    Memory("notes").set_many({f"key:{n}": n for n in range(2500)})
    assert "━".encode() in run_on_a_terminal("export", "notes", "notes.jsonl", folder=tmp_path)
    assert "━".encode() in run_on_a_terminal("import", "copy", "notes.jsonl", folder=tmp_path)
    assert botwire("export", "notes", "again.jsonl").err == ""
    assert Memory("copy").stats().keys == 2500
