"""A line that loses requests and replies, between a client and its server."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from client.scripted import serving


@dataclass
class Losses:
    """What was lost on the way."""

    requests: int = 0
    replies: int = 0
    passed: int = 0


@contextmanager
def lossy(url: str, losses: Losses, chance: float = 0.3, *, keys: bool = True, seed: int = 0) -> Iterator[str]:
    """The URL of a line to a server that loses one in so many requests or replies; without `keys`, every key too."""
    dice = random.Random(seed)
    server = urlsplit(url)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(server.hostname, server.port)
        except OSError:
            writer.close()
            return
        try:
            while True:
                request = await _message(reader)
                fate = dice.random() / chance
                if fate < 0.5:
                    losses.requests += 1
                    return
                far_writer.write(request if keys else request.replace(b"Idempotency-Key", b"Forgotten-Key00", 1))
                reply = await _message(far_reader)
                if fate < 1:
                    losses.replies += 1
                    return
                losses.passed += 1
                writer.write(reply)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            far_writer.close()
            writer.close()

    with serving(talk) as port:
        yield f"http://127.0.0.1:{port}"


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return head + await reader.readexactly(int(length[1]) if length else 0)
