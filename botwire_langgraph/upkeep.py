"""Threads as a whole: deleting, copying and pruning them, and deleting what a run left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from langgraph.checkpoint.serde.base import SerializerProtocol

from botwire_core.building import OpBuilder
from botwire_core.errors import ConflictError, InvalidValueError
from botwire_core.flows import ask
from botwire_core.memory import Memory
from botwire_core.protocol import Clear, DeleteMany, ListEntries, ListKeys, Search, Set, Transact
from botwire_core.results import Entry
from botwire_langgraph.pieces import pieces_of
from botwire_langgraph.serializing import unframed
from botwire_langgraph.stored import StoredCheckpoint, stored_checkpoint
from botwire_langgraph.thread_keys import ROOT, Place, checkpoint_part, piece_key, thread_prefix
from botwire_langgraph.writing import Asking, committed_in_turn

__all__ = ["ThreadKeeper"]

_PAGE: Final = 500
_PIECES: Final = 50
_ATTEMPTS: Final = 20


class ThreadKeeper:
    """Deletes, copies and prunes threads; made for one call, since it knows where the memory is now."""

    def __init__(self, memory: Memory, serde: SerializerProtocol) -> None:
        self._ops = OpBuilder(memory.namespace, memory.author, memory.as_of)
        self._namespace = self._ops.target
        self._serde = serde

    def delete(self, thread_id: str) -> Asking[None]:
        """Delete a thread, in one transaction."""
        yield from ask(Clear(self._namespace, thread_prefix(thread_id), self._ops.author))

    def delete_for_runs(self, run_ids: Iterable[str]) -> Asking[None]:
        """Delete the checkpoints that runs made, with their writes and what nothing else needs of their values."""
        gone: dict[str, set[str]] = {}
        for run_id in dict.fromkeys(map(str, run_ids)):
            start = 0
            while True:
                found = yield from ask(
                    Search(self._namespace, ROOT, {"metadata.run_id": run_id}, None, _PAGE, start, None)
                )
                for entry in found:
                    if checkpoint_part(entry.key) is not None:
                        gone.setdefault(f"{ROOT}{entry.key.split('/')[1]}/", set()).add(entry.key)
                if len(found) < _PAGE:
                    break
                start += _PAGE
        for thread, keys in gone.items():
            records = yield from self._checkpoints(thread)
            yield from self._delete(thread, {key: one for key, one in records.items() if key in keys})

    def prune(self, thread_ids: Iterable[str], strategy: str) -> Asking[None]:
        """Delete threads, or all but the newest checkpoint of each of their namespaces and what that needs."""
        if strategy not in ("keep_latest", "delete"):
            raise InvalidValueError(f"strategy: {strategy!a} is unknown", hint='use "keep_latest" or "delete"')
        for thread_id in thread_ids:
            if strategy == "delete":
                yield from self.delete(str(thread_id))
                continue
            thread = thread_prefix(str(thread_id))
            records = yield from self._checkpoints(thread)
            newest: dict[Place, StoredCheckpoint] = {}
            for one in records.values():
                if one.place not in newest or one.id > newest[one.place].id:
                    newest[one.place] = one
            kept = {one.place.checkpoint(one.id) for last in newest.values() for one in _needed(last, records)}
            yield from self._delete(thread, {key: one for key, one in records.items() if key not in kept})

    def copy(self, source_id: str, target_id: str) -> Asking[None]:
        """Copy a thread; its checkpoints come last and together, so nobody sees a part of it."""
        source, target = thread_prefix(source_id), thread_prefix(target_id)
        if source == target:
            return
        # First what refers to values, then the values: so whatever is written meanwhile, none is missing.
        records = yield from self._checkpoints(source)
        steps: list[Set] = []
        for key, one in records.items():
            entry = yield from self._entry(key)
            if entry is not None:
                value = {**entry.value, "thread_id": target_id}
                steps.append(self._ops.set(Place(target_id, one.place.namespace).checkpoint(one.id), value))
        after: str | None = None
        while True:
            page = yield from ask(ListEntries(self._namespace, source, after, _PAGE))
            rows = [entry for entry in page if checkpoint_part(entry.key) is None]
            copies = [self._ops.set(target + entry.key[len(source) :], entry.value) for entry in rows]
            yield from committed_in_turn(self._namespace, copies)
            if len(page) < _PAGE:
                break
            after = page[-1].key
        if steps:
            yield from ask(Transact(self._namespace, tuple(steps)))

    # --- what belongs to what -----------------------------------------------------------------------------------

    def _checkpoints(self, thread: str) -> Asking[dict[str, StoredCheckpoint]]:
        """The checkpoints of a thread by their keys, all namespaces."""
        entries = yield from self._entries(f"{thread}checkpoints/")
        return {entry.key: stored_checkpoint(entry.key, entry.value, self._serde) for entry in entries}

    def _delete(self, thread: str, dropped: Mapping[str, StoredCheckpoint]) -> Asking[None]:
        """Delete checkpoints of a thread and their writes, in one transaction; then what nothing needs any more.

        Who runs the thread meanwhile loses nothing: only what was there before the look at what is needed is deleted.
        """
        after = tuple(one.place.writes_after(one.id) for one in dropped.values())
        keys = yield from self._keys(f"{thread}writes/")
        yield from self._delete_many([*dropped, *(key for key in keys if key.startswith(after))])
        keys = yield from self._keys(f"{thread}channels/")
        records = yield from self._checkpoints(thread)
        needed = {key for one in records.values() for key in one.keys.values()}
        yield from self._delete_many([key for key in keys if key not in needed])
        for _ in range(_ATTEMPTS):
            try:
                return (yield from self._delete_pieces(thread))
            except ConflictError:
                continue  # a piece was put anew, and what needs it may have been put too

    def _delete_pieces(self, thread: str) -> Asking[None]:
        """Delete the pieces of values that are not there any more."""
        pieces = yield from self._entries(f"{thread}pieces/", _PIECES)
        needed: set[str] = set()
        for kind in ("channels", "writes"):
            for entry in (yield from self._entries(f"{thread}{kind}/")):
                members, _ = unframed(entry.key, entry.value)
                needed |= {piece_key(thread, piece.digest) for piece in pieces_of(members) or ()}
        steps = [self._ops.delete(entry.key, if_version=entry.version) for entry in pieces if entry.key not in needed]
        for start in range(0, len(steps), _PAGE):
            yield from ask(Transact(self._namespace, tuple(steps[start : start + _PAGE])))

    def _delete_many(self, keys: Sequence[str]) -> Asking[None]:
        if keys:
            yield from ask(DeleteMany(self._namespace, tuple(keys), self._ops.author))

    def _entry(self, key: str) -> Asking[Entry | None]:
        found = yield from ask(ListEntries(self._namespace, key, None, 1))
        return found[0] if found and found[0].key == key else None

    def _entries(self, prefix: str, size: int = _PAGE) -> Asking[list[Entry]]:
        entries: list[Entry] = []
        after: str | None = None
        while True:
            page = yield from ask(ListEntries(self._namespace, prefix, after, size))
            entries += page
            if len(page) < size:
                return entries
            after = page[-1].key

    def _keys(self, prefix: str) -> Asking[list[str]]:
        keys: list[Any] = []
        after: str | None = None
        while True:
            page = yield from ask(ListKeys(self._namespace, prefix, after, 10_000))
            keys += page
            if len(page) < 10_000:
                return keys
            after = page[-1]


def _needed(one: StoredCheckpoint, records: dict[str, StoredCheckpoint]) -> list[StoredCheckpoint]:
    """A checkpoint, and those before it from whose writes its delta channels are made."""
    kept = [one]
    missing = set(one.metadata.get("counters_since_delta_snapshot") or ())
    while True:
        missing -= kept[-1].keys.keys() | kept[-1].values.keys()
        parent = kept[-1].parent_id
        before = records.get(one.place.checkpoint(parent)) if parent else None
        if not missing or before is None:
            return kept
        kept.append(before)
