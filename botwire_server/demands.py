"""What each op demands of a token: verbs on namespaces. An op that is not in the table is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from botwire_core import protocol as p
from botwire_core import service
from botwire_core.errors import ForbiddenError
from botwire_core.grants import EVERYTHING
from botwire_core.scopes.adopting import AdoptScoped
from botwire_core.scopes.naming import is_place_of
from botwire_core.scopes.ops import FindScoped, ForgetScoped, ForkScoped, ListScoped, OpenScoped, ReadUses, RecordUses

__all__ = ["DEMANDS", "LISTS", "SERVER_ONLY", "WHOLE_STORE", "Demand", "demands"]

Demand: TypeAlias = tuple[str, str]
"""A verb, and the namespace that it is needed on; `*` for the whole store."""
WHOLE_STORE: Final[Demand] = ("admin", EVERYTHING)
"""What is needed for what belongs to no one namespace."""

_Rule: TypeAlias = Callable[[Any], tuple[Demand, ...]]


def demands(op: p.Op[Any]) -> tuple[Demand, ...]:
    """The verbs that an op needs, each on a namespace.

    Raises:
        ForbiddenError: nobody may send such an op.
    """
    rule = DEMANDS.get(type(op))
    if rule is None:
        raise ForbiddenError(f"{type(op).__name__} is not for clients", hint="see docs/reference/wire.md for what is")
    return rule(op)


def _on_namespace(*verbs: str) -> _Rule:
    return lambda op: tuple((verb, op.namespace) for verb in verbs)


def _read(op: Any) -> tuple[Demand, ...]:
    if op.at is None:
        return (("read", op.namespace),)
    return (("read", op.namespace), ("history", op.namespace))


def _transact(op: p.Transact) -> tuple[Demand, ...]:
    found = (demand for step in op.steps for demand in demands(step))
    # Without steps it is nothing, but even nothing is not done in a namespace of somebody else.
    return tuple(dict.fromkeys(found)) or (("read", op.namespace),)


def _fork(op: p.Fork) -> tuple[Demand, ...]:
    # A fork shows the past of its source, so `at` asks for no more than `fork` already gives.
    return (("read", op.namespace), ("fork", op.namespace), ("write", op.name))


def _compare(op: p.Compare) -> tuple[Demand, ...]:
    found = [("read", op.namespace), ("read", op.other)]
    found += [("history", name) for name, at in ((op.namespace, op.at), (op.other, op.other_at)) if at is not None]
    return tuple(found)


def _merge(op: p.Merge) -> tuple[Demand, ...]:
    # Conflicts show what stands in the target, so to write there is not enough.
    found = [("read", op.other), ("read", op.namespace), ("write", op.namespace)]
    return (*found, ("history", op.other)) if op.other_at is not None else tuple(found)


def _open_scoped(op: OpenScoped) -> tuple[Demand, ...]:
    found = [("read", op.namespace), ("fork", op.namespace)]
    return tuple(found) if is_place_of(op.namespace, op.name) else (*found, ("write", op.name))


def _fork_scoped(op: ForkScoped) -> tuple[Demand, ...]:
    found = [("read", op.source), ("fork", op.source), ("fork", op.namespace), ("write", op.namespace)]
    return tuple(found) if is_place_of(op.namespace, op.name) else (*found, ("write", op.name))


def _record_uses(op: RecordUses) -> tuple[Demand, ...]:
    # Of its own places nobody may have opened one yet: what lost its scope is counted for the run.
    names = dict.fromkeys(use.namespace for use in op.uses if not is_place_of(op.namespace, use.namespace))
    return (("fork", op.namespace), ("read", op.namespace), *(("read", name) for name in names))


def _read_uses(op: ReadUses) -> tuple[Demand, ...]:
    if op.base is None or not is_place_of(op.base, op.namespace):
        return (("read", op.namespace),)
    return (("read", op.base), ("fork", op.base))


def _whole_store(op: Any) -> tuple[Demand, ...]:
    return (WHOLE_STORE,)


DEMANDS: Final[dict[type[p.Op[Any]], _Rule]] = {
    **dict.fromkeys(
        (p.Get, p.GetEntry, p.TimeLeft, p.GetMany, p.ListKeys, p.ListEntries, p.ReadLog, p.Search, p.Export), _read
    ),
    p.ExportAll: _read,
    p.GetStats: _on_namespace("read"),
    p.Resolve: _on_namespace("read"),
    p.Check: _on_namespace("read"),
    service.GetUsage: _on_namespace("read"),
    p.Set: _on_namespace("write"),
    p.SetMany: _on_namespace("write"),
    p.Append: _on_namespace("write"),
    p.Expire: _on_namespace("write"),
    p.Import: _on_namespace("write"),
    # The new number tells the old one.
    p.Increment: _on_namespace("read", "write"),
    p.Delete: _on_namespace("delete"),
    p.DeleteMany: _on_namespace("delete"),
    p.Clear: _on_namespace("delete"),
    p.Drop: _on_namespace("delete"),
    p.Transact: _transact,
    p.Fork: _fork,
    p.GetHistory: _on_namespace("read", "history"),
    p.ListChanges: _on_namespace("read", "history"),
    p.ListSnapshots: _on_namespace("history"),
    p.GetRetention: _on_namespace("history"),
    p.Snapshot: _on_namespace("write", "history"),
    p.DeleteSnapshot: _on_namespace("delete", "history"),
    p.Restore: _on_namespace("write", "history"),
    p.Compare: _compare,
    p.Merge: _merge,
    # It reaches into every fork, whoever made it, and nothing brings back what it took.
    p.Purge: _on_namespace("admin"),
    p.SetRetention: _on_namespace("admin"),
    # What a token may not see is left out of the answer.
    p.ListNamespaces: lambda op: (),
    ListScoped: lambda op: (),
    OpenScoped: _open_scoped,
    ForkScoped: _fork_scoped,
    FindScoped: _on_namespace("read"),
    ReadUses: _read_uses,
    RecordUses: _record_uses,
    # It leaves alone what belongs to another base.
    ForgetScoped: _on_namespace("fork", "delete"),
    # The forks in a family may belong to anybody, and are named only in the file.
    p.ExportFamily: _whole_store,
    p.ImportFamily: _whole_store,
    service.CreateToken: _whole_store,
    service.ListTokens: _whole_store,
    service.RevokeToken: _whole_store,
}
"""Which rule says what an op demands."""

LISTS: Final[frozenset[type[p.Op[Any]]]] = frozenset({p.ListNamespaces, ListScoped})
"""Ops whose results are lists of namespaces, which nobody may see more of than he may read."""

SERVER_ONLY: Final[frozenset[type[p.Op[Any]]]] = frozenset(
    {service.FindToken, service.TouchToken, service.Serve, service.GetRow, service.ListAncestors, AdoptScoped}
)
"""Ops that the server makes of what clients send, and that no client may send itself."""
