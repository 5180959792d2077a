"""Following the changes of a namespace, without gaps and without repeats: as a store tells them, or by asking again."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, Final, Protocol

from botwire_core.flows import Give, ItemFlow, Wait, aiterate, ask, iterate
from botwire_core.protocol import ListChanges, Resolve
from botwire_core.results import Change, ChangePage
from botwire_core.store import Store

__all__ = [
    "LONGEST_WAIT",
    "SHORTEST_WAIT",
    "TellsChanges",
    "changes_as_they_come",
    "newest_revision",
    "watched",
    "watched_async",
]

SHORTEST_WAIT: Final = 0.01
"""Seconds between two looks right after a change."""
LONGEST_WAIT: Final = 0.1
"""Seconds between two looks when nothing happens."""


class TellsChanges(Protocol):
    """What a store may have besides: it tells of changes, so that nobody has to ask again and again.

    The pages come in order and none is empty. They end after `wait` seconds without one; None never ends, 0 gives
    what is there.
    """

    def changes(self, op: ListChanges, wait: float | None) -> Iterator[ChangePage]:
        """The pages of changes after `op.since`."""
        ...

    def achanges(self, op: ListChanges, wait: float | None) -> AsyncGenerator[ChangePage]:
        """Async twin of `changes`."""
        ...


def watched(store: Store, namespace: str, prefix: str, since: int | Change, wait: float | None) -> Iterator[Change]:
    """The changes after `since`, as `changes_as_they_come` gives them, from any store; `wait` is its `timeout`."""
    teller = _teller(store)
    if teller is None:
        yield from iterate(store, changes_as_they_come(namespace, prefix, since, wait))
        return
    place = _Place(since)
    for page in teller.changes(ListChanges(namespace, place.revision, prefix), wait):
        yield from place.new_ones(page)


async def watched_async(
    store: Store, namespace: str, prefix: str, since: int | Change | None, wait: float | None
) -> AsyncIterator[Change]:
    """Async twin of `watched`; None is the revision that is current at the first step."""
    from contextlib import aclosing  # closes what is iterated, as soon as nobody does any more

    teller = _teller(store)
    if teller is None:
        async with aclosing(aiterate(store, changes_as_they_come(namespace, prefix, since, wait))) as changes:
            async for change in changes:
                yield change
        return
    place = _Place(await store.arun(newest_revision(namespace)) if since is None else since)
    async with aclosing(teller.achanges(ListChanges(namespace, place.revision, prefix), wait)) as pages:
        async for page in pages:
            for change in place.new_ones(page):
                yield change


def _teller(store: Any) -> TellsChanges | None:
    # By its type: a store around a store that passes on what it does not know must not be taken for the one inside.
    return store if hasattr(type(store), "changes") else None


class _Place:
    """How far changes are known: up to a revision, or up to a key in the middle of the one after it."""

    def __init__(self, since: int | Change) -> None:
        # A page never ends inside a revision, so the place of a change in its revision can be found again by its key.
        self._seen = (since.revision, since.key) if isinstance(since, Change) else None
        self.revision = since.revision - 1 if isinstance(since, Change) else since

    def new_ones(self, page: ChangePage) -> list[Change]:
        """The changes of the next page that are not known, by revision and then by key."""
        self.revision = page.revision
        changes = sorted(page.changes, key=lambda change: (change.revision, change.key))
        if self._seen is not None:
            changes = [change for change in changes if (change.revision, change.key) > self._seen]
            self._seen = None
        return changes


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
    place = _Place(since)
    wait = SHORTEST_WAIT
    last_change = clock()
    while True:
        page = yield from ask(ListChanges(namespace, place.revision, prefix))
        changes = place.new_ones(page)
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
