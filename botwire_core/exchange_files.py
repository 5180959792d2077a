"""Memory as a file: JSON Lines in key order, read and written line by line, whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, Self, TypeAlias

from botwire_core.errors import InvalidKeyError, InvalidValueError
from botwire_core.exchange import MAX_LINE_BYTES, line_to_record, record_to_line
from botwire_core.flows import Flow, Work, ask
from botwire_core.protocol import Export, ListEntries
from botwire_core.results import Entry, Record
from botwire_core.watching import newest_revision

__all__ = ["Progress", "RecordReader", "RecordWriter", "export_records"]

Progress: TypeAlias = Callable[[int], object]
"""Is told now and then how many records are done."""

_RECORDS_PER_PAGE = 1000


class RecordReader:
    """Iterates once over the records of a file; an error names its line. Use it with `with`.

    Raises:
        OSError: the file cannot be opened.
        InvalidValueError: a line is no record, or its key was in a line before.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO, progress: Progress | None = None) -> None:
        self._source = source
        self._progress = progress
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._file = (
            Path(self._source).open("rb") if isinstance(self._source, str | os.PathLike) else _binary(self._source)
        )
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None and self._file is not self._source:
            self._file.close()

    def __iter__(self) -> Iterator[Record]:
        assert self._file is not None, "not entered"
        seen: set[str] = set()
        number = 0
        while line := self._file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if not line.strip():
                continue
            try:
                if len(line) > MAX_LINE_BYTES:
                    raise InvalidValueError(f"longer than {MAX_LINE_BYTES:,} bytes")
                record = line_to_record(line)
                if record.key in seen:
                    raise InvalidValueError(f"the key {record.key!r} was in a line before")
            except (InvalidKeyError, InvalidValueError) as error:
                raise InvalidValueError(
                    f"line {number}: {error.message}", hint=error.hint or "correct the line; nothing was imported"
                ) from error
            seen.add(record.key)
            yield record
            if self._progress is not None and len(seen) % _RECORDS_PER_PAGE == 0:
                self._progress(len(seen))
        if self._progress is not None:
            self._progress(len(seen))


class RecordWriter:
    """Writes records to a file that appears whole or not at all, readable by its owner alone (0600).

    An open binary file and what is no regular file, such as a pipe, are written to as they are.
    """

    def __init__(self, target: str | os.PathLike[str] | BinaryIO) -> None:
        self._target = target
        self._path: Path | None = None
        self._temporary: Path | None = None
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Open what is written to: beside the target, so that it can take its place in one step."""
        if not isinstance(self._target, str | os.PathLike):
            self._file = _binary(self._target)
            return
        path = Path(self._target).resolve()  # a link stays a link, and what it leads to is replaced
        if path.exists() and not path.is_file():
            self._file = path.open("wb")
            return
        descriptor, name = tempfile.mkstemp(prefix=".botwire-export-", dir=path.parent)
        self._path, self._temporary = path, Path(name)
        self._file = os.fdopen(descriptor, "wb")

    def write(self, records: Sequence[Record]) -> None:
        """Write records, a line each."""
        assert self._file is not None, "not opened"
        self._file.write(b"".join(map(record_to_line, records)))

    def finish(self) -> None:
        """Bring everything to disk and put the file where it belongs."""
        assert self._file is not None, "not opened"
        self._file.flush()
        if self._file is self._target:
            return
        if self._temporary is not None and self._path is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self._path)
            self._temporary = None
            _sync_folder(self._path.parent)
        else:
            self._file.close()

    def discard(self) -> None:
        """Leave nothing behind of what is not finished."""
        if self._file is not None and self._file is not self._target:
            self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None


def export_records(
    namespace: str, at: int | None, history: bool, writer: RecordWriter, progress: Progress | None
) -> Flow[int]:
    """Write a namespace by pages and give the number of records; with `history` all pages show one moment."""
    count = 0
    after: str | None = None
    try:
        yield Work(writer.open)
        if history and at is None:
            at = yield from ask(newest_revision(namespace))
        while True:
            if history:
                page = yield from ask(Export(namespace, after, _RECORDS_PER_PAGE, at))
            else:
                page = [*map(_record, (yield from ask(ListEntries(namespace, "", after, _RECORDS_PER_PAGE))))]
            if page:
                yield Work(partial(writer.write, page))
                count += len(page)
                after = page[-1].key
            if progress is not None:
                progress(count)
            if len(page) < _RECORDS_PER_PAGE:
                break
        yield Work(writer.finish)
    finally:
        writer.discard()
    return count


def _record(entry: Entry) -> Record:
    return Record(entry.key, entry.value, None if entry.expires_at is None else entry.expires_at.timestamp())


def _binary(file: Any) -> IO[bytes]:
    if isinstance(file, io.TextIOBase) or not (hasattr(file, "write") or hasattr(file, "readline")):
        raise InvalidValueError(
            f"{type(file).__name__} is neither a path nor a binary file", hint='open it with mode "rb" or "wb"'
        )
    opened: IO[bytes] = file
    return opened


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
