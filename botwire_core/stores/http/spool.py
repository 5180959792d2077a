"""What is to be sent and is too much for memory: written to a file first, and read from it as often as it takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Final

__all__ = ["Spool"]

_IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 256 * 1024


class Spool:
    """Bytes of any number; those beyond 1 MiB are kept in a temporary file, which nobody else can open."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add some bytes."""
        self._file.write(data)
        self.size += len(data)

    def piece(self, start: int) -> bytes:
        """What begins at `start`, up to 256 KiB; nothing at the end."""
        self._file.seek(start)
        return self._file.read(_PIECE)

    def __iter__(self) -> Iterator[bytes]:
        start = 0
        while piece := self.piece(start):
            yield piece
            start += len(piece)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
