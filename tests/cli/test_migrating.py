"""migrate: a whole store carried into another, by a process that may be stopped at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.running import Result, environment_for, run_on_a_terminal
from plugins.distributions import Site

from botwire import Memory
from botwire_core.connect import connect
from botwire_core.protocol import ListNamespaces
from botwire_core.service import CreateToken, Grant, ListTokens
from botwire_core.stores.dict import DictStore

Botwire = Callable[..., Result]
HERE, THERE = "sqlite:///here.db", "sqlite:///there.db"


@pytest.fixture
def here(tmp_path: Path) -> str:
    """A store with two families, of which the first has a fork."""
    url = f"sqlite:///{tmp_path / 'here.db'}"
    memory = Memory("a", url)
    memory.set("k", 1)
    memory.set("k", 2)
    memory.fork("a-fork").set("k", 3)
    Memory("b", url).set("k", b"\x00")
    return url


def names(folder: Path) -> list[str]:
    return [info.name for info in connect(f"sqlite:///{folder / 'there.db'}").run(ListNamespaces())]


def test_everything_comes_and_a_second_run_changes_nothing(botwire: Botwire, here: str, tmp_path: Path) -> None:
    digests = [one["digest"] for one in botwire("migrate", HERE, THERE, "--dry-run", "--json").json["families"]]
    assert names(tmp_path) == []
    first = botwire("migrate", HERE, THERE)
    assert first.code == 0, first.err
    assert first.err == ""
    assert first.lines[0] == f"a: copied and compared, 2 namespaces, 3 versions, sha256 {digests[0][:16]}"
    assert first.lines[1] == f"b: copied and compared, 1 namespace, 1 version, sha256 {digests[1][:16]}"
    assert first.lines[2].startswith("2 of 2 copied: 4 versions, ")
    there = f"sqlite:///{tmp_path / 'there.db'}"
    assert [entry.value for entry in Memory("a-fork", there).history("k")] == [3, 2, 1]
    again = botwire("migrate", HERE, THERE, "--json").json
    assert {name: again[name] for name in again if name != "families"} == {
        "from": HERE,
        "to": THERE,
        "dry_run": False,
        "complete": True,
        "tokens": 0,
        "scopes": 0,
    }
    assert [(one["family"], one["outcome"], one["digest"]) for one in again["families"]] == [
        ("a", "same", digests[0]),
        ("b", "same", digests[1]),
    ]


def test_what_differs_is_named_with_the_exit_code_of_a_conflict(botwire: Botwire, here: str, tmp_path: Path) -> None:
    Memory("a", f"sqlite:///{tmp_path / 'there.db'}").set("k", "mine")
    result = botwire("migrate", HERE, THERE)
    assert result.code == 4
    assert "a: NOT COPIED" in result.lines[0]
    assert "'a' differs in line 1" in result.err
    assert "stopped" not in result.err
    as_json = botwire("migrate", HERE, THERE, "--json")
    assert (as_json.code, as_json.json["complete"]) == (4, False)
    assert [one["outcome"] for one in as_json.json["families"]] == ["differs", "same"]
    assert Memory("a", f"sqlite:///{tmp_path / 'there.db'}").get("k") == "mine"


def test_a_prefix_chooses_and_what_is_not_there_is_told(botwire: Botwire, here: str, tmp_path: Path) -> None:
    assert botwire("migrate", HERE, THERE, "--prefix", "b").lines[1].startswith("1 of 1 copied: 1 version, ")
    assert names(tmp_path) == ["b"]
    nothing = botwire("migrate", HERE, THERE, "--prefix", "zoo")
    assert (nothing.code, nothing.err) == (1, f"botwire: {HERE} has no namespaces that start with zoo\n")
    assert botwire("migrate", "sqlite:///empty.db", THERE).code == 1
    assert botwire("migrate", HERE, HERE).code == 2


def test_tokens_come_along(botwire: Botwire, here: str, tmp_path: Path) -> None:
    connect(here).run(CreateToken(b"1" * 32, (Grant("a", frozenset({"read"})),), "reader"))
    assert botwire("migrate", HERE, THERE).lines[-1].endswith("; 1 token, 0 scoped namespaces")
    (token,) = connect(f"sqlite:///{tmp_path / 'there.db'}").run(ListTokens())
    assert token.label == "reader"


def test_a_server_can_be_either_side(botwire: Botwire, here: str, tmp_path: Path) -> None:
    from botwire_server.testing import served

    root = Memory("root", here)
    root.set("k", 1)
    for name in ("c", "d"):
        root.fork(name).set(name, 1)
    root.drop()
    store = DictStore()
    with served(store) as url:
        assert botwire("migrate", HERE, url).code == 0
        assert botwire("migrate", HERE, url).lines[0].startswith("a: there already")
        back = botwire("migrate", url, THERE)
        assert back.code == 0, back.err
    assert botwire("migrate", HERE, THERE).lines[-1].startswith("0 of 4 copied")
    assert names(tmp_path) == ["a", "a-fork", "b", "c", "d"]


@pytest.mark.parametrize(
    "secret",
    [
        "http://user:opensesame@127.0.0.1:1/?key=opensesame",
        "postgresql://user:opensesame@127.0.0.1:1/memory?password=opensesame&pool=none",
    ],
)
def test_no_password_is_shown(botwire: Botwire, here: str, secret: str) -> None:
    for arguments in ((HERE, secret), (secret, THERE), (HERE, secret, "--json"), (secret, THERE, "--json")):
        result = botwire("migrate", *arguments)
        assert result.code in (2, 3)
        assert result.err
        assert "opensesame" not in result.out + result.err


def test_a_bar_is_shown_on_a_terminal(here: str, tmp_path: Path) -> None:
    large = Memory("large", here)
    for start in range(0, 3500, 500):
        large.set_many({f"{number:05}": "x" * 50 for number in range(start, start + 500)})
    shown = run_on_a_terminal("migrate", HERE, THERE, folder=tmp_path).decode()
    assert "\x1b[?25l" in shown  # the cursor is hidden while the bar moves
    assert "3/3" in shown or "2/3" in shown
    assert "large: copied and compared, 1 namespace, 3,500 versions" in shown
    assert "a: copied and compared" in shown


STALLING = '''
import os, sys
from botwire_core.protocol import ImportFamily
from botwire_core.records import replace
from botwire_core.stores.sqlite import SqliteStore

class Stalling(SqliteStore):
    """A file that comes to a halt before one of the parts that it is given."""
    given = 0
    def run(self, op):
        if isinstance(op, ImportFamily):
            op = replace(op, parts=self.slowly(op.parts))
        return super().run(op)
    def slowly(self, parts):
        for part in parts:
            self.given += 1
            if self.given == int(os.environ["STALL_AT"]):
                print("stalled", file=sys.stderr, flush=True)
                sys.stdin.read()
            yield part

def open_url(url, *, timeout=None, token=None):
    return Stalling(url.partition("://")[2])

@hookimpl
def botwire_stores():
    return [StoreSpec("stalling", opens="MODULE:open_url")]
'''


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("at", "left"), [(2, []), (6, []), (8, ["a", "a-fork"])])
def test_a_command_that_is_stopped_leaves_whole_families_and_the_next_goes_on(
    botwire: Botwire, here: str, tmp_path: Path, stop: signal.Signals, at: int, left: list[str]
) -> None:
    site = Site(tmp_path / "site")
    site.install("stalling", STALLING)
    with subprocess.Popen(
        [sys.executable, "-m", "botwire", "migrate", HERE, "stalling://there.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment_for(
            PYTHONPATH=os.pathsep.join([str(site.folder), os.environ.get("PYTHONPATH", "")]), STALL_AT=str(at)
        ),
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"stalled\n"
        process.send_signal(stop)
        _, told = process.communicate(timeout=60)
    assert process.returncode == (130 if stop == signal.SIGINT else -stop)
    assert b"Traceback" not in told
    if stop == signal.SIGINT:
        assert f"stopped at {'b' if left else 'a'}: what came before it stays" in told.decode()
    assert names(tmp_path) == left
    outcomes = [one["outcome"] for one in botwire("migrate", HERE, THERE, "--json").json["families"]]
    assert outcomes == ["same" if left else "copied", "copied"]
    assert names(tmp_path) == ["a", "a-fork", "b"]
    assert botwire("doctor", "--url", THERE).code == 0
