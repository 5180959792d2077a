"""A namespace of one store brought into another: page by page, and as often as it takes.

Each page is one transaction of the target, and what stands there already is not written again; so a run that was cut
off is finished by the next one, and a run too many changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from botwire_core.errors import InvalidKeyError, InvalidValueError, TooLargeError, UnsupportedError
from botwire_core.exchange import record_to_line
from botwire_core.names import check_prefix
from botwire_core.protocol import MISSING, Get, GetEntry, Import, ListEntries, ListKeys
from botwire_core.records import field, record
from botwire_core.results import Entry, Record
from botwire_core.store import Store

__all__ = ["Brought", "bring"]

_PAGE: Final = 1000
_KEYS_PER_PAGE: Final = 100  # of a source that is asked for one key at a time


@record(frozen=False)
class Brought:
    """How many records were written, and how many stood there already; `left` names what could not come, and why."""

    written: int = 0
    unchanged: int = 0
    left: dict[str, str] = field(default_factory=dict)


def bring(
    source: Store,
    target: Store,
    namespace: str,
    *,
    prefix: str = "",
    keys: Iterable[str] | None = None,
    progress: Callable[[int], object] | None = None,
) -> Brought:
    """Write all entries of a namespace of `source` into the namespace of that name in `target`.

    Values with their types and expiry come; versions, history and forks do not. What else stands in the target stays,
    and where it has another value for a key, that of the source takes its place.

    Args:
        source: Any store; also one that speaks only what the first BotWire service spoke.
        target: A store that keeps the past.
        namespace: Its name in both.
        prefix: Only keys that start with it.
        keys: Only these; the way to keys that a source has and does not list.
        progress: Called now and then with the number of records so far.

    Raises:
        InvalidValueError: source and target are the same store.
        UnsupportedError: the source cannot list all its keys, so some would be missed; or the target has no import.
    """
    if source is target:
        raise InvalidValueError("source and target are the same store", hint="name two different URLs")
    brought = Brought()
    check_prefix(prefix)
    pages = _pages(source, namespace, prefix) if keys is None else None
    if pages is None:
        wanted = source.run(ListKeys(namespace, prefix)) if keys is None else sorted(set(keys))
        pages = _pages_of_keys(source, namespace, [key for key in wanted if key.startswith(prefix)], brought.left)
    for page in pages:
        lines = _lines(page, brought.left)
        standing = _standing(target, namespace, page) if page else {}
        changed = [one for one in page if one.key in lines and standing.get(one.key) != lines[one.key]]
        if changed:
            target.run(Import(namespace, changed))
        brought.written += len(changed)
        brought.unchanged += len(lines) - len(changed)
        if progress is not None:
            progress(brought.written + brought.unchanged)
    return brought


def _pages(source: Store, namespace: str, prefix: str) -> Iterator[list[Record]] | None:
    """The records with a prefix, in key order; None where the source cannot list entries."""
    try:
        first, size = _page(source, namespace, prefix, None, _PAGE)
    except UnsupportedError:
        return None
    return _pages_from(source, namespace, prefix, first, size)


def _pages_from(source: Store, namespace: str, prefix: str, page: list[Record], size: int) -> Iterator[list[Record]]:
    while page:
        yield page
        page, size = _page(source, namespace, prefix, page[-1].key, size)


def _page(store: Store, namespace: str, prefix: str, after: str | None, size: int) -> tuple[list[Record], int]:
    """The next page, and how many records may be asked for next time."""
    while True:
        try:
            return [*map(_record, store.run(ListEntries(namespace, prefix, after, size)))], size
        except TooLargeError:
            # Large values: over HTTP, an answer has a limit that a page of them may exceed.
            if size == 1:
                raise
            size = max(1, size // 4)


def _pages_of_keys(source: Store, namespace: str, keys: list[str], left: dict[str, str]) -> Iterator[list[Record]]:
    for start in range(0, len(keys), _KEYS_PER_PAGE):
        page = []
        for key in keys[start : start + _KEYS_PER_PAGE]:
            try:
                found = _look_up(source, namespace, key)
            except InvalidKeyError as error:
                left[key] = str(error)
                continue
            if found is None:
                left[key] = "not there"
            else:
                page.append(found)
        yield page


def _look_up(source: Store, namespace: str, key: str) -> Record | None:
    try:
        entry = source.run(GetEntry(namespace, key))
    except UnsupportedError:  # the first service has values and nothing else
        value = source.run(Get(namespace, key))
        return None if value is MISSING else Record(key, value)
    return None if entry is None else _record(entry)


def _lines(page: list[Record], left: dict[str, str]) -> dict[str, bytes]:
    """What each record is as text, by which two are compared: 1 is not 1.0."""
    lines = {}
    for one in page:
        try:
            lines[one.key] = record_to_line(one)
        except InvalidValueError as error:
            left[one.key] = str(error)
    return lines


def _standing(target: Store, namespace: str, page: list[Record]) -> dict[str, bytes]:
    """What stands in the target between the first and the last key of a page, as text."""
    last = page[-1].key
    first = target.run(GetEntry(namespace, page[0].key))
    standing = {} if first is None else {first.key: record_to_line(_record(first))}
    found, size = _page(target, namespace, "", page[0].key, _PAGE)
    while found:
        standing.update((one.key, record_to_line(one)) for one in found if one.key <= last)
        if found[-1].key >= last:
            break
        found, size = _page(target, namespace, "", found[-1].key, size)
    return standing


def _record(entry: Entry) -> Record:
    return Record(entry.key, entry.value, None if entry.expires_at is None else entry.expires_at.timestamp())
