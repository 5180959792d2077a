"""The part of `Memory` that lets it flow: changes as they come, and whole memories to and from files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from math import isfinite
from typing import TYPE_CHECKING, BinaryIO

from botwire_core.errors import InvalidValueError, UnsupportedError
from botwire_core.flows import Flow, arun_flow, run_flow
from botwire_core.memory_handle import MemoryHandle
from botwire_core.names import check_prefix
from botwire_core.results import Change, Revision
from botwire_core.watching import newest_revision, watched, watched_async

if TYPE_CHECKING:
    from botwire_core.exchange_files import Progress

__all__ = ["StreamMethods"]


class StreamMethods(MemoryHandle):
    """Changes as they come, export and import."""

    __slots__ = ()

    def watch(
        self, prefix: str = "", *, since: int | Revision | Change | None = None, timeout: float | None = None
    ) -> Iterator[Change]:
        """Iterate over the changes that anybody makes, in the order of their revisions and then of their keys.

        Nothing is missed and nothing comes twice, also when a later watch goes on with `since=change`, the last
        one that was dealt with. `since=change.revision` skips what else belongs to that revision, as the steps of
        one transaction do. Of a key that is written faster than the past is kept, only newer writes are told.

        Args:
            prefix: What the keys start with; empty for all.
            since: The revision or change to go on from, 0 for everything that is kept; None for what comes from now
                on, which is the call of `watch`, and the first step of `awatch`.
            timeout: End after so many seconds without a change; 0 gives what is there, None never ends.

        Raises:
            RevisionPrunedError: what changed since then is no longer kept.

        >>> changes = memory.watch(timeout=0)
        >>> memory.set("likes", "tea")
        1
        >>> [(change.key, change.value) for change in changes]
        [('likes', 'tea')]
        """
        start = self._check_since(since)
        _check_timeout(timeout)
        check_prefix(prefix)
        here = self.store.here(self.namespace)
        if start is None:
            start = here.run(newest_revision(self.namespace))
        return watched(here, self.namespace, prefix, start, timeout)

    def awatch(
        self, prefix: str = "", *, since: int | Revision | Change | None = None, timeout: float | None = None
    ) -> AsyncIterator[Change]:
        """Async twin of `watch`: `async for change in memory.awatch()`."""
        start = self._check_since(since)
        _check_timeout(timeout)
        return watched_async(self.store.here(self.namespace), self.namespace, check_prefix(prefix), start, timeout)

    def export(
        self, target: str | os.PathLike[str] | BinaryIO, *, full: bool = False, progress: Progress | None = None
    ) -> int:
        r"""Write all entries to a file as JSON Lines in key order, and give their number.

        A line holds key, value and expiry and nothing else, so that equal memory gives equal bytes. It shows one
        moment, whatever is written meanwhile, on a store that keeps the past. The file is replaced in one step at
        the end, and only its owner can read it (0600).

        Args:
            target: A path, or a binary file that is open for writing.
            full: Write every version that is kept, with its times, the snapshots, and all forks with theirs, for
                `import_` to make all of it anew; gives the number of versions.
            progress: Called now and then with the number of records so far; with `full`, of versions, in the thread
                that the store works in.

        Raises:
            OSError: the file cannot be written.
            InvalidValueError: `full` of a namespace that is not there.
            UnsupportedError: `full` of a store that keeps no past, or of a moment in the past.

        >>> import io
        >>> memory.set("likes", ["tea"])
        1
        >>> file = io.BytesIO()
        >>> memory.export(file), file.getvalue()
        (1, b'{"key":"likes","value":["tea"]}\n')
        """
        return run_flow(self.store, self._export(target, full, progress))

    async def aexport(
        self, target: str | os.PathLike[str] | BinaryIO, *, full: bool = False, progress: Progress | None = None
    ) -> int:
        """Async twin of `export`."""
        return await arun_flow(self.store, self._export(target, full, progress))

    def import_(self, source: str | os.PathLike[str] | BinaryIO, *, progress: Progress | None = None) -> int:
        """Write the records of a file in one transaction, all or nothing, and give their number.

        Other keys stay as they are; a record that has expired is not written. A file that `export(full=True)` made
        is known by its first line: this namespace and the forks in it are made anew, none of which may be there,
        and the number is that of the versions.

        Args:
            source: A path, or a binary file that is open for reading, with lines as `export` writes them.
            progress: Called now and then with the number of records so far, in the thread that the store works in.

        Raises:
            OSError: the file cannot be read.
            UnsupportedError: the store keeps no past, and so cannot undo what a bad line comes after; or it is in
                memory, and versions are missing in the middle of what the file holds.
            InvalidValueError: a line is no record, or repeats a key; the message names it: "line 17: ...".
            ConflictError: the file was made with `full=True`, and one of its namespaces is there already.

        >>> import io
        >>> memory.import_(io.BytesIO(b'{"key": "likes", "value": ["tea"]}'))
        1
        >>> memory.get("likes")
        ['tea']
        """
        return run_flow(self.store, self._import(source, progress))

    async def aimport_(self, source: str | os.PathLike[str] | BinaryIO, *, progress: Progress | None = None) -> int:
        """Async twin of `import_`."""
        return await arun_flow(self.store, self._import(source, progress))

    def _check_since(self, since: int | Revision | Change | None) -> int | Change | None:
        if self.as_of is not None:
            raise UnsupportedError(
                "a moment in the past does not change",
                hint=f"memory.watch(since={self.as_of}) tells what came after it",
            )
        if since is None or isinstance(since, Change):
            return since
        if isinstance(since, Revision):
            return since.number
        if type(since) is int and since >= 0:
            return since
        raise InvalidValueError(f"since: {since!r} is no revision", hint="use change.revision, or a change itself")

    def _export(self, target: str | os.PathLike[str] | BinaryIO, full: bool, progress: Progress | None) -> Flow[int]:
        from botwire_core.exchange_files import export_family, export_records
        from botwire_core.line_files import FileWriter

        if not full:
            history = "history" in self.store.features
            return export_records(self.namespace, self.as_of, history, FileWriter(target), progress)
        if self.as_of is not None:
            raise UnsupportedError(
                "the whole past cannot be exported as it stood", hint="leave out full=True, or export what at() is of"
            )
        return export_family(self.namespace, FileWriter(target), progress)

    def _import(self, source: str | os.PathLike[str] | BinaryIO, progress: Progress | None) -> Flow[int]:
        from botwire_core.exchange_files import import_file

        return import_file(self._ops.target, self.author, source, progress)


def _check_timeout(timeout: object) -> None:
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not isfinite(timeout) or timeout < 0
    ):
        raise InvalidValueError(f"timeout: {timeout!r} is not a number of seconds", hint="use None to watch forever")
