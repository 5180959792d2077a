"""What scopes ask of a store: the namespace of a place in an experiment, and the record of what was done there."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from botwire_core.protocol import Op
from botwire_core.records import record
from botwire_core.results import NamespaceInfo
from botwire_core.scopes.naming import Isolation
from botwire_core.scopes.scope import Scope

__all__ = [
    "FindScoped",
    "ForgetScoped",
    "ForkScoped",
    "ListScoped",
    "OpenScoped",
    "ReadUses",
    "RecordUses",
    "ScopedNamespace",
    "Use",
]

UseKind: TypeAlias = Literal["read", "list", "write", "delete", "unscoped"]


@record
class ScopedNamespace:
    """What the registry knows of the namespace of a scope: every id whole, which its name may not hold.

    `seed` is what it was made from and `seed_revision` the revision of the base that it starts at; `pin` names what
    was compared from the same start. Times are UTC.
    """

    name: str
    base: str
    scope: Scope
    isolation: Isolation
    seed: str
    seed_revision: int
    pin: str
    created_at: datetime
    expires_at: datetime | None = None


@record
class Use:
    """How often one key was read or written at one place of an experiment.

    `kind` is "read", of which `hits` times something was there, and `own` times what this process had written there
    itself; "list" (the key is a prefix), "write" or "delete"; "unscoped" counts operations of code without a scope
    during the run, on the base, and has no key. `first` and `last` are epoch seconds.
    """

    namespace: str
    key: str
    kind: UseKind
    count: int
    hits: int
    own: int
    first: float
    last: float
    datapoint_id: str | None = None
    trial: int | None = None


@record
class OpenScoped(Op[ScopedNamespace]):
    """Find the namespace of a scope, or make it: a fork of `namespace` at the pin of the experiment.

    The first that opens one for a `group`, an experiment or else a run, pins the revision of the base that all later
    ones of the group start from. It expires after `ttl` seconds. Ids that another namespace of
    that name has are a `ScopeError`.
    """

    namespace: str
    name: str
    scope: Scope
    isolation: Isolation
    group: str
    seed: str = "base"
    ttl: float | None = None


@record
class ForkScoped(Op[NamespaceInfo]):
    """`Fork` in a scope: `name` is made of the scoped namespace `source`, and stands for `namespace` in that scope."""

    namespace: str
    source: str
    name: str
    scope: Scope
    isolation: Isolation
    at: int | None = None
    ttl: float | None = None


@record
class FindScoped(Op[ScopedNamespace | None]):
    """What the registry knows of a name, None where it is not the namespace of a scope."""

    namespace: str


@record
class ListScoped(Op[list[ScopedNamespace]]):
    """The namespaces of scopes, of one base or of all, in byte order of their names."""

    namespace: str | None = None


@record
class ForgetScoped(Op[int]):
    """Drop namespaces of scopes with all that is recorded of them, in one transaction; gives how many were there.

    `namespace` is their base; a name that the registry does not know, or of another base, is left alone.
    """

    namespace: str
    names: tuple[str, ...]


@record
class RecordUses(Op[None]):
    """Add to the record of what was done in the namespaces of scopes of one base."""

    namespace: str
    uses: tuple[Use, ...]


@record
class ReadUses(Op[list[Use]]):
    """What was recorded of a namespace of a scope, in the order in which it was recorded.

    `base` names the memory that it belongs to, where nobody may have opened it.
    """

    namespace: str
    base: str | None = None
