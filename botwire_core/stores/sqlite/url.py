"""Opening the embedded store by its URL."""

from __future__ import annotations

import os

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
    path, options = _path_and_options(url)
    durability: Durability = "full"
    for name, value in options:
        if name == "durability" and value in ("full", "normal"):
            durability = "full" if value == "full" else "normal"
        else:
            raise UnknownStoreError(
                f"{url!r}: the option {name}={value} is unknown", hint="the option there is: durability=full|normal"
            )
    path = os.path.expanduser(path)
    return SqliteStore(path, durability=durability, timeout=DEFAULT_TIMEOUT if timeout is None else timeout)


def _path_and_options(url: str) -> tuple[str, list[tuple[str, str]]]:
    path, options = url, []
    if _SPECIAL.intersection(url):
        from urllib.parse import parse_qsl, unquote, urlsplit  # 3 ms, which a plain path does not need

        parts = urlsplit(url)
        path = f"{parts.scheme}://{parts.netloc}{unquote(parts.path)}"
        options = parse_qsl(parts.query, keep_blank_values=True)
    if not path.lower().startswith(_START) or len(path) == len(_START):
        raise UnknownStoreError(
            f"{url!r} names no file", hint="write sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    return path[len(_START) :], options


_START = "sqlite:///"
_SPECIAL = frozenset("%?#")
