"""The row of a checkpoint, and what it tells."""

from __future__ import annotations

import base64
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from botwire_core.codec import Value
from botwire_core.errors import StoreCorruptError
from botwire_core.records import record
from botwire_langgraph.serializing import loaded
from botwire_langgraph.thread_keys import Place

__all__ = ["StoredCheckpoint", "stored_checkpoint"]


@record
class StoredCheckpoint:
    """A checkpoint as its row has it: without the values of its channels."""

    place: Place
    id: str
    parent_id: str | None
    checkpoint: dict[str, Any]
    metadata: dict[str, Any]
    values: dict[str, Any]
    """Those values of channels that the row has itself."""
    keys: dict[str, str]
    """The other channels that have a value, and the key of each."""


def stored_checkpoint(key: str, row: Value, serde: SerializerProtocol) -> StoredCheckpoint:
    """The checkpoint that a row tells of.

    Raises:
        StoreCorruptError: the row is none of ours.
    """
    try:
        checkpoint, values = _from_json(row["checkpoint"], serde), _from_json(row["values"], serde)
        metadata = row["metadata"]
        if "more_metadata" in row:
            metadata = {**metadata, **_from_json(row["more_metadata"], serde)}
        place, parent = Place(row["thread_id"], row["checkpoint_ns"]), row["parent_id"]
        versions = checkpoint["channel_versions"]
        made = StoredCheckpoint(
            place,
            checkpoint["id"],
            None if parent is None else str(parent),
            checkpoint,
            metadata,
            values,
            {name: place.version(name, versions[name]) for name in row["channels"] if name in versions},
        )
        if not all(isinstance(one, dict) for one in (checkpoint, versions, metadata, values)):
            raise TypeError
        if not isinstance(made.id, str):
            raise TypeError
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreCorruptError(
            f"what is stored at {key!r} is no checkpoint",
            hint="delete the key; memory.history() shows what stood there",
        ) from error
    return made


def _from_json(told: dict[str, Any], serde: SerializerProtocol) -> Any:
    """What a member of a row stands for: itself, or what a serializer made."""
    if told.keys() != {"$type", "$base64"}:
        return told
    return loaded(serde, told["$type"], base64.b64decode(told["$base64"], validate=True))
