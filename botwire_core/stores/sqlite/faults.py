"""SQLite's errors as BotWire's, mapped once at the edge of the store."""

from __future__ import annotations

import errno

import apsw

from botwire_core.errors import (
    BotWireError,
    CommitUnknownError,
    StoreBusyError,
    StoreCorruptError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

__all__ = ["fault", "is_lost"]

_NO_SPACE = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})


def fault(error: apsw.Error, path: str, *, system_errno: int = 0, committing: bool = False) -> BotWireError:
    """The BotWire error for what SQLite says; `committing` where it came from a COMMIT."""
    match error:
        case apsw.BusyError() | apsw.LockedError():
            return StoreBusyError(f"{path} is locked by somebody else", hint="try again, or raise timeout=")
        case apsw.FullError():
            return _full(path)
        case apsw.ReadOnlyError():
            return StoreReadOnlyError(f"{path} cannot be written", hint="check the permissions of file and folder")
        case apsw.NotADBError():
            return StoreCorruptError(f"{path} is not a BotWire file", hint="give BotWire a path of its own")
        case apsw.CorruptError():
            return StoreCorruptError(f"{path} is damaged", hint="restore it from a backup; see `botwire doctor`")
        case apsw.CantOpenError():
            return StoreUnavailableError(
                f"{path} cannot be opened", hint="check that its folder exists, and the limit of open files"
            )
        case apsw.IOError() if system_errno in _NO_SPACE:
            return _full(path)
        case apsw.IOError() if committing:
            return CommitUnknownError(f"the disk failed while {path} was written", hint="read before you write again")
        case _:
            return StoreUnavailableError(f"SQLite failed on {path}: {type(error).__name__}", hint="try again")


def is_lost(error: apsw.Error) -> bool:
    """Whether the connection should not be used again after this."""
    return isinstance(error, apsw.IOError | apsw.CorruptError | apsw.NotADBError | apsw.MisuseError)


def _full(path: str) -> StoreFullError:
    return StoreFullError(f"there is no room left to write {path}", hint="free some space; reads still work")
