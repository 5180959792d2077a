"""Answers as they come in, of any client: read whole and within a limit, or in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

from botwire_core.errors import TooLargeError
from botwire_core.stores.http.exchanges import Answer, NoAnswer

__all__ = ["MAX_ANSWER_BYTES", "AsyncIncoming", "Incoming", "header_map", "no_answer"]

MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
"""Beyond every answer that is meant: sixteen of the largest values."""


class Incoming:
    """An answer that has begun; `close` ends it, whole or not.

    `extend` says how many seconds the next piece may take, where the client can be told so.
    """

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        pieces: Iterator[bytes],
        close: Callable[[], object],
        extend: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.pieces = pieces
        self.close = close
        self.extend = extend

    def whole(self) -> Answer:
        """All of it, after which it is closed.

        Raises:
            NoAnswer: it is cut off, or in an encoding that was not asked for.
            TooLargeError: it is over 256 MiB.
        """
        try:
            check_encoding(self.headers)
            size, pieces = 0, []
            for piece in self.pieces:
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    raise _too_large()
                pieces.append(piece)
        finally:
            self.close()
        return Answer(self.status, self.headers, pieces[0] if len(pieces) == 1 else b"".join(pieces))


class AsyncIncoming:
    """Async twin of `Incoming`."""

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        pieces: AsyncIterator[bytes],
        aclose: Callable[[], Awaitable[object]],
    ) -> None:
        self.status = status
        self.headers = headers
        self.pieces = pieces
        self.aclose = aclose

    async def whole(self) -> Answer:
        """Async twin of `Incoming.whole`."""
        try:
            check_encoding(self.headers)
            size, pieces = 0, []
            async for piece in self.pieces:
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    raise _too_large()
                pieces.append(piece)
        finally:
            await self.aclose()
        return Answer(self.status, self.headers, pieces[0] if len(pieces) == 1 else b"".join(pieces))


def header_map(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name in lower case; of a name that comes twice, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def check_encoding(headers: dict[str, str]) -> None:
    """Refuse what is compressed: it was not asked for, and may be a few bytes that become many.

    Raises:
        NoAnswer: it is.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise NoAnswer("answered in an encoding that was not asked for; is there a proxy that compresses?")


def no_answer(error: BaseException) -> NoAnswer:
    """Why there is no whole answer, in words."""
    if isinstance(error, TimeoutError):
        return NoAnswer("no whole answer within the time there was")
    return NoAnswer(f"the line broke before the whole answer was there ({type(error).__name__})")


def _too_large() -> TooLargeError:
    return TooLargeError(
        f"the answer is over {MAX_ANSWER_BYTES // 2**20} MiB",
        hint="ask for fewer entries at a time, with limit= and after=",
    )
