"""Memory to and from files, as flows: the records of a namespace, or its whole family."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, TypeVar

from botwire_core.errors import (
    ForbiddenError,
    InvalidKeyError,
    InvalidNamespaceError,
    InvalidValueError,
    RevisionPrunedError,
)
from botwire_core.exchange import line_to_record, record_to_line
from botwire_core.flows import Flow, Work, ask
from botwire_core.line_files import FileWriter, LineReader
from botwire_core.protocol import Export, ExportAll, ExportFamily, Import, ImportFamily, ListEntries
from botwire_core.results import Entry, Record
from botwire_core.watching import newest_revision

if TYPE_CHECKING:
    from botwire_core.family import FamilyPart

__all__ = ["Progress", "export_family", "export_records", "import_file"]

T = TypeVar("T")

Progress: TypeAlias = Callable[[int], object]
"""Is told now and then how many records are done."""

_RECORDS_PER_PAGE = 1000


def with_line_numbers(reader: LineReader, parts: Iterator[T]) -> Iterator[T]:
    """What is made of the lines of a reader; an error names the line that it came from."""
    while True:
        try:
            part = next(parts)
        except StopIteration:
            return
        except (InvalidKeyError, InvalidNamespaceError, InvalidValueError) as error:
            raise InvalidValueError(
                f"line {reader.number}: {error.message}",
                hint=error.hint or "correct the line; nothing was imported",
            ) from error
        yield part


def read_records(reader: LineReader, progress: Progress | None) -> Iterator[Record]:
    """The records of a file.

    Raises:
        InvalidValueError: a line is no record, or its key was in a line before.
    """
    seen: set[str] = set()
    for record in with_line_numbers(reader, map(line_to_record, reader)):
        if record.key in seen:
            raise InvalidValueError(
                f"line {reader.number}: the key {record.key!r} was in a line before",
                hint="correct the line; nothing was imported",
            )
        seen.add(record.key)
        yield record
        if progress is not None and len(seen) % _RECORDS_PER_PAGE == 0:
            progress(len(seen))
    if progress is not None:
        progress(len(seen))


def export_records(
    namespace: str, at: int | None, history: bool, writer: FileWriter, progress: Progress | None
) -> Flow[int]:
    """Write a namespace and give the number of records; with `history` they show one moment."""

    def write(records: Sequence[Record]) -> None:
        writer.write(b"".join(map(record_to_line, records)))

    try:
        yield Work(writer.open)
        if history and not writer.can_restart:
            count = yield from ask(ExportAll(namespace, write, at))
        else:
            try:
                count = yield from _export_pages(namespace, at, history, write, progress)
            except (RevisionPrunedError, ForbiddenError):
                if at is not None:
                    raise
                # The moment was let go while its pages were read: to protect it would be a write, which a kill leaves.
                # Or it is refused to a token that may read, but not the past. All at once takes neither.
                yield Work(writer.restart)
                count = yield from ask(ExportAll(namespace, write))
        if progress is not None:
            progress(count)
        yield Work(writer.finish)
    finally:
        writer.discard()
    return count


def _export_pages(
    namespace: str,
    at: int | None,
    history: bool,
    write: Callable[[Sequence[Record]], object],
    progress: Progress | None,
) -> Flow[int]:
    count = 0
    after: str | None = None
    if history and at is None:
        at = yield from ask(newest_revision(namespace))
    while True:
        if history:
            page = yield from ask(Export(namespace, after, _RECORDS_PER_PAGE, at))
        else:
            page = [*map(_record, (yield from ask(ListEntries(namespace, "", after, _RECORDS_PER_PAGE))))]
        if page:
            yield Work(partial(write, page))
            count += len(page)
            after = page[-1].key
        if len(page) < _RECORDS_PER_PAGE:
            return count
        if progress is not None:
            progress(count)


def export_family(namespace: str, writer: FileWriter, progress: Progress | None) -> Flow[int]:
    """Write a namespace with its past and its forks and give the number of versions; they show one moment."""
    from botwire_core.family import FamilyRow
    from botwire_core.family_lines import FAMILY_HEADER, part_to_line

    rows = 0

    def write(parts: Sequence[FamilyPart]) -> None:
        nonlocal rows
        writer.write(b"".join(map(part_to_line, parts)))
        rows += sum(isinstance(part, FamilyRow) for part in parts)
        if progress is not None:
            progress(rows)

    try:
        yield Work(writer.open)
        yield Work(partial(writer.write, FAMILY_HEADER))
        count = yield from ask(ExportFamily(namespace, write))
        yield Work(writer.finish)
    finally:
        writer.discard()
    return count


def import_file(
    namespace: str, author: str | None, source: str | os.PathLike[str] | BinaryIO, progress: Progress | None
) -> Flow[int]:
    """Write what a file holds, records or a family, and give the number of records or versions."""
    from botwire_core.family_lines import is_family_header

    reader = LineReader(source)
    try:
        yield Work(reader.open)
        lines = iter(reader)
        if next(with_line_numbers(reader, map(is_family_header, [reader.first]))):
            next(lines)
            return (yield from ask(ImportFamily(namespace, read_family(reader, lines, progress))))
        return (yield from ask(Import(namespace, read_records(reader, progress), author)))
    finally:
        reader.close()


def read_family(reader: LineReader, lines: Iterator[bytes], progress: Progress | None) -> Iterator[FamilyPart]:
    """The parts of a family, from the lines after the first.

    Raises:
        InvalidValueError: a line is no part of a family, or cannot follow those before it, or the end is missing.
    """
    from botwire_core.family import FamilyRow, check_family
    from botwire_core.family_lines import line_to_part

    rows = 0
    for part in with_line_numbers(reader, check_family(map(line_to_part, lines))):
        yield part
        rows += isinstance(part, FamilyRow)
        if progress is not None and isinstance(part, FamilyRow) and rows % _RECORDS_PER_PAGE == 0:
            progress(rows)
    if progress is not None:
        progress(rows)


def _record(entry: Entry) -> Record:
    return Record(entry.key, entry.value, None if entry.expires_at is None else entry.expires_at.timestamp())
