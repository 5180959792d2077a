"""What BotWire offers to CrewAI; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, hookimpl

__all__ = ["botwire_adapters"]


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """Tools for agents, and where flows keep their state."""
    return [
        AdapterSpec(
            "crewai",
            provides={
                "tools": "botwire_crewai.tools:memory_tools",
                "flow_persistence": "botwire_crewai.flow:BotWireFlowPersistence",
                "install": "botwire_crewai.flow:install",
            },
            needs="crewai",
            install="botwire[crewai]",
        )
    ]
