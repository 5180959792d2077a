"""Long values in pieces, so that a value that grows at its end is not stored anew with each version.

A value is cut into pieces that are kept once, under their digests. Of the next version those pieces stay that its bytes
still begin with. What is new stands in the row itself until it is 4 KiB, and then becomes a piece. So of a list of
messages that grows by one the last few are written again, whatever serializer makes bytes of it, and not all of them.
When eight pieces of one size stand at the end they are made one, up to 32 KiB, so a value has few of them.

The first and last eight bytes are in the row too: a serializer writes the length of a list there, or a bracket.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from botwire_core.errors import StoreCorruptError
from botwire_core.records import record

__all__ = ["Piece", "cut", "joined", "pieces_of"]

FULL: Final = 32 * 1024
"""Bytes from which on a piece is never made part of another."""
LONGEST: Final = 256 * 1024
"""Bytes of the longest piece."""
TAIL: Final = 4096
"""Bytes of what is new that stay in the row."""
_END: Final = 8
_TOGETHER: Final = 8


@record
class Piece:
    """A part of a value: its digest, which names it, and its length in bytes."""

    digest: str
    length: int

    def to_json(self) -> list[Any]:
        """The piece as a row tells of it; `pieces_of` reads it."""
        return [self.digest, self.length]


def pieces_of(members: dict[str, Any]) -> list[Piece] | None:
    """The pieces that a row tells of; None where it has its value whole.

    Raises:
        StoreCorruptError: they are not what they can be.
    """
    told = members.get("pieces")
    if told is None:
        return None
    try:
        found = [Piece(digest, length) for digest, length in told]
    except (TypeError, ValueError) as error:
        raise _damaged() from error
    if not all(isinstance(one.digest, str) and type(one.length) is int and one.length > 0 for one in found):
        raise _damaged()
    return found


def cut(data: bytes, known: Sequence[Piece], longest: int = LONGEST) -> tuple[list[Piece], dict[str, bytes], bytes]:
    """The pieces of a value, those of them that are not known yet, and the bytes that stay in the row."""
    if len(data) <= 2 * _END:
        return [], {}, data
    body = data[_END:-_END]
    kept: list[Piece] = []
    start = 0
    for piece in known:
        if piece.length > len(body) - start or _digest(body[start : start + piece.length]) != piece.digest:
            break
        kept.append(piece)
        start += piece.length
    if len(body) - start <= TAIL:
        return kept, {}, data[:_END] + body[start:] + data[-_END:]
    lengths = [piece.length for piece in kept]
    while start < len(body):
        lengths.append(min(len(body) - start, longest))
        start += lengths[-1]
    stay = min(len(kept), _make_fewer(lengths, longest))
    new: dict[str, bytes] = {}
    pieces = kept[:stay]
    start = sum(piece.length for piece in pieces)
    for length in lengths[stay:]:
        part = body[start : start + length]
        start += length
        digest = _digest(part)
        new[digest] = part
        pieces.append(Piece(digest, length))
    return pieces, new, data[:_END] + data[-_END:]


def joined(pieces: Iterable[Piece], parts: dict[str, bytes], rest: bytes) -> bytes:
    """The value that was cut.

    Raises:
        StoreCorruptError: a piece is not there, or is not what it was.
    """
    body = []
    for piece in pieces:
        part = parts.get(piece.digest)
        if not isinstance(part, bytes) or len(part) != piece.length:
            raise _damaged()
        body.append(part)
    return b"".join([rest[:_END], *body, rest[_END:]])


def _make_fewer(lengths: list[int], longest: int) -> int:
    """Join lengths at the end where eight are of one size, in place; gives how many from the start are as they were."""
    same = len(lengths)
    while lengths and lengths[-1] < FULL:
        size = _size(lengths[-1])
        run = 0
        while run < len(lengths) and _size(lengths[-1 - run]) <= size and lengths[-1 - run] < FULL:
            run += 1
        if run < _TOGETHER or sum(lengths[-run:]) > longest:
            break
        lengths[-run:] = [sum(lengths[-run:])]
        same = min(same, len(lengths) - 1)
    return same


def _size(length: int) -> int:
    return length.bit_length() // 3


def _digest(part: bytes) -> str:
    return hashlib.sha256(part).hexdigest()[:32]


def _damaged() -> StoreCorruptError:
    return StoreCorruptError(
        "a piece of a checkpoint's value is not there any more", hint="delete the thread, or restore it from a backup"
    )
