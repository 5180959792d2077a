"""`memory_tools`, under the name that the guides of the first BotWire give, and `install`; both load CrewAI late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botwire_core.memory import Memory

if TYPE_CHECKING:
    from botwire_crewai.flow import install

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


def __getattr__(name: str) -> Any:
    if name == "install":
        from botwire_core.plugins import registry

        return registry().adapter("crewai", "install")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
