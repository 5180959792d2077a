"""How checkpoints are read from a memory: rows first, then the values of their channels, many in one op."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_id,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from botwire_core.codec import Value
from botwire_core.errors import StoreCorruptError
from botwire_core.flows import Give, ItemFlow, ask
from botwire_core.memory import Memory
from botwire_core.protocol import MISSING, Get, GetMany, ListEntries, ListKeys
from botwire_core.quoting import quoted
from botwire_core.results import Entry
from botwire_langgraph.pieces import joined, pieces_of
from botwire_langgraph.remembering import remembering
from botwire_langgraph.serializing import Packed, unframed, unpacked
from botwire_langgraph.stored import StoredCheckpoint, stored_checkpoint
from botwire_langgraph.thread_keys import ROOT, Place, checkpoint_part, piece_key, thread_prefix
from botwire_langgraph.writing import Asking, place_of_config

__all__ = ["CheckpointReader"]

_PAGE: Final = 64  # checkpoints
_MOST: Final = 8 * 1024 * 1024  # bytes of pieces in one op
_KEYS: Final = 10_000
_ENTRIES: Final = 1000


class CheckpointReader:
    """Reads checkpoints; made for one call, since it knows where the memory is now."""

    def __init__(self, memory: Memory, serde: SerializerProtocol) -> None:
        self._namespace = memory.namespace
        self._at = memory.as_of
        self._serde = serde

    def get(self, config: RunnableConfig) -> Asking[CheckpointTuple | None]:
        """The checkpoint that a config names, or the newest of its thread and namespace; None where there is none."""
        place = place_of_config(config)
        while True:
            if id := get_checkpoint_id(config):
                key = place.checkpoint(str(id))
                row = yield from ask(Get(self._namespace, key, self._at))
                rows = {} if row is MISSING else {key: row}
            else:
                newest = yield from ask(ListEntries(self._namespace, place.checkpoints, None, 1, True, self._at))
                rows = {entry.key: entry.value for entry in newest}
            found = {key: stored_checkpoint(key, row, self._serde) for key, row in rows.items()}
            tuples = yield from self._still_there(rows, found)
            if tuples or not rows:
                return tuples[0] if tuples else None

    def every(
        self,
        config: RunnableConfig | None,
        filter: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> ItemFlow[CheckpointTuple]:
        """Checkpoints, newest first: of one namespace, of all of a thread, or of all threads."""
        self._serde = remembering(self._serde)
        configurable = config["configurable"] if config else {}
        end = get_checkpoint_id(before) if before else None
        id = configurable.get("checkpoint_id")
        place = place_of_config(config) if config and "checkpoint_ns" in configurable else None
        prefix = thread_prefix(str(configurable["thread_id"])) if config else ROOT
        after = None if place is None or end is None else place.checkpoint(end)
        if place and id:
            keys = [place.checkpoint(str(id))] if end is None or str(id) < end else []
            place = None
        else:
            keys = [] if place else (yield from self._checkpoint_keys(prefix, end))
        while limit is None or limit > 0:
            size = _PAGE if limit is None or filter else min(limit, _PAGE)
            if place:
                entries = yield from ask(
                    ListEntries(self._namespace, place.checkpoints, after, size, True, self._at)
                )
                rows = {entry.key: entry.value for entry in entries}
                after = entries[-1].key if entries else after
            else:
                some, keys = keys[:size], keys[size:]
                rows = (yield from ask(GetMany(self._namespace, tuple(some), self._at))) if some else {}
            page = {key: stored_checkpoint(key, row, self._serde) for key, row in rows.items()}
            fitting = [key for key, one in page.items() if _fits(one.metadata, filter) and id in (None, "", one.id)]
            tuples = yield from self._still_there(rows, {key: page[key] for key in fitting[:limit]})
            yield Give(tuples)
            limit = None if limit is None else limit - len(tuples)
            if not keys and (place is None or len(rows) < size):
                return

    def _checkpoint_keys(self, prefix: str, end: str | None) -> Asking[list[str]]:
        """The keys of all checkpoints with a prefix whose ids are below one, newest first."""
        keys: list[tuple[str, str]] = []
        after: str | None = None
        while True:
            page = yield from ask(ListKeys(self._namespace, prefix, after, _KEYS, self._at))
            keys += [(part, key) for key in page if (part := checkpoint_part(key)) is not None]
            if len(page) < _KEYS:
                return [key for part, key in sorted(keys, reverse=True) if end is None or part < quoted(end)]
            after = page[-1]

    def _still_there(
        self, rows: Mapping[str, Value], found: Mapping[str, StoredCheckpoint]
    ) -> Asking[list[CheckpointTuple]]:
        """The checkpoints found in rows, with all their values; those that were deleted meanwhile are left out."""
        while True:
            tuples: list[CheckpointTuple] = []
            damage: StoreCorruptError | None = None
            try:
                tuples = yield from self._tuples(list(found.values()))
            except StoreCorruptError as error:
                damage = error
            if damage is None and all(map(_is_whole, found.values(), tuples)):
                return tuples
            # A checkpoint is deleted before its values are: where it still stands, there never was more of it.
            still = yield from ask(GetMany(self._namespace, tuple(found), self._at))
            if all(key in still and still[key] == rows[key] for key in found):
                if damage is not None:
                    raise damage
                return tuples
            rows = still
            found = {key: stored_checkpoint(key, row, self._serde) for key, row in still.items()}

    # --- values ---------------------------------------------------------------------------------------------

    def _tuples(self, found: Sequence[StoredCheckpoint]) -> Asking[list[CheckpointTuple]]:
        if not found:
            return []
        threads = {key: one.place.thread for one in found for key in one.keys.values()}
        rows = (yield from ask(GetMany(self._namespace, tuple(threads), self._at))) if threads else {}
        writes = yield from self._writes(found)
        kept = {key: unframed(key, row) for key, row in rows.items()}
        whole = yield from self._whole(
            [
                *((threads[key], *row) for key, row in kept.items()),
                *((one.place.thread, *row) for one, mine in zip(found, writes, strict=True) for row in mine),
            ]
        )
        values = dict(zip(kept, whole, strict=False))
        rest = iter(whole[len(kept) :])
        given: set[str] = set()
        return [
            self._tuple(one, values, given, [(members, next(rest)) for members, _ in mine])
            for one, mine in zip(found, writes, strict=True)
        ]

    def _whole(self, rows: Sequence[tuple[str, dict[str, Any], Packed]]) -> Asking[list[Packed]]:
        """The values of rows, put together where they are in pieces."""
        cuts = [(thread, pieces_of(members)) for thread, members, _ in rows]
        lengths = {
            piece_key(thread, piece.digest): piece.length for thread, pieces in cuts for piece in pieces or ()
        }
        parts: dict[str, Value] = {}
        some: list[str] = []
        size = 0
        for key, length in lengths.items():
            some.append(key)
            size += length
            if size > _MOST:
                parts |= yield from ask(GetMany(self._namespace, tuple(some), self._at))
                some, size = [], 0
        if some:
            parts |= yield from ask(GetMany(self._namespace, tuple(some), self._at))
        whole = []
        for (thread, pieces), (_, _, kept) in zip(cuts, rows, strict=True):
            if pieces is not None:
                mine = {piece.digest: parts.get(piece_key(thread, piece.digest), b"") for piece in pieces}
                kept = Packed(kept.type, joined(pieces, mine, kept.data))
            whole.append(kept)
        return whole

    def _writes(self, found: Sequence[StoredCheckpoint]) -> Asking[list[list[tuple[dict[str, Any], Packed]]]]:
        """For each checkpoint the rows of its writes, in the order in which they were made."""
        by_checkpoint: dict[tuple[Place, str], list[tuple[dict[str, Any], Packed]]] = {}
        for place in dict.fromkeys(one.place for one in found):
            parts = {place.writes_after(one.id): one.id for one in found if one.place == place}
            first, last = min(parts), max(parts)
            prefix = first if len(parts) == 1 else place.writes
            after: str | None = None if len(parts) == 1 else first
            while True:
                page: list[Entry] = yield from ask(
                    ListEntries(self._namespace, prefix, after, _ENTRIES, False, self._at)
                )
                for entry in page:
                    id = parts.get(entry.key.rsplit("/", 2)[0] + "/")
                    if id is not None:
                        by_checkpoint.setdefault((place, id), []).append(unframed(entry.key, entry.value))
                if len(page) < _ENTRIES or not page[-1].key[: len(last)] <= last:
                    break
                after = page[-1].key
        for rows in by_checkpoint.values():
            rows.sort(key=lambda row: (row[0]["task_path"], row[0]["task_id"], row[0]["index"]))
        return [by_checkpoint.get((one.place, one.id), []) for one in found]

    def _tuple(
        self,
        one: StoredCheckpoint,
        values: Mapping[str, Packed],
        given: set[str],
        writes: Iterable[tuple[dict[str, Any], Packed]],
    ) -> CheckpointTuple:
        channel_values = dict(one.values)
        for channel, key in one.keys.items():
            kept = values.get(key)
            if kept is None:
                continue
            value = unpacked(self._serde, kept)
            # The same object in two checkpoints would let a change of one show in the other.
            channel_values[channel] = copy.deepcopy(value) if kept.plain and key in given else value
            given.add(key)
        pending: list[PendingWrite] = [
            (members["task_id"], members["channel"], unpacked(self._serde, kept)) for members, kept in writes
        ]
        return CheckpointTuple(
            _config(one.place, one.id),
            cast(Checkpoint, {**one.checkpoint, "channel_values": channel_values}),
            cast(CheckpointMetadata, one.metadata),
            None if one.parent_id is None else _config(one.place, one.parent_id),
            pending,
        )


def _is_whole(one: StoredCheckpoint, told: CheckpointTuple) -> bool:
    return one.keys.keys() <= told.checkpoint["channel_values"].keys()


def _fits(metadata: Mapping[str, Any], filter: Mapping[str, Any] | None) -> bool:
    return all(metadata.get(name) == wanted for name, wanted in (filter or {}).items())


def _config(place: Place, id: str) -> RunnableConfig:
    return {
        "configurable": {"thread_id": place.thread_id, "checkpoint_ns": place.namespace, "checkpoint_id": id}
    }
