"""A disk that remembers: every write, sync, truncation and deletion of SQLite, and what a power cut can make of them.

What was synced is there after a cut. Of what was not, each write may be there, missing, or torn into sectors, in any
order; names of files come and go in order, as journals of file systems keep them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import apsw

__all__ = ["Ack", "Disk", "Event", "recorded"]

SECTOR = 512  # bytes


@dataclass(frozen=True, slots=True)
class Write:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    file: int


@dataclass(frozen=True, slots=True)
class Create:
    name: str
    file: int


@dataclass(frozen=True, slots=True)
class Remove:
    name: str
    synced: bool


@dataclass(frozen=True, slots=True)
class Ack:
    """The op came back to its caller."""


Event: TypeAlias = Write | Truncate | Sync | Create | Remove | Ack


@contextmanager
def recorded(present: Mapping[str, int] | None = None) -> Iterator[list[Event]]:
    """Within the block, connections of this process work on the disk as ever, and the list tells what they do there.

    They have to be closed at its end, and be to one folder; `present` are the files that a `Disk` has there already.
    """
    events: list[Event] = []
    files = dict(present or {})
    numbers = count(len(files))
    below = apsw.vfs_names()[0]

    class RecordedFile(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            path = name.filename() if isinstance(name, apsw.URIFilename) else name
            super().__init__(below, name, flags)
            name = Path(path).name
            if name not in files:
                files[name] = next(numbers)
                events.append(Create(name, files[name]))
            self.number = files[name]

        def xWrite(self, data: Any, offset: int) -> None:
            super().xWrite(data, offset)
            events.append(Write(self.number, offset, bytes(data)))

        def xTruncate(self, size: int) -> None:
            super().xTruncate(size)
            events.append(Truncate(self.number, size))

        def xSync(self, flags: int) -> None:
            super().xSync(flags)
            events.append(Sync(self.number))

    class RecordedSystem(apsw.VFS):
        def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
            return super().xOpen(name, flags) if name is None else RecordedFile(name, flags)

        def xDelete(self, name: str, synced: bool) -> None:
            super().xDelete(name, synced)
            files.pop(Path(name).name, None)
            events.append(Remove(Path(name).name, bool(synced)))

    system = RecordedSystem("recorded", below, makedefault=True)
    try:
        yield events
    finally:
        system.unregister()
        assert apsw.vfs_names()[0] == below


@dataclass(slots=True)
class Disk:
    """What lies on the disk while events go by: what is there for sure, and what is only on its way."""

    contents: dict[int, bytearray] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    under_way: dict[int, list[Write | Truncate]] = field(default_factory=dict)
    names_under_way: list[Create | Remove] = field(default_factory=list)

    @classmethod
    def holding(cls, files: Mapping[str, bytes]) -> Disk:
        """A disk on which these files are there for sure."""
        return cls(
            {number: bytearray(content) for number, content in enumerate(files.values())},
            {name: number for number, name in enumerate(files)},
        )

    def take(self, event: Event) -> None:
        match event:
            case Write() | Truncate():
                self.under_way.setdefault(event.file, []).append(event)
            case Sync(file):
                for one in self.under_way.pop(file, ()):
                    _apply(self.contents.setdefault(file, bytearray()), one)
                if any(isinstance(one, Create) and one.file == file for one in self.names_under_way):
                    self._settle_names()
            case Create():
                self.names_under_way.append(event)
            case Remove():
                self.names_under_way.append(event)
                if event.synced:
                    self._settle_names()

    def after_a_cut(self, chance: random.Random) -> dict[str, bytes]:
        """The files as a power cut at this moment may leave them."""
        names = dict(self.names)
        for change in self.names_under_way[: chance.randint(0, len(self.names_under_way))]:
            _rename(names, change)
        keep, tear = chance.choice(((0.0, 0.0), (1.0, 0.0), (0.5, 0.0), (0.3, 0.4), (0.8, 0.2), (0.0, 1.0)))
        found = {}
        for name, file in names.items():
            content = bytearray(self.contents.get(file, b""))
            for one in self.under_way.get(file, ()):
                luck = chance.random()
                if luck < keep:
                    _apply(content, one)
                elif luck < keep + tear and isinstance(one, Write):
                    for sector in _sectors(one):
                        if chance.random() < 0.5:
                            _apply(content, sector)
            found[name] = bytes(content)
        return found

    def _settle_names(self) -> None:
        for one in self.names_under_way:
            _rename(self.names, one)
        self.names_under_way.clear()


def _apply(content: bytearray, one: Write | Truncate) -> None:
    if isinstance(one, Truncate):
        del content[one.size :]
        content.extend(bytes(one.size - len(content)))
    else:
        content.extend(bytes(max(0, one.offset - len(content))))
        content[one.offset : one.offset + len(one.data)] = one.data


def _rename(names: dict[str, int], one: Create | Remove) -> None:
    if isinstance(one, Create):
        names[one.name] = one.file
    else:
        names.pop(one.name, None)


def _sectors(one: Write) -> Iterator[Write]:
    start, end = one.offset, one.offset + len(one.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield Write(one.file, start, one.data[start - one.offset : stop - one.offset])
        start = stop
