"""Connections to one SQLite file: one for each thread of each process, opened when it is first needed."""

from __future__ import annotations

import os
import stat
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, TypeAlias

import apsw

from botwire_core.errors import StoreCorruptError, StoreUnavailableError
from botwire_core.stores.sql.records import damaged
from botwire_core.stores.sqlite.faults import fault
from botwire_core.stores.sqlite.lock import WriteLock
from botwire_core.stores.sqlite.schema import SCHEMA_VERSION, check_schema, migrate

__all__ = ["Connections", "Durability"]

Durability: TypeAlias = Literal["full", "normal"]

# Not cell_size_check: it costs a get 1.3 of 6 microseconds, and the checksums of the rows find what it would.
_PRAGMAS = (
    ("mmap_size", 256 * 1024 * 1024),
    ("cache_size", -16 * 1024),
    ("journal_size_limit", 64 * 1024 * 1024),
    ("trusted_schema", 0),
    ("secure_delete", "FAST"),
)

# A connection that was open at a fork belongs to the parent. To close it in the child, even to let it be collected,
# would write to the parent's files: it is kept, unused, for as long as the child lives.
_held_at_fork: list[Any] = []
_all: weakref.WeakSet[Connections] = weakref.WeakSet()
_creating = threading.Lock()


class Connections:
    """The connections of one store."""

    def __init__(self, path: str, durability: Durability, timeout: float) -> None:
        self.path = path
        self.durability = durability
        self.timeout = timeout
        self.lock = WriteLock(f"{path}-lock", timeout)
        self._local = threading.local()
        self._open: weakref.WeakKeyDictionary[apsw.Connection, int] = weakref.WeakKeyDictionary()
        self._spared: dict[int, apsw.Connection] = {}
        self._guard = threading.Lock()
        self._checked = False
        _all.add(self)

    def current(self) -> apsw.Connection:
        """The connection of this thread."""
        try:
            return self._local.connection  # type: ignore[no-any-return]
        except AttributeError:
            spared: apsw.Connection | None = self._spared.pop(threading.get_ident(), None)
            return self.adopt(self.open() if spared is None else spared)

    def point(self) -> Callable[[str, tuple[Any, ...]], apsw.Cursor]:
        """`execute` of a cursor of this thread that is used again and again: only for what `.get` reads to its end."""
        try:
            return self._local.point  # type: ignore[no-any-return]
        except AttributeError:
            self._local.point = self.current().cursor().execute
            return self._local.point  # type: ignore[no-any-return]

    def ready(self) -> bool:
        """Whether this thread has its connection."""
        return hasattr(self._local, "connection")

    @contextmanager
    def opening(self) -> Iterator[bool]:
        """A block that opens the connection of this thread; False while another block of the thread does."""
        local = self._local
        if getattr(local, "opening", False):
            yield False
            return
        local.opening = True
        try:
            yield True
        finally:
            local.opening = False

    def adopt(self, connection: apsw.Connection) -> apsw.Connection:
        """Make a connection the one of this thread."""
        with self._guard:
            self._local.connection = connection
            self._open[connection] = threading.get_ident()
        return connection

    def forget(self) -> None:
        """Close the connection of this thread; the next use opens a new one."""
        connection = self._local.__dict__.pop("connection", None)
        self._local.__dict__.pop("point", None)
        if connection is not None:
            with self._guard:
                self._open.pop(connection, None)  # an error that somebody keeps can keep the connection too
            with suppress(apsw.Error):  # it is closed all the same; what failed here failed before, and was told
                connection.close(True)

    def close(self) -> None:
        """Close the connections of all threads; the next use opens new ones.

        A thread that is in the middle of something keeps its connection.
        """
        with self._guard:
            self._local = threading.local()
            self._checked = False  # it may be another file by then
            for connection, thread in list(self._open.items()):
                try:
                    if not connection.in_transaction:
                        connection.close(True)
                        self._open.pop(connection, None)
                        continue
                except apsw.ThreadingViolationError:
                    pass  # it is executing a statement
                except apsw.ConnectionClosedError:  # its thread has closed it, after an error
                    self._open.pop(connection, None)
                    continue
                self._spared[thread] = connection
        self.lock.close()

    def open(self) -> apsw.Connection:
        """A new connection to the file, which is made or migrated where it has to be.

        Raises:
            StoreCorruptError, SchemaTooNewError: the file is not ours, damaged or newer, and is left untouched.
            StoreUnavailableError: it cannot be opened.
        """
        self._prepare_file()
        connection: apsw.Connection | None = None
        try:
            connection = self._connect()
            connection.set_busy_timeout(int(self.timeout * 1000))
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # else ORDER BY is compiled anew at every call
            connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            if not self._checked and check_schema(connection, self.path) < SCHEMA_VERSION:
                # Under the lock, since to enter WAL mode can fail as busy in spite of any timeout.
                with self.lock.held():
                    connection.pragma("journal_mode", "wal")
                    migrate(connection, self.path)
            self._checked = True
            connection.pragma("synchronous", self.durability)
            for name, value in _PRAGMAS:
                connection.pragma(name, value)
        except apsw.Error as error:
            reason = fault(error, self.path)
            if connection is not None:
                connection.close(True)
            raise reason from error
        except BaseException as error:
            if connection is not None:
                connection.close(True)
            if isinstance(error, UnicodeDecodeError):  # from a schema that is no longer text
                raise damaged(self.path) from error
            raise
        return connection

    def _connect(self) -> apsw.Connection:
        read_only = hasattr(os, "statvfs") and os.statvfs(self.path).f_flag & os.ST_RDONLY
        if not read_only or os.path.exists(f"{self.path}-wal"):
            return apsw.Connection(self.path)
        # WAL mode needs to write beside the file. Where nothing can be written, nobody else can change the file either.
        from urllib.parse import quote

        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return apsw.Connection(f"file:{quote(self.path)}?immutable=1", flags=flags)

    def _prepare_file(self) -> None:
        """Make folder and file as private ones, and refuse places where others could swap the file."""
        path, parent = self.path, os.path.dirname(self.path)
        try:
            if not os.path.exists(parent):
                os.makedirs(parent, mode=0o700, exist_ok=True)
            if os.path.islink(path):
                raise StoreUnavailableError(f"{path} is a symbolic link", hint="give the path that it leads to")
            folder = os.stat(parent).st_mode
            if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
                raise StoreUnavailableError(
                    f"everybody may replace files in {parent}",
                    hint=f"chmod o-w {parent}, or use another folder",
                )
            if os.path.isdir(path):
                raise StoreCorruptError(f"{path} is a folder", hint="give the path of a file")
            with _creating:
                # Safe though it closes a descriptor of the database: with O_EXCL there was nothing to hold a lock on.
                if not os.path.exists(path):
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
                    self._checked = False
        except FileExistsError:
            pass  # another process was quicker
        except OSError as error:
            if isinstance(error, StoreUnavailableError):
                raise
            raise StoreUnavailableError(
                f"{path} cannot be opened: {error.strerror}", hint="check the folder and its permissions"
            ) from error

    def before_fork(self) -> list[Any]:
        """What must outlive the fork in the child; its threads, and what only they hold, are gone at once."""
        return [self._local, *self._open, *self._spared.values()]

    def after_fork(self) -> None:
        """Leave the parent's connections alone, and start with none."""
        self._local = threading.local()
        self._open = weakref.WeakKeyDictionary()
        self._spared = {}
        self._guard = threading.Lock()
        self.lock.after_fork()


def _before_fork() -> None:
    _held_at_fork.extend(held for connections in _all for held in connections.before_fork())


def _after_fork_in_parent() -> None:
    _held_at_fork.clear()


def _after_fork_in_child() -> None:
    global _creating
    _creating = threading.Lock()
    for connections in list(_all):
        connections.after_fork()
    inherited = [held for held in _held_at_fork if isinstance(held, apsw.Connection)]
    if inherited:
        from botwire_core.stores.sqlite.forked import keep_for_ever, know_files_anew  # ctypes, for a forked child only

        keep_for_ever(inherited)
        know_files_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
