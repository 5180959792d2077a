"""What is done with the memories of experiments afterwards: bringing back what was good, and clearing away the rest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botwire_core.errors import InvalidValueError
from botwire_core.protocol import Merge, Strategy
from botwire_core.results import MergeResult
from botwire_core.scopes.ops import FindScoped, ForgetScoped, ListScoped, ScopedNamespace
from botwire_core.scopes.store import scoped

if TYPE_CHECKING:
    from botwire_core.store import Store

__all__ = ["collect", "promote", "scoped_namespaces"]


def scoped_namespaces(
    store: Store, base: str | None = None, *, variant: str | None = None, run_id: str | None = None
) -> list[ScopedNamespace]:
    """Give the namespaces of scopes, in byte order of their names; of one memory, variant or run where it is named."""
    found = scoped(store).inner.run(ListScoped(base))
    return [
        one
        for one in found
        if (variant is None or one.scope.variant == variant) and (run_id is None or one.scope.run_id == run_id)
    ]


def promote(
    store: Store,
    name: str,
    *,
    keys: str | None = None,
    strategy: Strategy = "fail",
    dry_run: bool = False,
    author: str | None = None,
) -> MergeResult:
    """Merge what the code in a scope has changed into the memory that it was forked from.

    It is three-way against the seed, so a key that the memory itself has changed since is a conflict.

    Args:
        store: Where both are.
        name: The name of the scoped namespace.
        keys: A glob; only keys that match it are merged. Needed for the memory of a single datapoint.
        strategy: With conflicts, "fail" writes nothing, "ours" keeps the memory's side, "theirs" takes the scope's.
        dry_run: Only tell what would be done.
        author: Who is named as the writer.

    Raises:
        InvalidValueError: `name` belongs to no scope, or to a datapoint, and no keys are named.
    """
    inner = scoped(store).inner
    known = inner.run(FindScoped(name))
    if known is None:
        raise InvalidValueError(
            f"{name!r} is not the memory of an experiment", hint="`botwire scopes list` names those that are kept"
        )
    if known.isolation == "datapoint" and keys is None:
        raise InvalidValueError(
            f"{name!r} is what a single datapoint left behind", hint='name what is worth keeping: keys="prefs/*"'
        )
    return inner.run(
        Merge(
            known.base, name, strategy=strategy, keys=keys if keys is not None else "*", dry_run=dry_run, author=author
        )
    )


def collect(
    store: Store,
    base: str | None = None,
    *,
    run_id: str | None = None,
    older_than: float = 0.0,
    dry_run: bool = False,
    now: float | None = None,
) -> list[str]:
    """Drop the memories of experiments with all that is recorded of them, and give their names in byte order.

    Args:
        store: Where they are.
        base: Only those of one memory.
        run_id: Only those of one run.
        older_than: Only those that were made so many seconds ago, or before.
        dry_run: Only tell what would go.
        now: Epoch seconds to judge by; this machine's clock where it is left out.
    """
    outer = scoped(store)
    inner = outer.inner
    found = scoped_namespaces(inner, base, run_id=run_id)
    if older_than:
        latest = (time.time() if now is None else now) - older_than
        found = [one for one in found if one.created_at.timestamp() <= latest]
    if not dry_run:
        for each in sorted({one.base for one in found}):
            inner.run(ForgetScoped(each, tuple(one.name for one in found if one.base == each)))
        for one in found:
            outer.mover.forget(one.name)
    return [one.name for one in found]
