"""history, restore, purge, watch."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cli.running import Result, environment_for

from botwire import Memory

Botwire = Callable[..., Result]


def test_history_shows_versions_newest_first_and_marks_deletes(botwire: Botwire) -> None:
    memory = Memory("notes", author="ana")
    memory.set("mood", "calm")
    memory.delete("mood")
    versions = botwire("history", "notes", "mood", "--json").json["versions"]
    assert [(entry["version"], entry["deleted"], entry["value"]) for entry in versions] == [
        (2, True, None),
        (1, False, "calm"),
    ]
    lines = botwire("history", "notes", "mood").lines
    assert "(deleted)" in lines[1]
    assert '"calm"' in lines[2]
    assert "ana" in lines[2]
    assert botwire("history", "notes", "mood", "--limit", "1", "--json").json["versions"] == versions[:1]
    assert botwire("history", "notes", "nothing").code == 1


def test_restore_writes_an_old_version_anew(botwire: Botwire) -> None:
    memory = Memory("notes")
    memory.set("mood", "calm")
    memory.set("mood", "angry")
    assert botwire("restore", "notes", "mood", "1", "--json").json["version"] == 3
    assert memory.get("mood") == "calm"
    assert botwire("restore", "notes", "mood", "99").code == 2
    assert botwire("restore", "notes", "mood", "0").code == 2


class TestPurge:
    def test_it_asks_first_and_then_erases_everywhere(self, botwire: Botwire, home: Path) -> None:
        memory = Memory("crm")
        memory.set_many({"ana": "XYZZY-1", "ana/notes": "XYZZY-2", "anabel": 1})
        fork = memory.fork("crm-v2")
        assert botwire("purge", "crm", "ana", stdin=b"\n").code == 1
        assert memory.get("ana") == "XYZZY-1"
        memory.close()
        result = botwire("purge", "crm", "ana", "--yes", "--json").json
        assert (result["keys"], result["namespaces"]) == (["ana", "ana/notes"], ["crm", "crm-v2"])
        assert memory.list_keys() == fork.list_keys() == ["anabel"]
        assert all(b"XYZZY" not in file.read_bytes() for file in home.iterdir())

    def test_it_prints_what_it_reached(self, botwire: Botwire) -> None:
        memory = Memory("crm")
        memory.set("ana", 1)
        fork = memory.fork("crm-v2")
        fork.set("ana", 2)
        memory.close()
        out = botwire("purge", "crm-v2", "ana", "--yes").out
        assert out.startswith("ana\nerased: 1 keys")
        assert "still held by: crm" in out
        assert botwire("purge", "crm-v2", "nothing", "--yes").code == 1


class TestWatch:
    def test_it_tells_what_is_kept_and_ends_after_the_timeout(self, botwire: Botwire) -> None:
        memory = Memory("notes")
        memory.set("a", {"n": 1})
        memory.set("b", 2)
        memory.delete("b")
        assert botwire("watch", "notes", "--since", "0", "--timeout", "0").lines == [
            'r1 a {"n": 1}',
            "r2 b 2",
            "r3 b (deleted)",
        ]
        lines = botwire("watch", "notes", "--since", "1", "--timeout", "0", "--json").lines
        assert [json.loads(line)["revision"] for line in lines] == [2, 3]
        assert botwire("watch", "notes", "a", "--since", "0", "--timeout", "0").lines == ['r1 a {"n": 1}']

    def test_it_streams_lines_as_others_write_until_it_is_interrupted(self, tmp_path: Path) -> None:
        memory = Memory("notes")
        memory.set("ready", 0)
        process = subprocess.Popen(
            [sys.executable, "-m", "botwire", "watch", "notes", "--since", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment_for(),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "r1 ready 0\n"
        memory.set("live", "now")
        assert process.stdout.readline() == 'r2 live "now"\n'
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")
