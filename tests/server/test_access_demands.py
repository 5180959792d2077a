"""What each op demands: no op without a demand, and a row of the table for each."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from house.tree import MODULES, module_name, shown

from botwire_core import protocol as p
from botwire_core import service
from botwire_core.codec import encode
from botwire_core.errors import ForbiddenError
from botwire_core.records import record
from botwire_core.results import Retention
from botwire_core.scopes.ops import (
    FindScoped,
    ForgetScoped,
    ForkScoped,
    ListScoped,
    OpenScoped,
    ReadUses,
    RecordUses,
    Use,
)
from botwire_core.scopes.scope import Scope
from botwire_server.demands import DEMANDS, SERVER_ONLY, demands

ONE = encode(1)
READ, WRITE, DELETE, HISTORY, ADMIN = ((verb, "a") for verb in ("read", "write", "delete", "history", "admin"))
FORK = ("fork", "a")
FROM = (("read", "a@~r"), ("fork", "a@~r"))
WHOLE = ("admin", "*")
SCOPE = Scope(run_id="r")
USE = Use("a@~r", "key", "read", count=1, hits=1, own=0, first=0.0, last=0.0)

TABLE: list[tuple[p.Op[Any], tuple[tuple[str, str], ...]]] = [
    (p.Get("a", "k"), (READ,)),
    (p.Get("a", "k", at=1), (READ, HISTORY)),
    (p.GetEntry("a", "k"), (READ,)),
    (p.TimeLeft("a", "k"), (READ,)),
    (p.GetMany("a", ("k",)), (READ,)),
    (p.ListKeys("a"), (READ,)),
    (p.ListEntries("a", at=1), (READ, HISTORY)),
    (p.ReadLog("a", "k"), (READ,)),
    (p.Search("a"), (READ,)),
    (p.Export("a"), (READ,)),
    (p.ExportAll("a", print, at=1), (READ, HISTORY)),
    (p.GetStats("a"), (READ,)),
    (p.Resolve("a"), (READ,)),
    (p.Check("a", "k", 1), (READ,)),
    (service.GetUsage("a"), (READ,)),
    (p.Set("a", "k", ONE), (WRITE,)),
    (p.SetMany("a", (("k", ONE),)), (WRITE,)),
    (p.Append("a", "k", (ONE,)), (WRITE,)),
    (p.Increment("a", "k"), (READ, WRITE)),
    (p.Expire("a", "k", 1), (WRITE,)),
    (p.Import("a", ()), (WRITE,)),
    (p.Delete("a", "k"), (DELETE,)),
    (p.DeleteMany("a", ("k",)), (DELETE,)),
    (p.Clear("a"), (DELETE,)),
    (p.Drop("a"), (DELETE,)),
    (p.Transact("a", ()), (READ,)),
    (p.Transact("a", (p.Set("a", "k", ONE), p.Delete("a", "k"), p.Set("a", "l", ONE))), (WRITE, DELETE)),
    (p.Fork("a", "b"), (READ, FORK, ("write", "b"))),
    (p.Snapshot("a"), (WRITE, HISTORY)),
    (p.ListSnapshots("a"), (HISTORY,)),
    (p.DeleteSnapshot("a", "l"), (DELETE, HISTORY)),
    (p.GetHistory("a", "k"), (READ, HISTORY)),
    (p.Restore("a", "k", 1), (WRITE, HISTORY)),
    (p.Compare("a", "b"), (READ, ("read", "b"))),
    (p.Compare("a", "b", at=1, other_at=1), (READ, ("read", "b"), HISTORY, ("history", "b"))),
    (p.Merge("a", "b"), (("read", "b"), READ, WRITE)),
    (p.Merge("a", "b", other_at=1), (("read", "b"), READ, WRITE, ("history", "b"))),
    (p.ListChanges("a"), (READ, HISTORY)),
    (p.GetRetention("a"), (HISTORY,)),
    (p.SetRetention("a", Retention()), (ADMIN,)),
    (p.Purge("a", "k"), (ADMIN,)),
    (p.ListNamespaces(), ()),
    (ListScoped("a"), ()),
    (OpenScoped("a", "a@~r", SCOPE, "run", "r"), (READ, FORK)),
    (OpenScoped("a", "b@~r", SCOPE, "run", "r"), (READ, FORK, ("write", "b@~r"))),
    (ForkScoped("b", "a@~r", "b@~r", SCOPE, "run"), (*FROM, ("fork", "b"), ("write", "b"))),
    (ForkScoped("b", "a@~r", "c@~r", SCOPE, "run"), (*FROM, ("fork", "b"), ("write", "b"), ("write", "c@~r"))),
    (FindScoped("a"), (READ,)),
    (ReadUses("a"), (READ,)),
    (ReadUses("a@~r", "a"), (READ, FORK)),
    (ReadUses("b@~r", "a"), (("read", "b@~r"),)),
    (RecordUses("a", (USE, USE)), (FORK, READ)),
    (RecordUses("b", (USE, USE)), (("fork", "b"), ("read", "b"), ("read", "a@~r"))),
    (ForgetScoped("a", ("a@~r",)), (FORK, DELETE)),
    (p.ExportFamily("a", print), (WHOLE,)),
    (p.ImportFamily("a", ()), (WHOLE,)),
    (service.CreateToken(b"", ()), (WHOLE,)),
    (service.ListTokens(), (WHOLE,)),
    (service.RevokeToken("id"), (WHOLE,)),
]


def all_ops() -> Iterator[type[p.Op[Any]]]:
    for path in MODULES:
        if shown(path).startswith(("botwire_core/", "botwire_server/")):  # the others may need a framework
            importlib.import_module(module_name(path))
    waiting = list(p.Op.__subclasses__())
    while waiting:
        op = waiting.pop()
        waiting += op.__subclasses__()
        if op.__module__.startswith("botwire") and ".testing." not in op.__module__:
            yield op


@pytest.mark.parametrize(("op", "expected"), TABLE, ids=lambda part: type(part).__name__)
def test_an_op_demands_what_the_table_says(op: p.Op[Any], expected: tuple[tuple[str, str], ...]) -> None:
    assert demands(op) == expected


def test_there_is_no_op_without_a_demand() -> None:
    ops = set(all_ops())
    assert ops
    assert {op.__name__ for op in ops - DEMANDS.keys() - SERVER_ONLY} == set()
    assert not SERVER_ONLY & DEMANDS.keys()


def test_the_table_has_a_row_for_each_op_that_has_a_demand() -> None:
    assert {type(op) for op, _ in TABLE} == DEMANDS.keys()


def test_an_op_that_nobody_thought_of_is_refused() -> None:
    @record
    class Shutdown(p.Op[None]):
        namespace: str

    with pytest.raises(ForbiddenError, match="Shutdown is not for clients"):
        demands(Shutdown("a"))


@pytest.mark.parametrize(
    "op", [service.FindToken(b""), service.TouchToken("id"), service.Serve(()), service.GetRow("a", "k")]
)
def test_what_only_the_server_runs_is_refused(op: p.Op[Any]) -> None:
    with pytest.raises(ForbiddenError, match="is not for clients"):
        demands(op)
