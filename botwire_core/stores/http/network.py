"""Sockets as httpcore wants them, with one deadline for all that happens on them.

httpcore takes a timeout for each single read, which a server that sends a byte now and then never meets. What is
written is held back until something is read: a request is then one packet, and wakes the server once.
"""

from __future__ import annotations

import select
import socket
import time
from math import inf
from typing import TYPE_CHECKING, Any

import httpcore

from botwire_core.stores.http.addresses import Endpoint
from botwire_core.stores.http.exchanges import NotSent

if TYPE_CHECKING:
    import ssl

__all__ = ["SocketStream", "connect", "is_readable", "not_sent", "prepared"]

_HELD_BACK = 256 * 1024


class SocketStream(httpcore.NetworkStream):
    """A connected socket, encrypted or not; `deadline` is on the clock of `time.monotonic`."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.deadline = inf
        self._held_back = bytearray()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._held_back += buffer
        if len(self._held_back) >= _HELD_BACK:
            self._flush()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._held_back:
            self._flush()
        self.socket.settimeout(self._left())
        return self.socket.recv(max_bytes)

    def close(self) -> None:
        self.socket.close()

    def get_extra_info(self, info: str) -> Any:
        return is_readable(self.socket) if info == "is_readable" else None

    def _flush(self) -> None:
        data, self._held_back = self._held_back, bytearray()
        self.socket.settimeout(self._left())
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server may refuse a request before it has all of it: its answer is there to be read

    def _left(self) -> float | None:
        if self.deadline == inf:
            return None
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


def connect(endpoint: Endpoint, deadline: float, context: ssl.SSLContext | None) -> SocketStream:
    """A stream to a server, encrypted where there is a context.

    Raises:
        NotSent: it cannot be reached, or is not who it should be.
    """
    sock: socket.socket | None = None
    last: OSError | None = None
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(max(deadline - time.monotonic(), 0.001))
                sock.connect(address)
                break
            except OSError as error:
                sock.close()
                last = error
        else:
            raise last or OSError("no address")
        prepared(sock)
        if context is not None:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            sock = context.wrap_socket(sock, server_hostname=endpoint.host)
        return SocketStream(sock)
    except (OSError, UnicodeError) as error:
        if sock is not None:
            sock.close()
        raise not_sent(error) from error
    except BaseException:
        if sock is not None:
            sock.close()
        raise


def prepared(sock: socket.socket) -> None:
    """Let a socket send at once, and notice a server that went away without a word."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def not_sent(error: Exception) -> NotSent:
    """Why there is no connection, in words."""
    if isinstance(error, TimeoutError):
        return NotSent("no connection within the time there was")
    if isinstance(error, socket.gaierror):
        return NotSent("no machine of this name is known")
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return NotSent(f"its certificate is not trusted: {error.verify_message}")
    return NotSent(f"cannot be reached: {getattr(error, 'strerror', None) or error}")


def is_readable(sock: socket.socket) -> bool:
    """Whether an idle connection has something to say, which can only be that it is closed."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
