"""Following the changes of a namespace by asking again and again, without gaps and without repeats."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from botwire_core.flows import Give, ItemFlow, Wait, ask
from botwire_core.protocol import ListChanges, Resolve
from botwire_core.results import Change

__all__ = ["LONGEST_WAIT", "SHORTEST_WAIT", "changes_as_they_come", "newest_revision"]

SHORTEST_WAIT: Final = 0.01
"""Seconds between two looks right after a change."""
LONGEST_WAIT: Final = 0.1
"""Seconds between two looks when nothing happens."""


def newest_revision(namespace: str) -> Resolve:
    """An op that gives the current revision of a namespace."""
    return Resolve(namespace)


def changes_as_they_come(
    namespace: str,
    prefix: str,
    since: int | Change | None,
    timeout: float | None,
    clock: Callable[[], float] = time.monotonic,
) -> ItemFlow[Change]:
    """The changes after `since`, by revision and then by key; ends after `timeout` seconds without one.

    `since` is a revision, all of which is known, or a change, with which the rest of its revision is still to come;
    None is the revision that is current when the flow begins.
    """
    if since is None:
        since = yield from ask(newest_revision(namespace))
    # A page never ends inside a revision, so the place of a change in its revision can be found again by its key.
    seen = (since.revision, since.key) if isinstance(since, Change) else None
    revision = since.revision - 1 if isinstance(since, Change) else since
    wait = SHORTEST_WAIT
    last_change = clock()
    while True:
        page = yield from ask(ListChanges(namespace, revision, prefix))
        revision = page.revision
        changes = sorted(page.changes, key=lambda change: (change.revision, change.key))
        if seen is not None:
            changes = [change for change in changes if (change.revision, change.key) > seen]
            seen = None
        if changes:
            yield Give(changes)
            wait = SHORTEST_WAIT
            last_change = clock()
            continue
        if timeout is not None:
            left = last_change + timeout - clock()
            if left <= 0:
                return
            wait = min(wait, left)
        yield Wait(wait)
        wait = min(wait * 2, LONGEST_WAIT)
