"""Opening the embedded store by its URL."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, unquote, urlsplit

from botwire_core.errors import UnknownStoreError
from botwire_core.stores.sqlite.connections import Durability
from botwire_core.stores.sqlite.store import DEFAULT_TIMEOUT, SqliteStore

__all__ = ["open_url"]


def open_url(url: str, *, timeout: float | None = None, token: str | None = None) -> SqliteStore:
    """A store for `sqlite:///relative.db` or `sqlite:////absolute.db`, as SQLAlchemy writes them; does no I/O.

    `?durability=normal` trades the last commits before a power cut for speed. `~` is the home folder.

    Raises:
        UnknownStoreError: the URL names a host, no path, or an option that is unknown.
    """
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or not parts.path.startswith("/") or len(parts.path) < 2:
        raise UnknownStoreError(
            f"{url!r} names no file", hint="write sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    durability: Durability = "full"
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "durability" and value in ("full", "normal"):
            durability = "full" if value == "full" else "normal"
        else:
            raise UnknownStoreError(
                f"{url!r}: the option {name}={value} is unknown", hint="the option there is: durability=full|normal"
            )
    path = os.path.expanduser(unquote(parts.path[1:]))
    return SqliteStore(path, durability=durability, timeout=DEFAULT_TIMEOUT if timeout is None else timeout)
