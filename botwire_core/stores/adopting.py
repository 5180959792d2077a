"""The registry of scopes of another store, entered into the one of this store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from botwire_core.errors import InvalidValueError
from botwire_core.names import check_namespace
from botwire_core.scopes.adopting import AdoptScoped
from botwire_core.scopes.naming import is_place_of
from botwire_core.scopes.ops import ScopedNamespace, Use
from botwire_core.stores.primitives import HistoryPrimitives
from botwire_core.stores.reserved import ReservedRows
from botwire_core.stores.scoped_rows import (
    SCOPES,
    UNSCOPED_KEPT,
    find_scoped,
    microseconds,
    pin_key,
    place_key,
    place_to_json,
    use_to_json,
)
from botwire_core.stores.spaces import Space

__all__ = ["RUNNERS"]

_NOBODY: Final = 0
"""The id of no space, so that nothing can start from a pin whose base is not the one that it was taken of."""


def _adopt(store: HistoryPrimitives, op: AdoptScoped) -> int:
    check_namespace(op.namespace)
    for place in op.places:
        if place.base != op.namespace:
            raise InvalidValueError(
                f"{check_namespace(place.name)!r} belongs to {place.base!r}, not to {op.namespace!r}",
                hint="adopt those of one base at a time",
            )
    with store.exclusive():
        rows = store.reserved(SCOPES)
        rows.load([place_key(check_namespace(place.name)) for place in op.places])
        rows.load([pin_key(pin) for pin in dict.fromkeys(place.pin for place in op.places if place.pin)])
        base = store.find(op.namespace)
        new: dict[str, ScopedNamespace] = {}
        for place in op.places:
            expires = microseconds(place.expires_at)
            if find_scoped(rows, place.name) is not None or (expires is not None and expires <= rows.now):
                continue
            rows.put(place_key(place.name), place_to_json(place), expires)
            if place.pin:
                _pin(store, rows, base, place)
            new[place.name] = place
        _add_uses(rows, op, new)
        rows.commit()
    return len(new)


def _pin(store: HistoryPrimitives, rows: ReservedRows, base: Space | None, place: ScopedNamespace) -> None:
    """Let an experiment go on from where it began."""
    key = pin_key(place.pin)
    expires = microseconds(place.expires_at)
    there = None if base is None else base.id
    if place.seed_revision:
        # A base that was dropped and made anew since the experiment began has no such snapshot.
        found = [] if base is None else [one for one in store.list_snapshots(base) if one.label == f"scope {place.pin}"]
        if [one.number for one in found] == [place.seed_revision]:
            expires = microseconds(found[0].expires_at)
        else:
            there = _NOBODY
    row = rows.row(key)
    if row is not None:
        expires = None if expires is None or row.expires is None else max(expires, row.expires)
        if row.expires == expires:
            return
        there = row.value["base"]
    rows.put(key, {"base": there, "revision": place.seed_revision, "seed": place.seed}, expires)


def _add_uses(rows: ReservedRows, op: AdoptScoped, new: dict[str, ScopedNamespace]) -> None:
    fresh: dict[str, bool] = {}
    use: Use
    for use in op.uses:
        name = use.namespace
        place = new.get(name)
        if name not in fresh:
            of_nobody = use.kind == "unscoped" and is_place_of(op.namespace, name) and find_scoped(rows, name) is None
            fresh[name] = (place is not None or of_nobody) and not rows.rows(f"uses/{check_namespace(name)}/")
        if fresh[name]:
            expires = rows.now + UNSCOPED_KEPT if place is None else microseconds(place.expires_at)
            rows.add(f"uses/{name}", use_to_json(use), expires)


RUNNERS: Final[dict[type, Callable[[Any, Any], Any]]] = {AdoptScoped: _adopt}
