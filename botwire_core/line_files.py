"""Files of lines: read one by one, and written whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from botwire_core.errors import InvalidValueError
from botwire_core.exchange import MAX_LINE_BYTES

__all__ = ["FileWriter", "LineReader"]


class LineReader:
    """Reads a file once, line by line, and leaves out blank lines."""

    number = 0
    """Of the line that was read last; the first is 1."""
    first = b""
    """The first line that is not blank, once it is open."""

    def __init__(self, source: str | os.PathLike[str] | BinaryIO) -> None:
        self._source = source
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Open the file and read its first line.

        Raises:
            OSError: it cannot be opened.
            InvalidValueError: it belongs to a store.
        """
        if isinstance(self._source, str | os.PathLike):
            path = Path(self._source).resolve()
            _refuse_store(path)
            self._file = path.open("rb")
        else:
            self._file = _binary(self._source)
        self.first = self._next()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._file is not None and self._file is not self._source:
            self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        line = self.first
        while line:
            if len(line) > MAX_LINE_BYTES:
                raise InvalidValueError(f"longer than {MAX_LINE_BYTES:,} bytes")
            yield line
            line = self._next()

    def _next(self) -> bytes:
        assert self._file is not None, "not open"
        while line := self._file.readline(MAX_LINE_BYTES + 1):
            self.number += 1
            if line.strip():
                return line
        return b""


class FileWriter:
    """Writes to a file that appears whole or not at all, readable by its owner alone (0600).

    An open binary file and what is no regular file, such as a pipe, are written to as they are.
    """

    def __init__(self, target: str | os.PathLike[str] | BinaryIO) -> None:
        self._target = target
        self._path: Path | None = None
        self._temporary: Path | None = None
        self._file: IO[bytes] | None = None
        self._start: int | None = None

    def open(self) -> None:
        """Open what is written to: beside the target, so that it can take its place in one step.

        Raises:
            OSError: it cannot be opened.
            InvalidValueError: the target belongs to a store.
        """
        if not isinstance(self._target, str | os.PathLike):
            self._file = _binary(self._target)
            if self._file.seekable():
                self._start = self._file.tell()
            return
        path = Path(self._target).resolve()  # a link stays a link, and what it leads to is replaced
        _refuse_store(path)
        if path.exists() and not path.is_file():
            self._file = path.open("wb")
            return
        descriptor, name = tempfile.mkstemp(prefix=".botwire-export-", dir=path.parent)
        self._path, self._temporary = path, Path(name)
        self._file = os.fdopen(descriptor, "wb")
        self._start = 0

    @property
    def can_restart(self) -> bool:
        """Whether what was written can be taken back: not from a pipe."""
        return self._start is not None

    def restart(self) -> None:
        """Take back what was written."""
        assert self._file is not None, "not opened"
        assert self._start is not None, "cannot restart"
        self._file.seek(self._start)
        self._file.truncate()

    def write(self, data: bytes) -> None:
        """Write some lines."""
        assert self._file is not None, "not opened"
        self._file.write(data)

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


def _refuse_store(path: Path) -> None:
    """Keep off the files of a store: to close one, even after a mere look, drops the locks that SQLite has on it."""
    companions = ("-lock", "-wal", "-shm")
    store = next((path.with_name(path.name.removesuffix(end)) for end in companions if path.name.endswith(end)), path)
    if store.exists() and any(store.with_name(f"{store.name}{end}").exists() for end in companions):
        raise InvalidValueError(f"{path} belongs to a store", hint="give a path of its own, such as memory.jsonl")


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
