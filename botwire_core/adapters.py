"""What an adapter is given in place of a memory, and the memory that it means."""

from __future__ import annotations

from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory

__all__ = ["as_memory"]


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
