"""`memory_tools`, under the name that the guides of the first BotWire give; loads CrewAI when it is called."""

from __future__ import annotations

from typing import Any

from botwire_core.memory import Memory

__all__ = ["memory_tools"]


def memory_tools(namespace: str | Memory) -> list[Any]:
    """Tools with which the agents of a crew remember and recall, in a namespace of their own.

    Raises:
        MissingExtraError: CrewAI is not installed.
    """
    from botwire_core.plugins import registry

    tools: list[Any] = registry().adapter("crewai", "tools")(namespace)
    return tools
