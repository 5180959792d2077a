"""BotWire for CrewAI: tools with which agents remember, and the state of flows, a module each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botwire_crewai.flow import BotWireFlowPersistence as BotWireFlowPersistence
    from botwire_crewai.flow import install as install
    from botwire_crewai.tools import memory_tools as memory_tools

__all__ = ["BotWireFlowPersistence", "install", "memory_tools"]


def __getattr__(name: str) -> Any:
    # Loads CrewAI, which takes seconds: only for who asks.
    if name == "memory_tools":
        from botwire_crewai import tools

        return tools.memory_tools
    if name in __all__:
        from botwire_crewai import flow

        return getattr(flow, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
