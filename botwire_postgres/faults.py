"""PostgreSQL's errors as BotWire's, mapped once at the edge of the store."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout, TooManyRequests

from botwire_core.errors import (
    BotWireError,
    InvalidValueError,
    StoreBusyError,
    StoreCorruptError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

__all__ = ["collided", "fault", "is_lost", "is_read_only", "is_stale_plan"]

_COLLISIONS: Final = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.UniqueViolation,
    errors.LockNotAvailable,
)
_REFUSED: Final = {
    "28": ("refuses the user or password", "check user and password of the URL"),
    "3D": ("has no such database", "create it: createdb NAME"),
    "53300": ("has no room for another connection", "raise its max_connections, or lower pool= of the URLs"),
    "42501": ("does not let this user do that", "GRANT CREATE ON DATABASE, or make the schema for it"),
}


def collided(error: psycopg.Error) -> bool:
    """Whether it is undone because somebody else did something at the same time: it can be done again at once."""
    return isinstance(error, _COLLISIONS)


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection is gone, or could not be made."""
    state = error.sqlstate
    if state is None:
        ours = isinstance(error, PoolTimeout | TooManyRequests)
        # The bare class: libpq says it by itself, where a result was due.
        bare = type(error) is psycopg.DatabaseError
        return (bare or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)) and not ours
    return state[:2] == "08" or state in ("57P01", "57P02", "57P03", "57P05", "25P03", "53300")


def is_read_only(error: psycopg.Error) -> bool:
    """Whether this server takes no writes: it is a standby, or has become one."""
    return isinstance(error, errors.ReadOnlySqlTransaction) or (
        error.sqlstate is None and ("session is read-only" in str(error) or "not accept" in str(error))
    )


def is_stale_plan(error: psycopg.Error) -> bool:
    """Whether the server does not know a prepared statement: a pooler has changed the connection below us."""
    return isinstance(error, errors.InvalidSqlStatementName | errors.DuplicatePreparedStatement)


def fault(error: psycopg.Error, place: str) -> BotWireError:
    """The BotWire error for what PostgreSQL says at the end of all attempts; nothing was done."""
    state = error.sqlstate or ""
    for start, (what, hint) in _REFUSED.items():
        if state.startswith(start):
            return StoreUnavailableError(f"{place} {what}", hint=hint)
    match error:
        case PoolTimeout() | TooManyRequests():
            return StoreBusyError(f"no connection to {place} was free", hint="try again, or raise pool= of the URL")
        case errors.QueryCanceled() | errors.LockNotAvailable():
            return StoreBusyError(f"{place} took longer than the timeout", hint="try again, or raise timeout=")
        case errors.DiskFull():
            return StoreFullError(f"there is no room left at {place}", hint="free some space; reads still work")
        case _ if is_read_only(error):
            return StoreReadOnlyError(
                f"{place} takes no writes", hint="name the primary in the URL, or all hosts: host1,host2"
            )
        case errors.DataCorrupted() | errors.IndexCorrupted():
            return StoreCorruptError(f"{place} is damaged", hint="restore it from a backup")
        case psycopg.DataError():
            return InvalidValueError("PostgreSQL does not take this value", hint="leave out NUL and what is no Unicode")
        case _ if is_lost(error):
            return StoreUnavailableError(f"{place} cannot be reached", hint="check host, port and that it runs")
        case _:
            return StoreUnavailableError(
                f"PostgreSQL failed at {place}: {type(error).__name__} {state}".rstrip(), hint="try again"
            )
