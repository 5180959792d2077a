"""The namespaces of scopes in a store with a past: their registry, their pins, and the record of their use.

All of it are ordinary rows of one reserved namespace, whose name no user can type: they have checksums, they expire,
and every store with a past has them without another line.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from botwire_core.arguments import check_ttl
from botwire_core.clock import from_microseconds
from botwire_core.codec import encode
from botwire_core.errors import InvalidValueError, RevisionPrunedError, ScopeError
from botwire_core.names import check_namespace
from botwire_core.results import NamespaceInfo
from botwire_core.scopes.naming import is_place_of, name_of_base
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
from botwire_core.stores.scoped_rows import (
    SCOPES,
    UNSCOPED_KEPT,
    find_scoped,
    microseconds,
    pin_key,
    place_from_json,
    place_key,
    place_to_json,
    use_from_json,
    use_to_json,
)
from botwire_core.stores.spaces import Space

__all__ = ["RUNNERS"]


def _open(store: HistoryPrimitives, op: OpenScoped) -> ScopedNamespace:
    check_namespace(op.namespace)
    check_namespace(op.name)
    check_ttl(op.ttl)
    known = find_scoped(store.reserved(SCOPES), op.name)
    if known is None or store.find(op.name) is None:
        with store.exclusive():
            rows = store.reserved(SCOPES)
            rows.load([place_key(op.name)])
            known = find_scoped(rows, op.name) or _make(store, rows, op)
            if store.find(op.name) is None:  # dropped in the scope: empty from then on, until all of it expires
                store.create(op.name, None, microseconds(known.expires_at))
    if (known.base, known.isolation, _ids(known.scope)) != (op.namespace, op.isolation, _ids(op.scope)):
        raise ScopeError(
            f"{op.name!r} belongs to another scope, {known.scope} of {known.base!r}",
            hint="give the variant, run or datapoint another id",
        )
    return known


def _ids(scope: Scope) -> tuple[object, ...]:
    """What a name stands for; the rest describes it, and may be learned later."""
    return scope.variant, scope.run_id, scope.datapoint_id, scope.trial


def _make(store: HistoryPrimitives, rows: ReservedRows, op: OpenScoped) -> ScopedNamespace:
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
    rows.put(place_key(op.name), place_to_json(made), expires)
    rows.commit()
    return made


def _fork(store: HistoryStoreBase, op: ForkScoped) -> NamespaceInfo:
    for name in (op.namespace, op.source, op.name):
        check_namespace(name)
    check_ttl(op.ttl)
    with store.exclusive():
        rows = store.reserved(SCOPES)
        rows.load([place_key(op.name)])
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
        rows.put(place_key(op.name), place_to_json(place), expires)
        rows.commit()
        return made


def _pin(
    store: HistoryPrimitives, rows: ReservedRows, base: Space | None, op: OpenScoped, expires: int | None
) -> tuple[str, int]:
    """What an experiment starts from: the name of its pin, and the revision of the base, which is kept meanwhile."""
    pin = sha256(encode([op.namespace, op.seed, op.group]).data).hexdigest()[:20]
    key = pin_key(pin)
    rows.load([key])
    row = rows.row(key)
    there = base.id if base is not None else None
    if row is None:
        revision = _seed_revision(store, base, op)
    else:
        revision = row.value["revision"]
        # Who asks for less time takes nothing from those who still compare with it.
        expires = None if expires is None or row.expires is None else max(expires, row.expires)
        if row.value["base"] != there and revision:
            raise ScopeError(
                f"{op.namespace!r} was dropped since the experiment began, so nothing can start where the others did",
                hint="begin a new experiment or run",
            )
        if base is not None and revision not in (0, base.head):
            _check_kept(store, base, revision)
    if row is None or row.expires != expires:
        if base is not None and revision:
            store.remove_snapshot(base, f"scope {pin}")
            store.add_snapshot(base, f"scope {pin}", revision, expires)
        rows.put(key, {"base": there, "revision": revision, "seed": op.seed}, expires)
    return pin, revision


def _check_kept(store: HistoryPrimitives, base: Space, revision: int) -> None:
    try:
        store.check_kept(base.view(revision))
    except RevisionPrunedError as error:
        raise ScopeError(
            f"what the experiment started from, revision {revision} of {base.name!r}, is no longer kept",
            hint="leave its snapshot alone while it goes on, and begin a new experiment or run now",
        ) from error


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


def _find(store: HistoryPrimitives, op: FindScoped) -> ScopedNamespace | None:
    return find_scoped(store.reserved(SCOPES), check_namespace(op.namespace))


def _list(store: HistoryPrimitives, op: ListScoped) -> list[ScopedNamespace]:
    prefix = "name/" if op.namespace is None else f"name/{name_of_base(check_namespace(op.namespace))}@"
    found = [place_from_json(row.value) for row in store.reserved(SCOPES).rows(prefix)]
    return [one for one in found if op.namespace is None or one.base == op.namespace]


def _forget(store: HistoryPrimitives, op: ForgetScoped) -> int:
    check_namespace(op.namespace)
    names = [check_namespace(name) for name in dict.fromkeys(op.names)]
    count = 0
    with store.exclusive():
        rows = store.reserved(SCOPES)
        rows.load(map(place_key, names))
        pins: set[str] = set()
        for name in names:
            known = find_scoped(rows, name)
            if known is None or known.base != op.namespace:
                continue
            space = store.find(name)
            if space is not None:
                store.discard(space)
            # What was counted for code that lost its scope stands under the name of the run.
            of_run = name if known.isolation != "datapoint" else name.rpartition("~")[0]
            for log in (name, of_run):
                rows.remove(row.key for row in rows.rows(f"uses/{log}/"))
            rows.remove([place_key(name)])
            pins.add(known.pin)
            count += 1
        rows.commit()
        _unpin(store, rows, op.namespace, pins)
    return count


def _unpin(store: HistoryPrimitives, rows: ReservedRows, namespace: str, pins: set[str]) -> None:
    """Let go of the pins that no namespace of a scope has any more."""
    rows.load(map(pin_key, pins))  # whoever takes a pin, or lets go of it, is done before the look at who has it
    left = {place_from_json(row.value).pin for row in rows.rows(f"name/{name_of_base(namespace)}@")}
    base = store.find(namespace)
    for pin in pins - left:
        rows.remove([pin_key(pin)])
        if base is not None:
            store.remove_snapshot(base, f"scope {pin}")
    rows.commit()


def _record(store: HistoryPrimitives, op: RecordUses) -> None:
    check_namespace(op.namespace)
    names = [check_namespace(name) for name in dict.fromkeys(use.namespace for use in op.uses)]
    with store.exclusive():
        rows = store.reserved(SCOPES)
        rows.load(map(place_key, names))  # so that nothing is recorded of what is forgotten meanwhile
        known = {name: find_scoped(rows, name) for name in names}
        for use in op.uses:
            place = known[use.namespace]
            if place is not None and place.base == op.namespace:
                expires = microseconds(place.expires_at)
            elif place is None and use.kind == "unscoped" and is_place_of(op.namespace, use.namespace):
                expires = rows.now + UNSCOPED_KEPT  # nobody may have opened what it is counted for
            else:
                continue  # it has expired, or was forgotten, meanwhile
            rows.add(f"uses/{use.namespace}", use_to_json(use), expires)
        rows.commit()


def _read_uses(store: HistoryPrimitives, op: ReadUses) -> list[Use]:
    name = check_namespace(op.namespace)
    rows = store.reserved(SCOPES)
    known = None if op.base is None else find_scoped(rows, name)
    if known is not None and known.base != op.base:
        return []
    return [use_from_json(name, row.value) for row in rows.rows(f"uses/{name}/")]


RUNNERS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    OpenScoped: _open,
    ForkScoped: _fork,
    FindScoped: _find,
    ListScoped: _list,
    ForgetScoped: _forget,
    RecordUses: _record,
    ReadUses: _read_uses,
}
