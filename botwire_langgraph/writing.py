"""How checkpoints and the writes of tasks are put into a memory: each call is one transaction."""

from __future__ import annotations

import base64
from collections.abc import Generator, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from botwire_core.building import OpBuilder
from botwire_core.codec import Payload, Value, encode
from botwire_core.errors import ConflictError, InvalidValueError, StoreBusyError, StoreCorruptError
from botwire_core.flows import ask
from botwire_core.memory import Memory
from botwire_core.protocol import Check, ListEntries, ListKeys, Op, Set, Step, Transact
from botwire_langgraph.pieces import LONGEST, Piece, cut, pieces_of
from botwire_langgraph.serializing import SMALL, Packed, framed, packed, plain, unframed
from botwire_langgraph.thread_keys import Place, piece_key

__all__ = ["Asking", "CheckpointWriter", "committed", "committed_in_turn", "place_of_config"]

R = TypeVar("R")
Asking: TypeAlias = Generator[Op[Any], Any, R]
"""Logic that asks a store, as a part of any flow."""

_MOST: Final = 4 * 1024 * 1024  # bytes in one transaction
_ATTEMPTS: Final = 20
_SHORT: Final = 100  # characters
_WIDE: Final = 2**62


class CheckpointWriter:
    """Puts checkpoints and writes into a memory; made for one call, since it knows where the memory is now.

    `readable` keeps values as JSON where they are JSON, which a serializer that somebody chose may not be meant to.
    """

    def __init__(self, memory: Memory, serde: SerializerProtocol, readable: bool) -> None:
        self._ops = OpBuilder(memory.namespace, memory.author, memory.as_of)
        self._longest = min(LONGEST, max(1024, memory.store.limits.value_bytes // 2))
        self._serde = serde
        self._readable = readable

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Asking[RunnableConfig]:
        """Keep a checkpoint, and the values of those channels that have a new version."""
        place = place_of_config(config)
        inline = self._inline(checkpoint)
        values = {name: value for name, value in checkpoint["channel_values"].items() if name not in inline}
        changed = [
            (channel, version, self._packed(values[channel]))
            for channel, version in new_versions.items()
            if channel in values
        ]
        row = self._row(config, place, checkpoint, metadata, inline, list(values))
        record = Set(self._ops.target, place.checkpoint(checkpoint["id"]), row, author=self._ops.author)
        for _ in range(_ATTEMPTS):
            steps: list[Step] = []
            for channel, version, kept in changed:
                members = {"channel": channel, "version": version}
                key = place.version(channel, version)
                steps += yield from self._value(place.thread, key, members, kept, place.channel(channel))
            try:
                yield from committed(self._ops.target, [*steps, record])
            except ConflictError:
                continue  # what a value grew from was deleted meanwhile
            return _config(config["configurable"]["thread_id"], place.namespace, checkpoint["id"])
        raise _too_busy(place.thread_id)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> Asking[None]:
        """Keep what a task wrote: an ordinary write that is there already stays, a special one is replaced."""
        place = place_of_config(config)
        id = str(config["configurable"]["checkpoint_id"])
        kept: dict[str, tuple[dict[str, Any], Packed]] = {}
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            members: dict[str, Any] = {"task_id": task_id, "task_path": task_path, "index": index, "channel": channel}
            kept[place.write(id, task_id, index)] = members, self._packed(value)
        for _ in range(_ATTEMPTS):
            steps: list[Step] = []
            for key, (members, made) in kept.items():
                once = 0 if members["index"] >= 0 else None
                steps += yield from self._value(place.thread, key, members, made, if_version=once)
            if not steps:
                return
            try:
                yield from committed(self._ops.target, steps)
            except ConflictError:
                there = yield from ask(ListKeys(self._ops.target, place.writes_after(id)))
                for key in [key for key in there if key in kept and int(kept[key][0]["index"]) >= 0]:
                    del kept[key]
                continue
            return
        raise _too_busy(place.thread_id)

    def _packed(self, value: Any) -> Packed:
        return packed(self._serde, value, readable=self._readable)

    def _value(
        self,
        thread: str,
        key: str,
        members: dict[str, Any],
        kept: Packed,
        grows_from: str | None = None,
        if_version: int | None = None,
    ) -> Asking[list[Step]]:
        """The steps that keep a value: its row, and the pieces that it has not in common with the version before."""
        if kept.plain or len(kept.data) <= SMALL:
            return [self._ops.set(key, framed(members, kept), if_version=if_version)]
        known: list[Piece] = []
        steps: list[Step] = []
        if grows_from is not None:
            before = yield from ask(ListEntries(self._ops.target, grows_from, None, 1, True))
            for entry in before:
                known = _pieces_in(entry.key, entry.value)
                if known:
                    steps.append(Check(self._ops.target, entry.key, entry.version))
        pieces, new, ends = cut(kept.data, known, self._longest)
        steps += [self._ops.set(piece_key(thread, digest), part) for digest, part in new.items()]
        told = {**members, "pieces": [piece.to_json() for piece in pieces]}
        return [*steps, self._ops.set(key, framed(told, Packed(kept.type, ends)), if_version=if_version)]

    def _inline(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """The values that are in the row of the checkpoint: short ones, and those of channels without a version."""
        versions = checkpoint["channel_versions"]
        return {
            name: value
            for name, value in checkpoint["channel_values"].items()
            if name not in versions or (self._readable and _is_short(value))
        }

    def _row(
        self,
        config: RunnableConfig,
        place: Place,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        inline: dict[str, Any],
        channels: list[str],
    ) -> Payload:
        rest: dict[str, Any] = {name: value for name, value in checkpoint.items() if name != "channel_values"}
        told = {name: _listed(value) for name, value in get_checkpoint_metadata(config, metadata).items()}
        row: dict[str, Any] = {
            "thread_id": place.thread_id,
            "checkpoint_ns": place.namespace,
            "parent_id": config["configurable"].get("checkpoint_id"),
            "checkpoint": rest,
            "values": inline,
            "channels": channels,
            "metadata": told,
        }
        if self._readable:
            try:
                return encode(row)
            except InvalidValueError:
                pass
        for name in ("checkpoint", "values"):
            if not self._readable or not plain(row[name]):
                row[name] = self._in_json(row[name])
        row["metadata"] = {name: value for name, value in told.items() if plain(value)}
        if len(row["metadata"]) < len(told):
            others = {name: value for name, value in told.items() if name not in row["metadata"]}
            row["more_metadata"] = self._in_json(others)
        return encode(row)

    def _in_json(self, value: Any) -> dict[str, str]:
        """Any value as a member of JSON."""
        type_, data = self._serde.dumps_typed(value)
        return {"$type": type_, "$base64": base64.b64encode(data).decode("ascii")}


def place_of_config(config: RunnableConfig) -> Place:
    """Where the checkpoints that a config names are kept."""
    configurable = config["configurable"]
    return Place(str(configurable["thread_id"]), str(configurable.get("checkpoint_ns") or ""))


def committed(namespace: str, steps: Sequence[Step]) -> Asking[None]:
    """Do steps in one transaction; where they are too much for one, what nothing refers to yet goes first."""
    size = sum(len(step.payload.data) for step in steps if isinstance(step, Set))
    if size > _MOST:
        first = [step for step in steps if isinstance(step, Set) and "/pieces/" in step.key]
        others = [step for step in steps if not (isinstance(step, Set) and "/pieces/" in step.key)]
        versions = yield from committed_in_turn(namespace, first)
        # Whoever prunes the thread meanwhile sees pieces that nothing needs.
        steps = [*(Check(namespace, key, version) for key, version in versions.items()), *others]
    if len(steps) == 1 and not isinstance(steps[0], Check):
        yield from ask(steps[0])
    else:
        yield from ask(Transact(namespace, tuple(steps)))


def committed_in_turn(namespace: str, steps: Sequence[Set]) -> Asking[dict[str, int]]:
    """Do steps in as many transactions as they need; gives the version of each key."""
    versions: dict[str, int] = {}
    some: list[Set] = []
    size = 0
    for number, step in enumerate(steps, 1):
        some.append(step)
        size += len(step.payload.data)
        if size > _MOST or len(some) >= 1000 or number == len(steps):
            made = yield from ask(Transact(namespace, tuple(some)))
            versions |= zip((step.key for step in some), made, strict=True)
            some, size = [], 0
    return versions


def _is_short(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return len(value) <= _SHORT
    return value is None or kind is bool or (kind is int and abs(value) < _WIDE)


def _pieces_in(key: str, row: Value) -> list[Piece]:
    try:
        return pieces_of(unframed(key, row)[0]) or []
    except StoreCorruptError:
        return []  # then nothing is taken over from it


def _listed(value: Any) -> Any:
    """A value with lists in place of its tuples, as JSON has them."""
    if isinstance(value, tuple | list):
        return [_listed(item) for item in value]
    if isinstance(value, dict):
        return {name: _listed(item) for name, item in value.items()}
    return value


def _config(thread_id: Any, namespace: str, id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": id}}


def _too_busy(thread_id: str) -> StoreBusyError:
    return StoreBusyError(
        f"the thread {thread_id[:80]!a} was written by others {_ATTEMPTS} times in a row", hint="try again"
    )
