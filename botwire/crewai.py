"""`memory_tools`, under the name that the guides of the first BotWire give; loads CrewAI when it is called."""

from __future__ import annotations

from typing import Any

from botwire_core.memory import Memory

__all__ = ["memory_tools"]


def memory_tools(namespace: str | Memory, **options: Any) -> list[Any]:
    """Tools with which the agents of a crew remember and recall, in a namespace of their own.

    The options are those of `botwire_crewai.memory_tools`, such as `forget=True`.

    Raises:
        MissingExtraError: CrewAI is not installed.
    """
    from botwire_core.plugins import registry

    tools: list[Any] = registry().adapter("crewai", "tools")(namespace, **options)
    return tools
