"""A copy of the whole file of an embedded store while others use it, that was restored once before it counts."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Final

import apsw

from botwire_core.errors import InvalidValueError, StoreCorruptError, StoreUnavailableError
from botwire_core.records import record
from botwire_core.stores.sqlite.connections import Connections
from botwire_core.stores.sqlite.faults import fault
from botwire_core.stores.sqlite.store import DEFAULT_TIMEOUT, SqliteStore

__all__ = ["Backup", "back_up"]

_COUNTS: Final = "SELECT (SELECT count(*) FROM spaces WHERE name NOT GLOB '.*'), (SELECT count(*) FROM versions)"


@record
class Backup:
    """What a backup holds, of the moment at which it began: bytes of the file, namespaces, and versions of all keys."""

    path: str
    bytes: int
    namespaces: int
    versions: int


def back_up(store: SqliteStore, path: str | os.PathLike[str]) -> Backup:
    """Copy the whole file of a store, as it stands at one moment, to a file that is not there yet.

    Readers and writers go on meanwhile. The copy is then restored into another temporary file beside it, which is
    examined as `botwire doctor` would, and counted; only a copy that passes gets the name. For a moment twice the size
    of the store is needed there. The copy is a store of its own: to restore it is to open it.

    Raises:
        InvalidValueError: there is something of that name already.
        StoreUnavailableError: the file cannot be written there, or the store is not there.
        StoreCorruptError: the copy is damaged, since the store is.
    """
    target = os.path.abspath(path)
    if not os.path.exists(store.path):
        raise StoreUnavailableError(f"there is no store at {store.path}", hint="give its --url")
    if os.path.lexists(target):
        raise InvalidValueError(f"{target} is there already", hint="give a new name; nothing was written")
    try:
        # A folder of its own, which nobody else can look into, in the file system that the copy stays in.
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=os.path.dirname(target)) as folder:
            copy = os.path.join(folder, "copy.db")
            os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            namespaces, versions = _copy(store.path, copy)
            _restore(copy, os.path.join(folder, "restored.db"), namespaces, versions)
            size = os.path.getsize(copy)
            if os.path.lexists(target):
                raise FileExistsError
            os.rename(copy, target)
            _sync_folder(os.path.dirname(target))
    except OSError as error:
        if isinstance(error, StoreUnavailableError):
            raise
        if isinstance(error, FileExistsError):
            raise InvalidValueError(f"{target} is there already", hint="give a new name") from error
        raise StoreUnavailableError(
            f"{target} cannot be written: {error.strerror}", hint="check the folder, its permissions and the disk"
        ) from error
    return Backup(target, size, namespaces, versions)


def _copy(path: str, target: str) -> tuple[int, int]:
    """Copy the file at one moment, and count what it held at that moment."""
    connections = Connections(path, "full", DEFAULT_TIMEOUT)
    source = connections.open()
    try:
        copy = apsw.Connection(target)
        try:
            # The count begins a transaction that the copy then goes on with, so that both see the same.
            source.execute("BEGIN")
            namespaces, versions = source.execute(_COUNTS).get
            with copy.backup("main", source, "main") as backup:
                while not backup.done:
                    backup.step(-1)
            source.execute("COMMIT")
        except apsw.Error as error:
            raise fault(error, path) from error
        finally:
            copy.close(True)
    finally:
        source.close(True)
        connections.close()
    return namespaces, versions


def _sync_folder(folder: str) -> None:
    """Let the name of a new file survive a power cut, as what is in it does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _restore(copy: str, restored: str, namespaces: int, versions: int) -> None:
    """Restore a copy into another file, and look whether everything came back."""
    shutil.copyfile(copy, restored)
    store = SqliteStore(restored)
    try:
        health = store.health()
    finally:
        store.close()
    if health.integrity != "ok":
        raise StoreCorruptError(
            f"the copy is damaged: {health.integrity}", hint="the store is: run `botwire doctor`; no backup was made"
        )
    if (health.namespaces, health.versions) != (namespaces, versions):
        raise StoreCorruptError(
            f"the copy holds {health.namespaces:,} namespaces and {health.versions:,} versions, "
            f"the store {namespaces:,} and {versions:,}",
            hint="try again; no backup was made",
        )
