"""The URLs of servers: read strictly, shown without secrets, and sent no token where others can read it."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from botwire_core.errors import ForbiddenError, InvalidValueError, UnknownStoreError
from botwire_core.records import field, record

__all__ = ["Endpoint", "Endpoints", "check_secrecy", "parse_urls"]

_PORTS = {"http": 80, "https": 443}


@record
class Endpoint:
    """One server: where it is, and what its URL says of who logs in."""

    scheme: str
    host: str
    port: int
    path: str = ""
    """What comes before every path, without a slash at its end."""
    login: str | None = field(default_factory=lambda: None, repr=False)
    """The value of an Authorization header, where the URL names a user."""

    @property
    def shown(self) -> str:
        """The URL without who logs in."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """Host and port, as a Host header names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read along: it is encrypted, or never leaves this machine."""
        if self.scheme == "https" or self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class Endpoints:
    """The servers of one store, all on the same data: one is used for as long as it works."""

    def __init__(self, all_of_them: Sequence[Endpoint]) -> None:
        self.all = tuple(all_of_them)
        self.current = self.all[0]

    def leave(self, failed: Endpoint) -> None:
        """Go on to the next one, if this is the one in use."""
        if self.current is failed:
            self.current = self.all[(self.all.index(failed) + 1) % len(self.all)]


def parse_urls(urls: str | Sequence[str]) -> tuple[list[Endpoint], bool]:
    """The servers that one URL, several with commas between them, or a list of URLs name; and `allow_http` of theirs.

    Raises:
        UnknownStoreError: one of them is not the URL of a server.
    """
    listed = urls.split(",") if isinstance(urls, str) else list(urls)
    endpoints, allowed = [], False
    for url in listed:
        endpoint, allow_http = _parse(url.strip() if isinstance(url, str) else url)
        endpoints.append(endpoint)
        allowed = allowed or allow_http
    if not endpoints:
        raise UnknownStoreError("no URL names a server", hint="write https://memory.example.com")
    return endpoints, allowed


def check_secrecy(endpoints: Sequence[Endpoint], token: str | None, allow_http: bool) -> None:
    """Refuse to send a token, or the password of a URL, where others can read it on the way.

    Raises:
        ForbiddenError: it would go over plain http to another machine.
        InvalidValueError: the token cannot be a part of a request, or the URL names a user besides.
    """
    if token is not None and not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
        raise InvalidValueError("token: not printable ASCII text", hint="copy it again, without spaces or line ends")
    for one in endpoints:
        if token is not None and one.login is not None:
            raise InvalidValueError(f"{one.shown}: a token and a user in the URL", hint="pass one of them")
        if not allow_http and not one.is_private and (token is not None or one.login is not None):
            raise ForbiddenError(
                f"{one.shown}: a token is not sent over plain http to another machine",
                hint="use https; or say allow_http=True, or ?allow_http=true in the URL, where the network is your own",
            )


def _parse(url: str) -> tuple[Endpoint, bool]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except (ValueError, AttributeError, TypeError):
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    # The text itself is not shown before it is understood: it may hold a password anywhere.
    if parts.scheme not in _PORTS or not host or not _is_plain(parts.path):
        raise UnknownStoreError(
            "this is not the URL of a server", hint="write https://host, https://host:port or https://host/path"
        )
    if not host.isascii():
        import httpx  # knows how such names are spelled for the network; its import takes a while

        host = httpx.URL(f"http://{host}").raw_host.decode("ascii")
    endpoint = Endpoint(
        parts.scheme, host, _PORTS[parts.scheme] if port is None else port, parts.path.rstrip("/"), _login(parts)
    )
    allow_http = False
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name != "allow_http" or value not in ("true", "false"):
            raise UnknownStoreError(
                f"{endpoint.shown}: the option {name} is unknown", hint="the option there is: allow_http=true|false"
            )
        allow_http = value == "true"
    if parts.fragment:
        raise UnknownStoreError(f"{endpoint.shown}: a server has no fragment", hint="leave out what follows the #")
    return endpoint, allow_http


def _login(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    text = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(text.encode()).decode("ascii")


def _is_plain(path: str) -> bool:
    return path.isascii() and path.isprintable() and " " not in path
