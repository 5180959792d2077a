"""Opening the store on PostgreSQL by its URL."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from botwire_core.clock import Clock
from botwire_core.errors import UnknownStoreError
from botwire_postgres.connections import HOW_TO_SPELL
from botwire_postgres.store import DEFAULT_TIMEOUT, PostgresStore

__all__ = ["open_url"]

_OURS: Final = {"schema": "botwire", "pool": "10", "prepared": "auto", "timeout": str(DEFAULT_TIMEOUT)}


def open_url(
    url: str, *, timeout: float | None = None, token: str | None = None, clock: Clock | None = None
) -> PostgresStore:
    """A store for `postgresql://user:password@host:port/database`, as libpq spells it; does no I/O.

    There may be several hosts, separated by commas: the one that takes writes is used. Of the options after `?` these
    are ours, and the rest is libpq's: `schema`, where the tables stand ("botwire"); `pool`, the most connections of
    each process (10); `prepared=auto|on|off`, whether statements are prepared on the server ("auto": unless there is a
    pooler in between); `timeout`, the seconds for each op (30), which the argument goes before.

    Raises:
        UnknownStoreError: it cannot be read, or an option of ours has a value that it cannot have.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # not `from`: it may quote the password
        raise UnknownStoreError("the URL of the database cannot be read", hint=HOW_TO_SPELL) from None
    given = parse_qsl(parts.query, keep_blank_values=True)
    ours = {**_OURS, **{name: value for name, value in given if name in _OURS}}
    # libpq takes a plus for what it is.
    rest = urlencode([(name, value) for name, value in given if name not in _OURS], quote_via=quote)
    if not ours["pool"].isdecimal() or not 1 <= int(ours["pool"]) <= 1000:
        raise UnknownStoreError(f"pool={ours['pool']} is no number of connections", hint="use 1 to 1000")
    if ours["prepared"] not in ("auto", "on", "off"):
        raise UnknownStoreError(f"prepared={ours['prepared']} is unknown", hint="use auto, on or off")
    try:
        seconds = float(ours["timeout"])
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise UnknownStoreError(f"timeout={ours['timeout']} is no time", hint="use seconds, up to 86400")
    return PostgresStore(
        f"postgresql://{parts.netloc}{parts.path}{'?' * bool(rest)}{rest}",  # urlunsplit leaves // out before no host
        schema=ours["schema"],
        pool_size=int(ours["pool"]),
        prepared=None if ours["prepared"] == "auto" else ours["prepared"] == "on",
        timeout=seconds if timeout is None else timeout,
        clock=clock,
    )
