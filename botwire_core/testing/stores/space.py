"""A namespace of the store under test, as short words for the ops that the contracts run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from botwire_core import protocol as p
from botwire_core.codec import Value, encode
from botwire_core.results import Entry, MergeResult, NamespaceInfo, Stats

__all__ = ["Run", "Space"]

R = TypeVar("R")


class Run(Protocol):
    """Runs an op on the store under test, in the colour that the test runs in."""

    def __call__(self, op: p.Op[R]) -> R: ...


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace under test; each method runs the one op of its name."""

    run: Run
    name: str = "space"

    def beside(self, name: str) -> Space:
        """Another namespace of the same store."""
        return Space(self.run, name)

    def set(
        self,
        key: str,
        value: Value,
        *,
        ttl: float | None = None,
        if_version: int | None = None,
        author: str | None = None,
    ) -> int:
        return self.run(p.Set(self.name, key, encode(value), ttl, if_version, author))

    def get(self, key: str, at: int | None = None) -> Value:
        """The value, or `MISSING`."""
        return self.run(p.Get(self.name, key, at))

    def entry(self, key: str, at: int | None = None) -> Entry:
        """The entry that has to be there."""
        entry = self.run(p.GetEntry(self.name, key, at))
        assert entry is not None, f"{key!r} is not there"
        return entry

    def delete(self, key: str, if_version: int | None = None) -> bool:
        return self.run(p.Delete(self.name, key, if_version))

    def keys(
        self, prefix: str = "", after: str | None = None, limit: int | None = None, at: int | None = None
    ) -> list[str]:
        return self.run(p.ListKeys(self.name, prefix, after, limit, at))

    def entries(
        self, prefix: str = "", after: str | None = None, limit: int | None = None, reverse: bool = False
    ) -> list[Entry]:
        return self.run(p.ListEntries(self.name, prefix, after, limit, reverse))

    def contents(self, at: int | None = None) -> dict[str, Value]:
        """Every key and its value, in the order listed."""
        return {entry.key: entry.value for entry in self.run(p.ListEntries(self.name, at=at))}

    def append(self, log: str, *values: Value, ttl: float | None = None) -> list[str]:
        return self.run(p.Append(self.name, log, tuple(encode(value) for value in values), ttl))

    def read(self, log: str, last: int | None = None, at: int | None = None) -> list[Value]:
        return self.run(p.ReadLog(self.name, log, last, at))

    def increment(self, key: str, by: float = 1) -> float:
        return self.run(p.Increment(self.name, key, by))

    def expire(self, key: str, ttl: float | None) -> bool:
        return self.run(p.Expire(self.name, key, ttl))

    def stats(self) -> Stats:
        return self.run(p.GetStats(self.name))

    @property
    def revision(self) -> int:
        """The current revision."""
        return self.stats().revision

    def fork(self, name: str, at: int | None = None, ttl: float | None = None) -> Space:
        self.run(p.Fork(self.name, name, at, ttl))
        return self.beside(name)

    def merge(self, other: str, **more: Any) -> MergeResult:
        return self.run(p.Merge(self.name, other, **more))

    def info(self) -> NamespaceInfo:
        """The namespace as it is listed; it has to be there."""
        return next(one for one in self.run(p.ListNamespaces(self.name)) if one.name == self.name)

    def history(self, key: str, limit: int | None = None) -> list[Entry]:
        return self.run(p.GetHistory(self.name, key, limit))
