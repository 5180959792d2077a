"""Where the checkpoints of a thread are kept: all below `threads/` and its id, so that a thread is one prefix.

    threads/<thread>/checkpoints/<namespace>/<id>                a checkpoint without the values of its channels
    threads/<thread>/channels/<namespace>/<channel>/<version>    the value of a channel, once for each version
    threads/<thread>/writes/<namespace>/<id>/<task>/<index>      what a task wrote after a checkpoint
    threads/<thread>/pieces/<digest>                             bytes of long values, shared by their versions

The ids of checkpoints rise with time, so the newest of a namespace is the last of its keys.
"""

from __future__ import annotations

from typing import Final

from botwire_core.quoting import short

__all__ = ["ROOT", "Place", "checkpoint_part", "piece_key", "thread_prefix"]

ROOT: Final = "threads/"
_CHECKPOINTS: Final = "checkpoints"


def thread_prefix(thread_id: str) -> str:
    """What all keys of a thread start with.

    >>> thread_prefix("user-42")
    'threads/user-42/'
    """
    return f"{ROOT}{short(thread_id, 240)}/"


class Place:
    """The keys of one namespace of checkpoints in a thread; a graph has the namespace "", a graph within it its own.

    `thread`, `checkpoints` and `writes` are what the keys of the thread, its checkpoints and its writes start with.
    """

    __slots__ = ("_channels", "checkpoints", "namespace", "thread", "thread_id", "writes")

    def __init__(self, thread_id: str, namespace: str = "") -> None:
        self.thread_id = thread_id
        self.namespace = namespace
        self.thread = thread = thread_prefix(thread_id)
        part = short(namespace, 200)
        self.checkpoints = f"{thread}{_CHECKPOINTS}/{part}/"
        self.writes = f"{thread}writes/{part}/"
        self._channels = f"{thread}channels/{part}/"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and other.checkpoints == self.checkpoints

    def __hash__(self) -> int:
        return hash(self.checkpoints)

    def checkpoint(self, id: str) -> str:
        """The key of a checkpoint."""
        return self.checkpoints + short(id, 120)

    def channel(self, channel: str) -> str:
        """What the keys of the versions of a channel start with."""
        return f"{self._channels}{short(channel, 140)}/"

    def version(self, channel: str, version: str | int | float) -> str:
        """The key of a channel's value at a version; in the order of the versions."""
        # LangGraph compares only versions of one type: a number is padded, and told from the text that looks like it.
        text = version if isinstance(version, str) else f"{version:032}~{type(version).__name__}"
        return self.channel(channel) + short(text, 100)

    def writes_after(self, id: str) -> str:
        """What the keys of the writes after a checkpoint start with."""
        return f"{self.writes}{short(id, 120)}/"

    def write(self, id: str, task_id: str, index: int) -> str:
        """The key of one write of a task."""
        return f"{self.writes_after(id)}{short(task_id, 120)}/{index}"


def piece_key(thread: str, digest: str) -> str:
    """The key of a piece of a value, in the thread with this prefix."""
    return f"{thread}pieces/{digest}"


def checkpoint_part(key: str) -> str | None:
    """What tells a checkpoint in its key, which rises with its id; None where it is the key of something else.

    >>> checkpoint_part("threads/user-42/checkpoints//1f0"), checkpoint_part("threads/user-42/pieces/a")
    ('1f0', None)
    """
    parts = key.split("/")
    return parts[4] if len(parts) == 5 and parts[2] == _CHECKPOINTS and key.startswith(ROOT) else None
