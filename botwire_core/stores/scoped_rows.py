"""How the registry of scopes and the record of their use stand in rows: the JSON of each, and the way back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from botwire_core.clock import from_microseconds, to_microseconds
from botwire_core.scopes.naming import Isolation
from botwire_core.scopes.ops import ScopedNamespace, Use
from botwire_core.scopes.scope import Scope
from botwire_core.stores.reserved import ReservedRows

__all__ = [
    "SCOPES",
    "UNSCOPED_KEPT",
    "find_scoped",
    "microseconds",
    "pin_key",
    "place_from_json",
    "place_key",
    "place_to_json",
    "use_from_json",
    "use_to_json",
]

SCOPES: Final = ".scopes"
"""The reserved namespace that has them."""
UNSCOPED_KEPT: Final = 7 * 86_400_000_000
"""For how many microseconds it is kept what was counted for a run whose namespace nobody opened."""


def place_key(name: str) -> str:
    """Where the registry has what it knows of a name."""
    return f"name/{name}"


def pin_key(pin: str) -> str:
    """Where it stands what the experiments with a pin start from."""
    return f"pin/{pin}"


def find_scoped(rows: ReservedRows, name: str) -> ScopedNamespace | None:
    """What the registry has under a name."""
    row = rows.row(place_key(name))
    return None if row is None else place_from_json(row.value)


def microseconds(time: datetime | None) -> int | None:
    """A moment as rows have it."""
    return None if time is None else to_microseconds(time)


def place_to_json(one: ScopedNamespace) -> dict[str, Any]:
    """An entry of the registry as JSON."""
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
        "expires_at": microseconds(one.expires_at),
    }


def place_from_json(members: Any) -> ScopedNamespace:
    """The way back of `place_to_json`."""

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


def use_to_json(use: Use) -> list[Any]:
    """A record of use as JSON; its namespace is in its key."""
    return [use.key, use.kind, use.count, use.hits, use.own, use.first, use.last, use.datapoint_id, use.trial]


def use_from_json(namespace: str, members: Any) -> Use:
    """The way back of `use_to_json`."""
    return Use(namespace, *members)
