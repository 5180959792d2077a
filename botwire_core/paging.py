"""Listings of any length as ops of bounded size, so that no op and no cursor lives long.

Each page shows one moment; what is written while pages are fetched may or may not be in a later one.
"""

from __future__ import annotations

from typing import Final

from botwire_core.flows import Flow, Give, ItemFlow, ask
from botwire_core.protocol import ListEntries, ListKeys
from botwire_core.results import Entry

__all__ = ["ENTRIES_PER_PAGE", "KEYS_PER_PAGE", "all_keys", "entries_in_pages"]

KEYS_PER_PAGE: Final = 10_000
ENTRIES_PER_PAGE: Final = 1_000


def all_keys(namespace: str, prefix: str, after: str | None, limit: int | None, at: int | None) -> Flow[list[str]]:
    """The keys above `after` in byte order, all of them or at most `limit`."""
    keys: list[str] = []
    while True:
        size = KEYS_PER_PAGE if limit is None else min(KEYS_PER_PAGE, limit - len(keys))
        page = yield from ask(ListKeys(namespace, prefix, after, size, at))
        keys += page
        if len(page) < size or len(keys) == limit:
            return keys
        after = page[-1]


def entries_in_pages(
    namespace: str, prefix: str, after: str | None, limit: int | None, reverse: bool, at: int | None
) -> ItemFlow[Entry]:
    """The entries above `after` in byte order of their keys, or in falling order below it."""
    given = 0
    while True:
        size = ENTRIES_PER_PAGE if limit is None else min(ENTRIES_PER_PAGE, limit - given)
        page = yield from ask(ListEntries(namespace, prefix, after, size, reverse, at))
        given += len(page)
        yield Give(page)
        if len(page) < size or given == limit:
            return
        after = page[-1].key
