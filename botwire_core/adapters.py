"""What an adapter is given in place of a memory, the memory that it means, and how that is written down."""

from __future__ import annotations

import re

from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory

__all__ = ["as_memory", "url_of"]

_SECRET = re.compile("pass|token|secret|api_?key", re.IGNORECASE)


def as_memory(memory: Memory | str | None, namespace: str) -> Memory:
    """Give the memory that an adapter was made with: one as it is, a name opened, and `namespace` where there is none.

    It does no I/O.

    Raises:
        InvalidNamespaceError: the name breaks a rule.
        InvalidValueError: it is neither a memory nor a name.

    >>> as_memory("support", "agent-memory")
    Memory('support')
    >>> as_memory(None, "agent-memory")
    Memory('agent-memory')
    """
    if isinstance(memory, Memory):
        return memory
    if memory is None:
        return Memory(namespace)
    if isinstance(memory, str):
        return Memory(memory)
    raise InvalidValueError(
        f"memory: {type(memory).__name__} is neither a Memory nor the name of a namespace",
        hint='pass Memory("name"), or the name alone',
    )


def url_of(memory: Memory) -> str | None:
    """Give the URL by which another process opens the store of a memory; None for the usual store.

    It holds no token, nobody's name and password, and no parameter whose name speaks of one. A memory that no
    other process can open, since it was made from a store object or shows a moment in the past, has a URL that
    nothing opens.

    >>> url_of(Memory("support", "https://ana:secret@memory.example.com"))
    'https://memory.example.com'
    >>> url_of(Memory("support", "sqlite:///memory.db?durability=normal&password=secret"))
    'sqlite:///memory.db?durability=normal'
    """
    if memory._lent or memory.as_of is not None:  # noqa: SLF001 - the core's own
        return "in-process:"
    url = memory._url  # noqa: SLF001 - the core's own
    if url is None:
        return None
    place, mark, parameters = re.sub(r"://[^/?#]*@", "://", url).partition("?")
    kept = [parameter for parameter in parameters.split("&") if not _SECRET.search(parameter.partition("=")[0])]
    return place + mark + "&".join(kept) if any(kept) else place
