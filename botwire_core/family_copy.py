"""A family as a store gave it at one moment: its lines, spooled, and their digest."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

from botwire_core.errors import InvalidValueError, StoreUnavailableError
from botwire_core.family import FamilyMember, FamilyPart, FamilyRow
from botwire_core.family_lines import FAMILY_HEADER, line_to_part, part_to_line
from botwire_core.protocol import ExportFamily, ListNamespaces
from botwire_core.store import Store

__all__ = ["FamilyCopy", "is_there"]

_IN_MEMORY: Final = 4 * 1024 * 1024
_ROWS_PER_PAGE: Final = 1000


class FamilyCopy:
    """The lines of a family; more than 4 MiB are in a temporary file without a name, which dies with the process."""

    namespace: str
    """Whose family it is."""
    members: list[FamilyMember]
    """Its members, parents first; the number of the first is 1."""
    rows: int
    """How many versions it has."""
    bytes: int
    """How long its lines are together."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.members = []
        self.rows = 0
        self.bytes = 0
        self._digest = hashlib.sha256(FAMILY_HEADER)
        self._parts: list[FamilyPart] | None = []  # read from the file where they are too many
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by `close`

    def read(self, store: Store, progress: Callable[[int, int], object] = lambda rows, size: None) -> bool:
        """Take the copy, once; tells whether the namespace was there.

        `progress` is called for each page with the number of rows and bytes so far.

        Raises:
            StoreUnavailableError: the store did not give the whole family.
        """

        def write(parts: Sequence[FamilyPart]) -> None:
            self.add(parts)
            progress(self.rows, self.bytes)

        try:
            count = store.run(ExportFamily(self.namespace, write))
        except InvalidValueError:
            if is_there(store, self.namespace):
                raise
            return False
        if count != self.rows:
            raise StoreUnavailableError(
                f"of {count:,} versions of {self.namespace!r} {self.rows:,} came",
                hint="run it again; nothing of this family was written",
            )
        return True

    def add(self, parts: Sequence[FamilyPart]) -> None:
        """Put parts after those that it has."""
        lines = b"".join(map(part_to_line, parts))
        self._file.write(lines)
        self._digest.update(lines)
        self.bytes += len(lines)
        if self._parts is not None:
            self._parts.extend(parts)
            if self.bytes > _IN_MEMORY:
                self._parts = None
        for part in parts:
            if isinstance(part, FamilyRow):
                self.rows += 1
            elif isinstance(part, FamilyMember):
                self.members.append(part)

    @property
    def digest(self) -> str:
        """The SHA-256 of its lines, in hexadecimal digits: that of the file which `export(full=True)` writes."""
        return self._digest.hexdigest()

    @property
    def names(self) -> list[str]:
        """The names of its namespaces, the family's own first."""
        return [one.name for one in self.members if one.name is not None]

    def parts(self, progress: Callable[[int], object] = lambda rows: None) -> Iterator[FamilyPart]:
        """Its parts in order, as often as they are asked for, and once at a time.

        `progress` is called now and then with the number of rows so far.
        """
        self._file.seek(0)
        rows = 0
        for part in map(line_to_part, self._file) if self._parts is None else self._parts:
            if isinstance(part, FamilyRow):
                rows += 1
                if rows % _ROWS_PER_PAGE == 0:
                    progress(rows)
            yield part
        progress(rows)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def is_there(store: Store, namespace: str) -> bool:
    """Whether a store has a namespace."""
    return any(info.name == namespace for info in store.run(ListNamespaces(namespace)))
