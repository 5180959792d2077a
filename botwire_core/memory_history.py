"""The part of `Memory` that forks it, looks at its past, compares, merges and erases."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from botwire_core.arguments import check_limit, check_ttl
from botwire_core.errors import InvalidValueError
from botwire_core.flows import Flow, arun_flow, ask, run_flow
from botwire_core.memory_handle import MemoryHandle
from botwire_core.names import check_key, check_label, check_namespace, check_prefix
from botwire_core.protocol import (
    Compare,
    DeleteSnapshot,
    Fork,
    GetHistory,
    GetRetention,
    ListSnapshots,
    Merge,
    Purge,
    Resolve,
    Restore,
    SetRetention,
    Snapshot,
    Strategy,
)
from botwire_core.results import Diff, Entry, MergeResult, PurgeResult, Retention, Revision

__all__ = ["HistoryMethods"]


class HistoryMethods(MemoryHandle):
    """Forks and the past; for stores whose `features` name "history", such as the embedded one."""

    __slots__ = ()

    def fork(self, name: str, *, at: int | str | datetime | Revision | None = None, ttl: float | None = None) -> Self:
        """Make a namespace that starts as this one stands, copy-on-write, and give the memory on it.

        It takes the same time whatever the size. Neither ever sees what the other writes from then on. Of a memory
        that `at` gave, the fork starts at that moment.

        Args:
            name: Name of the new namespace.
            at: The revision, snapshot label or time (a datetime with its time zone) to start from; None for now.
            ttl: Seconds until the whole fork is gone; None keeps it.

        Raises:
            ConflictError: a namespace of that name exists.
            RevisionPrunedError: that moment is no longer kept.

        >>> memory.set("tone", "formal")
        1
        >>> variant = memory.fork("prompt-v2")
        >>> variant.set("tone", "friendly"), memory.get("tone")
        (2, 'formal')
        """
        return self._moved(run_flow(self.store, self._fork(name, at, ttl)), None)

    async def afork(
        self, name: str, *, at: int | str | datetime | Revision | None = None, ttl: float | None = None
    ) -> Self:
        """Async twin of `fork`."""
        return self._moved(await arun_flow(self.store, self._fork(name, at, ttl)), None)

    def snapshot(self, label: str | None = None, *, ttl: float | None = None) -> Revision:
        """Keep the current revision, whatever is pruned later, and give it.

        Args:
            label: What to call it; None for `r` and its number.
            ttl: Seconds until it is let go of; None keeps it until `delete_snapshot`.

        Raises:
            ConflictError: the label is in use.

        >>> memory.set("plan", "gold")
        1
        >>> memory.snapshot("before-upgrade").label
        'before-upgrade'
        """
        return self.store.run(self._snapshot(label, ttl))

    async def asnapshot(self, label: str | None = None, *, ttl: float | None = None) -> Revision:
        """Async twin of `snapshot`."""
        return await self.store.arun(self._snapshot(label, ttl))

    def snapshots(self) -> list[Revision]:
        """List the snapshots, oldest revision first."""
        return self.store.run(ListSnapshots(self.namespace))

    async def asnapshots(self) -> list[Revision]:
        """Async twin of `snapshots`."""
        return await self.store.arun(ListSnapshots(self.namespace))

    def delete_snapshot(self, label: str) -> bool:
        """Let go of a snapshot and tell whether it existed."""
        return self.store.run(DeleteSnapshot(self._ops.target, check_label(label)))

    async def adelete_snapshot(self, label: str) -> bool:
        """Async twin of `delete_snapshot`."""
        return await self.store.arun(DeleteSnapshot(self._ops.target, check_label(label)))

    def at(self, moment: int | str | datetime | Revision) -> Self:
        """Give a read-only memory of a moment in the past.

        What has expired since is not in it. Writing to it raises `StoreReadOnlyError`; fork it to go on from there.

        Args:
            moment: A revision, a snapshot's label, or a time: a datetime with its time zone, which gives the last
                revision committed at or before it.

        Raises:
            InvalidValueError: the revision is not reached yet, the label is unknown, or the time has no zone.
            RevisionPrunedError: raised by the read that touches a key whose state of then is no longer kept.

        >>> memory.set("mood", "calm"), memory.set("mood", "angry")
        (1, 2)
        >>> memory.at(1).get("mood")
        'calm'
        """
        return self._moved(self.namespace, self.store.run(self._resolve(moment)))

    async def aat(self, moment: int | str | datetime | Revision) -> Self:
        """Async twin of `at`."""
        return self._moved(self.namespace, await self.store.arun(self._resolve(moment)))

    def history(self, key: str, *, limit: int | None = None) -> list[Entry]:
        """Give the versions of a key that are kept, newest first; deletes are marked, inherited versions included.

        >>> memory.set("mood", "calm"), memory.set("mood", "angry")
        (1, 2)
        >>> [entry.value for entry in memory.history("mood")]
        ['angry', 'calm']
        """
        return self.store.run(GetHistory(self.namespace, check_key(key), check_limit(limit), self.as_of))

    async def ahistory(self, key: str, *, limit: int | None = None) -> list[Entry]:
        """Async twin of `history`."""
        return await self.store.arun(GetHistory(self.namespace, check_key(key), check_limit(limit), self.as_of))

    def restore(self, key: str, version: int) -> int:
        """Write an old version of a key anew, without an expiry, and give the new version.

        Restoring a version that was a delete deletes.

        Raises:
            RevisionPrunedError: that version is no longer kept, or has expired.

        >>> memory.set("mood", "calm"), memory.set("mood", "angry")
        (1, 2)
        >>> memory.restore("mood", 1), memory.get("mood")
        (3, 'calm')
        """
        return self.store.run(self._restore(key, version))

    async def arestore(self, key: str, version: int) -> int:
        """Async twin of `restore`."""
        return await self.store.arun(self._restore(key, version))

    def diff(self, other: MemoryHandle | str, *, prefix: str = "") -> Diff:
        """Tell what it takes to get from this memory to another: keys added, removed and changed, in byte order.

        The cost grows with what changed since their common ancestor, not with their size.

        Args:
            other: A memory of the same store, or the name of one of its namespaces. Either side may be of the past.
            prefix: Compare only keys that start with it.

        >>> memory.set("tone", "formal")
        1
        >>> variant = memory.fork("prompt-v2")
        >>> variant.set("tone", "friendly")
        2
        >>> print(memory.diff(variant))
        demo -> prompt-v2: 0 added, 0 removed, 1 changed
        ~ tone
            ~ "formal" -> "friendly"
        """
        return self.store.run(self._compare(other, prefix))

    async def adiff(self, other: MemoryHandle | str, *, prefix: str = "") -> Diff:
        """Async twin of `diff`."""
        return await self.store.arun(self._compare(other, prefix))

    def merge(
        self, other: MemoryHandle | str, *, strategy: Strategy = "fail", keys: str = "*", dry_run: bool = False
    ) -> MergeResult:
        """Bring what another memory changed since the two parted into this one, in one transaction.

        Keys that both sides changed are merged inside JSON objects where they changed different places; new rows of
        a log are appended after ours. What is left are conflicts, told in the result. The state before is kept as
        a snapshot for seven days.

        Args:
            other: A memory of the same store, or the name of one of its namespaces.
            strategy: With conflicts, "fail" writes nothing, "ours" keeps this side, "theirs" takes the other.
            keys: A glob; only keys that match it are merged.
            dry_run: Only tell what would be done.

        >>> memory.set("tone", "formal")
        1
        >>> variant = memory.fork("prompt-v2")
        >>> variant.set("tone", "friendly")
        2
        >>> memory.merge(variant).written, memory.get("tone")
        (['tone'], 'friendly')
        """
        return self.store.run(self._merge(other, strategy, keys, dry_run))

    async def amerge(
        self, other: MemoryHandle | str, *, strategy: Strategy = "fail", keys: str = "*", dry_run: bool = False
    ) -> MergeResult:
        """Async twin of `merge`."""
        return await self.store.arun(self._merge(other, strategy, keys, dry_run))

    def purge(self, key_or_prefix: str) -> PurgeResult:
        """Erase a key and all keys under it from here, from its history, from all forks and from the file.

        It reaches the key itself and every key that starts with it and a slash; if it ends with a slash or a colon,
        every key that starts with it. It cannot be undone.

        Raises:
            StoreBusyError: a reader still holds the old pages; nothing is reported as erased that is not.
        """
        return self.store.run(Purge(self._ops.target, check_key(key_or_prefix)))

    async def apurge(self, key_or_prefix: str) -> PurgeResult:
        """Async twin of `purge`."""
        return await self.store.arun(Purge(self._ops.target, check_key(key_or_prefix)))

    def retention(self) -> Retention:
        """Tell how much of the past is kept beyond what forks and snapshots need."""
        return self.store.run(GetRetention(self.namespace))

    async def aretention(self) -> Retention:
        """Async twin of `retention`."""
        return await self.store.arun(GetRetention(self.namespace))

    def set_retention(self, retention: Retention) -> None:
        """Say how much of the past is kept from now on; it takes effect as keys are written."""
        self.store.run(SetRetention(self._ops.target, retention))

    async def aset_retention(self, retention: Retention) -> None:
        """Async twin of `set_retention`."""
        await self.store.arun(SetRetention(self._ops.target, retention))

    def _fork(self, name: str, at: int | str | datetime | Revision | None, ttl: float | None) -> Flow[str]:
        check_namespace(name)
        check_ttl(ttl)
        revision = self.as_of if at is None else (yield from ask(self._resolve(at)))
        made = yield from ask(Fork(self.namespace, name, revision, ttl))
        return made.name

    def _snapshot(self, label: str | None, ttl: float | None) -> Snapshot:
        return Snapshot(self._ops.target, None if label is None else check_label(label), check_ttl(ttl))

    def _resolve(self, moment: int | str | datetime | Revision) -> Resolve:
        if isinstance(moment, Revision):
            moment = moment.number
        if isinstance(moment, datetime):
            if moment.utcoffset() is None:
                raise InvalidValueError(
                    f"{moment.isoformat()} does not say in which time zone", hint="use datetime.now(timezone.utc)"
                )
        elif isinstance(moment, str):
            check_label(moment)
        elif type(moment) is not int or moment < 0:
            raise InvalidValueError(
                f"{moment!r} is no moment",
                hint="use a revision number, a snapshot's label or a datetime with a time zone",
            )
        return Resolve(self.namespace, moment)

    def _restore(self, key: str, version: int) -> Restore:
        if type(version) is not int or version < 1:
            raise InvalidValueError(f"version: {version!r} is not a version", hint="history(key) lists them")
        return Restore(self._ops.target, check_key(key), version, self.author)

    def _compare(self, other: MemoryHandle | str, prefix: str) -> Compare:
        name, at = self._side(other)
        return Compare(self.namespace, name, self.as_of, at, check_prefix(prefix))

    def _merge(self, other: MemoryHandle | str, strategy: Strategy, keys: str, dry_run: bool) -> Merge:
        if strategy not in ("fail", "ours", "theirs"):
            raise InvalidValueError(f"strategy: {strategy!r} is unknown", hint='use "fail", "ours" or "theirs"')
        name, at = self._side(other)
        return Merge(self._ops.target, name, at, strategy, keys, dry_run, self.author)

    def _side(self, other: MemoryHandle | str) -> tuple[str, int | None]:
        if not isinstance(other, MemoryHandle):
            return check_namespace(other), None
        if other.store != self.store:
            raise InvalidValueError(
                f"{other!r} is in another store than {self!r}",
                hint="export() there and import_() into a namespace of this store, then compare with that",
            )
        return other.namespace, other.as_of
