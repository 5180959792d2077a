"""What the components here share: a memory, how a dump names it, and copies that are handles on the same one."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel

from botwire_core.adapters import as_memory, url_of
from botwire_core.memory import Memory

__all__ = ["MemoryComponent", "MemoryConfig"]


class MemoryConfig(BaseModel):
    """Which memory a dump means. It holds no token: `BOTWIRE_TOKEN` is used where it is restored."""

    namespace: str
    """The namespace, never that of a scope: the scope of whoever uses it is found at each use."""
    url: str | None = None
    """The store; None for the usual one."""
    author: str | None = None
    """Who is named as the writer."""

    def open(self) -> Memory:
        """The memory, without any I/O.

        Raises:
            InvalidNamespaceError: the name breaks a rule.
        """
        return Memory(self.namespace, self.url, author=self.author)


class MemoryComponent:
    """An object on a memory, `.memory`: true when empty, and its copies are handles on the same memory."""

    memory: Memory

    def __init__(self, memory: Memory | str | None, namespace: str) -> None:
        self.memory = as_memory(memory, namespace)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.memory!r})"

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.__copy__()

    def _named(self) -> dict[str, Any]:
        """The members of a `MemoryConfig`."""
        return {"namespace": self.memory.namespace, "url": url_of(self.memory), "author": self.memory.author}
