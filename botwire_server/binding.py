"""Where a server may listen: nobody is let in from outside by accident."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from botwire_core.errors import ForbiddenError

if TYPE_CHECKING:
    from botwire_server.config import ServerConfig

__all__ = ["check_bind", "is_loopback", "is_open"]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host name or address.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8", "0.0.0.0", "::", "example.com")]
    [True, True, True, True, False, False, False]
    """
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_open(config: ServerConfig) -> bool:
    """Whether everybody may do everything as long as the store has no token."""
    return config.insecure or (is_loopback(config.host) and not config.behind_proxy)


def check_bind(config: ServerConfig, has_tokens: bool) -> tuple[str, ...]:
    """Give the warnings to print at the start of a server that may be started.

    Raises:
        ForbiddenError: it would let in whoever finds it, or send tokens over the network as plain text.
    """
    outside = not is_loopback(config.host)
    encrypted = config.behind_proxy or (config.tls_cert is not None and config.tls_key is not None)
    if config.insecure:
        return _warnings(config.host, outside, encrypted, has_tokens)
    if not has_tokens and (outside or config.behind_proxy):
        raise ForbiddenError(
            f"{config.host} can be reached from outside, and the store has no token",
            hint="make one first with `botwire token create`, or listen on 127.0.0.1 without --behind-proxy; "
            "--insecure lets everybody in",
        )
    if outside and not encrypted:
        raise ForbiddenError(
            f"{config.host} can be reached from outside, and tokens would cross the network as plain text",
            hint="give --tls-cert and --tls-key, or put a proxy that speaks TLS in front and say --behind-proxy; "
            "--insecure goes without",
        )
    return ()


def _warnings(host: str, outside: bool, encrypted: bool, has_tokens: bool) -> tuple[str, ...]:
    found = []
    if not has_tokens:
        found.append(f"--insecure: whoever reaches {host} may read, change and delete everything")
    if outside and not encrypted:
        found.append(f"--insecure: tokens and values cross the network to {host} as plain text")
    return tuple(found) or ("--insecure: nothing is checked at the start",)
