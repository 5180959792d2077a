"""Sockets for event loops, without the loop's transports: a connection that is idle is known to no loop.

So it can be closed from anywhere, also when its loop is gone, and nothing has to be closed before a loop ends.
The deadline is that of the caller, who runs all of it inside `asyncio.timeout`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import httpcore

from botwire_core.stores.http.addresses import Endpoint
from botwire_core.stores.http.network import is_readable, not_sent, prepared

__all__ = ["AsyncSocketStream", "AsyncTlsStream", "aconnect"]

T = TypeVar("T")
_HELD_BACK = 256 * 1024
_RECORD = 16 * 1024


class AsyncSocketStream(httpcore.AsyncNetworkStream):
    """A connected socket; what is written is held back until something is read, as in `SocketStream`."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._held_back = bytearray()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        self._held_back += buffer
        if len(self._held_back) >= _HELD_BACK:
            await self._flush()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        if self._held_back:
            await self._flush()
        return await self._receive(max_bytes)

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Close it at once; nobody may be reading."""
        self.socket.close()

    def get_extra_info(self, info: str) -> Any:
        return is_readable(self.socket) if info == "is_readable" else None

    async def _flush(self) -> None:
        data, self._held_back = self._held_back, bytearray()
        try:
            await self._send(bytes(data))
        except (BrokenPipeError, ConnectionResetError):
            pass  # as in SocketStream

    async def _send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def _receive(self, max_bytes: int) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.socket, max_bytes)


class AsyncTlsStream(AsyncSocketStream):
    """An encrypted one."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def handshake(self) -> None:
        """Agree on keys, and check who the server is."""
        await self._drive(self._tls.do_handshake)

    async def _send(self, data: bytes) -> None:
        while data:
            sent = await self._drive(lambda rest=data: self._tls.write(rest))  # type: ignore[misc]
            data = data[sent:]

    async def _receive(self, max_bytes: int) -> bytes:
        try:
            return await self._drive(lambda: self._tls.read(max_bytes))
        except ssl.SSLZeroReturnError:
            return b""

    async def _drive(self, step: Callable[[], T]) -> T:
        """Do a step of TLS, with as much reading and writing as it takes."""
        loop = asyncio.get_running_loop()
        while True:
            wants_more = False
            try:
                result = step()
            except ssl.SSLWantReadError:
                wants_more = True
            if self._outgoing.pending:
                await loop.sock_sendall(self.socket, self._outgoing.read())
            if not wants_more:
                return result
            data = await loop.sock_recv(self.socket, _RECORD)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()


async def aconnect(endpoint: Endpoint, context: ssl.SSLContext | None) -> AsyncSocketStream:
    """Async twin of `connect`; its deadline is the caller's."""
    loop = asyncio.get_running_loop()
    sock: socket.socket | None = None
    last: OSError | None = None
    try:
        for family, kind, protocol, _, address in await loop.getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, address)
                break
            except OSError as error:
                sock.close()
                last = error
        else:
            raise last or OSError("no address")
        prepared(sock)
        if context is None:
            return AsyncSocketStream(sock)
        stream = AsyncTlsStream(sock, context, endpoint.host)
        await stream.handshake()
        return stream
    except (OSError, UnicodeError) as error:
        if sock is not None:
            sock.close()
        raise not_sent(error) from error
    except BaseException:
        if sock is not None:
            sock.close()
        raise
