"""Bodies of requests: read no further than a limit, no slower than a clock, and large ones kept on disk."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from typing import IO, Any, Final

from botwire_core.errors import InvalidValueError, TooLargeError
from botwire_core.wire.text import parse
from botwire_server.refusals import RefusedError
from botwire_server.requests import CLOSE, Request

__all__ = ["Disconnected", "check_content", "members_of", "read_body", "read_json", "spool_body"]

_IN_MEMORY: Final = 1024 * 1024
_JSON: Final = b"application/json"


class Disconnected(Exception):
    """The client is gone in the middle of its request; there is nobody to answer."""


def check_content(request: Request, content_type: bytes = _JSON) -> None:
    """Let a request pass whose body is of a type, and not compressed.

    A page of another site can send forms and plain text without asking, but not this.

    Raises:
        RefusedError: it is of another type, or of none.
    """
    headers = request.headers
    found = headers.get(b"content-type", b"")
    if found != content_type and found.partition(b";")[0].strip().lower() != content_type:
        raise RefusedError(
            415,
            "unsupported_media_type",
            "the body is of another type",
            hint=f"send Content-Type: {content_type.decode()}",
        )
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in (b"", b"identity"):
        raise RefusedError(
            415,
            "unsupported_media_type",
            "the body is compressed",
            hint="send it as it is",
            headers=((b"accept-encoding", b"identity"),),
        )


async def read_json(request: Request, limit: int, seconds: float) -> tuple[bytes, Any]:
    """The body of a request, and the JSON value that it is."""
    check_content(request)
    body = await read_body(request, limit, seconds)
    return body, parse(body)


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The body of a request, of at most `limit` bytes, if it comes within some seconds.

    Raises:
        TooLargeError: it is larger; nothing more was read than shows it.
        RefusedError: it is too slow.
        Disconnected: the client is gone.
    """
    _check_length(request, limit)
    spool: IO[bytes] | None = None
    clock = asyncio.timeout(seconds)
    request.clocks.add(clock)
    try:
        async with clock:
            message = await request.receive()
            first: bytes = message.get("body", b"")
            if not message.get("more_body"):
                if message["type"] != "http.request":
                    raise Disconnected
                _check_size(len(first), limit)
                return first
            chunks, size = [first], len(first)
            while True:
                _check_size(size, limit)
                if size > _IN_MEMORY:
                    # Who sends 20 MB only to be refused should not cost 20 MB of memory.
                    spool = spool or tempfile.TemporaryFile()  # noqa: SIM115 - closed below
                    spool.write(b"".join(chunks))
                    chunks.clear()
                if not message.get("more_body"):
                    break
                message = await request.receive()
                if message["type"] != "http.request":
                    raise Disconnected
                chunk = message.get("body", b"")
                chunks.append(chunk)
                size += len(chunk)
        if spool is None:
            return b"".join(chunks)
        spool.seek(0)
        return spool.read()
    except TimeoutError:
        raise _too_slow(seconds) from None
    finally:
        request.clocks.discard(clock)
        if spool is not None:
            spool.close()


async def spool_body(request: Request, limit: int, seconds: float) -> tuple[IO[bytes], bytes]:
    """The body of a request as a file that has no name, and its SHA-256; each part has to come within some seconds.

    Raises:
        TooLargeError: it is larger than `limit` bytes.
        RefusedError: it is too slow.
        Disconnected: the client is gone.
    """
    _check_length(request, limit)
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - given away
    try:
        size, digest = 0, hashlib.sha256()
        while True:
            clock = asyncio.timeout(seconds)
            request.clocks.add(clock)
            try:
                async with clock:
                    message = await request.receive()
            finally:
                request.clocks.discard(clock)
            if message["type"] != "http.request":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            _check_size(size, limit)
            digest.update(chunk)
            await asyncio.to_thread(spool.write, chunk)
            if not message.get("more_body"):
                spool.seek(0)
                return spool, digest.digest()
    except BaseException as error:
        spool.close()
        if isinstance(error, TimeoutError):
            raise _too_slow(seconds) from None
        raise


def _check_length(request: Request, limit: int) -> None:
    length = request.headers.get(b"content-length")
    if length is not None:
        if not length.isdigit():
            raise RefusedError(400, "bad_request", "Content-Length is no number", headers=CLOSE)
        _check_size(int(length[:20]), limit)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLargeError(
            f"body: more than {limit:,} bytes", hint="send less at a time; large files belong elsewhere"
        )


def _too_slow(seconds: float) -> RefusedError:
    return RefusedError(
        408, "too_slow", f"the body did not come within {seconds:g} seconds", headers=CLOSE, retryable=True
    )


def members_of(value: Any, *known: str) -> dict[str, Any]:
    """The members of a JSON object that has no others than the known ones.

    Raises:
        InvalidValueError: it is no object, or has another member.
    """
    if type(value) is not dict:
        raise InvalidValueError("body: not a JSON object")
    for name in value:
        if name not in known:
            raise InvalidValueError(f"the member {ascii(name)[:40]} is unknown", hint=f"known are {', '.join(known)}")
    return value
