"""The namespaces of scopes in a store with a past: their registry, their pins, and the record of their use.

All of it are ordinary rows of one reserved namespace, whose name no user can type: they have checksums, they expire,
and every store with a past has them without another line.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from botwire_core.arguments import check_ttl
from botwire_core.clock import from_microseconds, to_microseconds
from botwire_core.codec import encode
from botwire_core.errors import InvalidValueError, ScopeError
from botwire_core.names import check_namespace
from botwire_core.results import NamespaceInfo
from botwire_core.scopes.naming import Isolation, name_of_base
from botwire_core.scopes.ops import (
    FindScoped,
    ForgetScoped,
    ForkScoped,
    ListScoped,
    OpenScoped,
    ReadUses,
    RecordUses,
    ScopedNamespace,
    Use,
)
from botwire_core.scopes.scope import Scope
from botwire_core.stores.base import expiry
from botwire_core.stores.history import HistoryStoreBase
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.reserved import ReservedRows
from botwire_core.stores.spaces import Space

__all__ = ["RUNNERS"]

SCOPES: Final = ".scopes"
_UNSCOPED_KEPT: Final = 7 * 86_400_000_000


def _open(store: HistoryPrimitives, op: OpenScoped) -> ScopedNamespace:
    check_namespace(op.namespace)
    check_namespace(op.name)
    check_ttl(op.ttl)
    known = _found(store, op.name)
    if known is None:
        with store.exclusive():
            known = _found(store, op.name) or _make(store, op)
    if (known.base, known.isolation, _ids(known.scope)) != (op.namespace, op.isolation, _ids(op.scope)):
        raise ScopeError(
            f"{op.name!r} belongs to another scope, {known.scope} of {known.base!r}",
            hint="give the variant, run or datapoint another id",
        )
    return known


def _ids(scope: Scope) -> tuple[object, ...]:
    """What a name stands for; the rest describes it, and may be learned later."""
    return scope.variant, scope.run_id, scope.datapoint_id, scope.trial


def _make(store: HistoryPrimitives, op: OpenScoped) -> ScopedNamespace:
    rows = ReservedRows(store, SCOPES)
    now = rows.now
    expires = expiry(now, op.ttl)
    if store.find(op.name) is not None:
        raise ScopeError(
            f"there is a namespace {op.name!r} already, and it belongs to no scope",
            hint="drop() it, or give the run another id",
        )
    base = store.find(op.namespace)
    pin, revision = _pin(store, rows, base, op, expires)
    start = None if base is None or op.seed == "empty" else base.view(revision)[0]
    store.create(op.name, start, expires)
    made = ScopedNamespace(
        op.name,
        op.namespace,
        op.scope,
        op.isolation,
        op.seed,
        revision,
        pin,
        from_microseconds(now),
        None if expires is None else from_microseconds(expires),
    )
    rows.put(f"name/{op.name}", _to_json(made), expires)
    rows.commit()
    return made


def _fork(store: HistoryStoreBase, op: ForkScoped) -> NamespaceInfo:
    for name in (op.namespace, op.source, op.name):
        check_namespace(name)
    check_ttl(op.ttl)
    with store.exclusive():
        rows = ReservedRows(store, SCOPES)
        expires = expiry(rows.now, op.ttl)
        made = store.make_fork(op.source, op.name, op.at, expires)
        revision = made.revision if op.at is None else op.at
        place = ScopedNamespace(
            op.name,
            op.namespace,
            op.scope,
            op.isolation,
            f"fork:{op.source}",
            revision,
            "",
            made.created_at,
            made.expires_at,
        )
        rows.put(f"name/{op.name}", _to_json(place), expires)
        rows.commit()
        return made


def _pin(
    store: HistoryPrimitives, rows: ReservedRows, base: Space | None, op: OpenScoped, expires: int | None
) -> tuple[str, int]:
    """What an experiment starts from: the name of its pin, and the revision of the base, which is kept meanwhile."""
    pin = sha256(encode([op.namespace, op.seed, op.group]).data).hexdigest()[:20]
    key = f"pin/{pin}"
    row = rows.row(key)
    there = base.created if base is not None else None
    if row is None:
        revision = _seed_revision(store, base, op)
    else:
        revision = row.value["revision"]
        if row.value["base"] != there and revision:
            raise ScopeError(
                f"{op.namespace!r} was dropped since the experiment began, so nothing can start where the others did",
                hint="begin a new experiment or run",
            )
    if row is None or row.expires != expires:
        if base is not None and op.seed == "base" and revision:
            store.remove_snapshot(base, f"scope {pin}")
            store.add_snapshot(base, f"scope {pin}", revision, expires)
        rows.put(key, {"base": there, "revision": revision, "seed": op.seed}, expires)
    return pin, revision


def _seed_revision(store: HistoryPrimitives, base: Space | None, op: OpenScoped) -> int:
    if op.seed == "base":
        return 0 if base is None else base.head
    if op.seed == "empty":
        return 0
    label = op.seed.partition("snapshot:")[2]
    for snapshot in store.list_snapshots(base) if base is not None else []:
        if snapshot.label == label:
            return snapshot.number
    raise InvalidValueError(
        f"seed: {op.namespace!r} has no snapshot {label!r}", hint="memory.snapshots() lists those that are kept"
    )


def _found(store: HistoryPrimitives, name: str) -> ScopedNamespace | None:
    row = ReservedRows(store, SCOPES).row(f"name/{name}")
    return None if row is None else _from_json(row.value)


def _find(store: HistoryPrimitives, op: FindScoped) -> ScopedNamespace | None:
    return _found(store, check_namespace(op.namespace))


def _list(store: HistoryPrimitives, op: ListScoped) -> list[ScopedNamespace]:
    prefix = "name/" if op.namespace is None else f"name/{name_of_base(check_namespace(op.namespace))}@"
    found = [_from_json(row.value) for row in ReservedRows(store, SCOPES).rows(prefix)]
    return [one for one in found if op.namespace is None or one.base == op.namespace]


def _forget(store: HistoryPrimitives, op: ForgetScoped) -> int:
    check_namespace(op.namespace)
    count = 0
    with store.exclusive():
        rows = ReservedRows(store, SCOPES)
        pins: set[str] = set()
        for name in dict.fromkeys(op.names):
            known = _found(store, check_namespace(name))
            if known is None or known.base != op.namespace:
                continue
            space = store.find(name)
            if space is not None:
                store.discard(space)
            # What was counted for code that lost its scope stands under the name of the run.
            of_run = name if known.isolation != "datapoint" else name.rpartition("~")[0]
            for log in (name, of_run):
                rows.remove(row.key for row in rows.rows(f"uses/{log}/"))
            rows.remove([f"name/{name}"])
            pins.add(known.pin)
            count += 1
        rows.commit()
        _unpin(store, rows, op.namespace, pins)
    return count


def _unpin(store: HistoryPrimitives, rows: ReservedRows, namespace: str, pins: set[str]) -> None:
    """Let go of the pins that no namespace of a scope has any more."""
    left = {_from_json(row.value).pin for row in rows.rows(f"name/{name_of_base(namespace)}@")}
    base = store.find(namespace)
    for pin in pins - left:
        rows.remove([f"pin/{pin}"])
        if base is not None:
            store.remove_snapshot(base, f"scope {pin}")
    rows.commit()


def _record(store: HistoryPrimitives, op: RecordUses) -> None:
    check_namespace(op.namespace)
    with store.exclusive():
        rows = ReservedRows(store, SCOPES)
        known: dict[str, ScopedNamespace | None] = {}
        for use in op.uses:
            if use.namespace not in known:
                known[use.namespace] = _found(store, check_namespace(use.namespace))
            place = known[use.namespace]
            if use.kind == "unscoped":  # nobody may have opened what it is counted for
                expires: int | None = rows.now + _UNSCOPED_KEPT
            elif place is None or place.base != op.namespace:
                continue  # it has expired, or was forgotten, meanwhile
            else:
                expires = None if place.expires_at is None else to_microseconds(place.expires_at)
            rows.add(f"uses/{use.namespace}", _use_to_json(use), expires)
        rows.commit()


def _read_uses(store: HistoryPrimitives, op: ReadUses) -> list[Use]:
    name = check_namespace(op.namespace)
    return [_use_from_json(name, row.value) for row in ReservedRows(store, SCOPES).rows(f"uses/{name}/")]


def _to_json(one: ScopedNamespace) -> dict[str, Any]:
    ids = {name: value for name in Scope.__match_args__ if (value := getattr(one.scope, name)) is not None}
    return {
        "name": one.name,
        "base": one.base,
        "scope": ids,
        "isolation": one.isolation,
        "seed": one.seed,
        "seed_revision": one.seed_revision,
        "pin": one.pin,
        "created_at": to_microseconds(one.created_at),
        "expires_at": None if one.expires_at is None else to_microseconds(one.expires_at),
    }


def _from_json(members: Any) -> ScopedNamespace:
    def moment(name: str) -> datetime | None:
        return None if members[name] is None else from_microseconds(members[name])

    isolation: Isolation = members["isolation"]
    created = moment("created_at")
    assert created is not None
    return ScopedNamespace(
        members["name"],
        members["base"],
        Scope(**members["scope"]),
        isolation,
        members["seed"],
        members["seed_revision"],
        members["pin"],
        created,
        moment("expires_at"),
    )


def _use_to_json(use: Use) -> list[Any]:
    return [use.key, use.kind, use.count, use.hits, use.own, use.first, use.last, use.datapoint_id, use.trial]


def _use_from_json(namespace: str, members: Any) -> Use:
    return Use(namespace, *members)


RUNNERS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    OpenScoped: _open,
    ForkScoped: _fork,
    FindScoped: _find,
    ListScoped: _list,
    ForgetScoped: _forget,
    RecordUses: _record,
    ReadUses: _read_uses,
}
