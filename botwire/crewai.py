"""`memory_tools`, under the name that the guides of the first BotWire give, and `install`; they load CrewAI late."""

from __future__ import annotations

from typing import Any

from botwire_core.memory import Memory

__all__ = ["install", "memory_tools"]


def memory_tools(namespace: str | Memory, **options: Any) -> list[Any]:
    """Tools with which the agents of a crew remember and recall, in a namespace of their own.

    The options are those of `botwire_crewai.memory_tools`, such as `forget=True`.

    Raises:
        MissingExtraError: CrewAI is not installed.
    """
    from botwire_core.plugins import registry

    tools: list[Any] = registry().adapter("crewai", "tools")(namespace, **options)
    return tools


def install(memory: str | Memory | None = None, **options: Any) -> Any:
    """Let the flows of this process keep their state in a memory, as `botwire_crewai.install` does.

    Raises:
        MissingExtraError: CrewAI is not installed.
    """
    from botwire_core.plugins import registry

    return registry().adapter("crewai", "install")(memory, **options)
