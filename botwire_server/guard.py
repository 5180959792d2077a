"""Host and Origin: a web page that somebody visits must not reach a server on his own machine.

A browser lets a page send requests to any address, and after a change in the DNS even read the replies. The Host
header then still names the page's own site, and the Origin header always does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from botwire_core.errors import InvalidValueError
from botwire_server.refusals import RefusedError

if TYPE_CHECKING:
    from botwire_server.config import ServerConfig

__all__ = ["Guard", "Headers"]

Headers: TypeAlias = Mapping[bytes, bytes]
"""Names in small letters, and values."""

_LOOPBACK_NAMES: Final = frozenset({b"127.0.0.1", b"localhost", b"[::1]"})
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "[::]", ""})  # noqa: S104 - compared with, not listened on
_HOST: Final = re.compile(rb"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_ORIGIN: Final = re.compile(r"https?://([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")
_MOST_SEEN: Final = 100
_METHODS: Final = b"GET, PUT, POST, DELETE, HEAD"
_ALLOWED_HEADERS: Final = b"authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id"
_SHOWN_HEADERS: Final = (
    b"etag, idempotency-replayed, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id"
)


class Guard:
    """Judges requests by their Host and Origin headers, and answers for other sites where that is configured.

    Raises:
        InvalidValueError: a configured origin or host is no such thing.
    """

    def __init__(self, config: ServerConfig) -> None:
        names = [name.lower().encode("ascii", "replace") for name in (*config.allowed_hosts, config.host)]
        for name in names:
            if name.decode() not in _EVERYWHERE and not _HOST.fullmatch(_bracketed(name)):
                raise InvalidValueError(f"{name!r} is no host name", hint="write it without scheme, port and slash")
        self._hosts = _LOOPBACK_NAMES | {_bracketed(name) for name in names if name.decode() not in _EVERYWHERE}
        for origin in config.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise InvalidValueError(
                    f"{ascii(origin)[:80]} is no origin", hint="write scheme, host and port, as https://app.example.com"
                )
        self._origins = frozenset(origin.encode() for origin in config.cors_origins)
        self._seen: set[bytes] = set()

    def check_host_and_origin(self, headers: Headers) -> None:
        """Let pass what was sent to a name of ours, and not by a page of another site.

        Raises:
            RefusedError: 421 for another name, 403 for a page of another site.
        """
        host = headers.get(b"host", b"").lower()
        if host not in self._seen and not self._is_ours(host):
            raise RefusedError(
                421, "wrong_host", "this server does not answer by that name", hint="start it with --allowed-host NAME"
            )
        origin = headers.get(b"origin")
        if origin is not None and origin not in self._origins and not _same_site(origin, host):
            raise RefusedError(
                403,
                "wrong_origin",
                "pages of that site may not use this server",
                hint="start it with --cors-origin URL",
            )

    def preflight(self, method: str, headers: Headers) -> list[tuple[bytes, bytes]] | None:
        """The headers of the empty 204 that answers a browser's question before a request; None where it is none."""
        if method != "OPTIONS" or b"access-control-request-method" not in headers:
            return None
        shared = self.cross_origin(headers)
        if not shared:
            return None
        return [
            *shared,
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
        ]

    def cross_origin(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """The headers that let a page of a configured site read a reply; none for anybody else.

        The origin is named, never a star, and browsers are not told to send cookies: there are none.
        """
        origin = headers.get(b"origin", b"")
        if origin not in self._origins:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _SHOWN_HEADERS),
            (b"vary", b"Origin"),
        ]

    def _is_ours(self, host: bytes) -> bool:
        match = _HOST.fullmatch(host)
        if match is None or match[1] not in self._hosts or (match[2] is not None and not 0 < int(match[2]) < 65536):
            return False
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(host)
        return True


def _same_site(origin: bytes, host: bytes) -> bool:
    """Whether a page is our own, such as the documentation: its address is the one that the request came to."""
    return origin.lower() in (b"http://" + host, b"https://" + host)


def _bracketed(name: bytes) -> bytes:
    return b"[" + name + b"]" if b":" in name and not name.startswith(b"[") else name
