"""What BotWire offers to LangGraph; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, hookimpl

__all__ = ["botwire_adapters"]


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """The store, the checkpointer and the cache of nodes."""
    return [
        AdapterSpec(
            "langgraph",
            provides={
                "store": "botwire_langgraph.store:BotWireStore",
                "checkpointer": "botwire_langgraph.saver:BotWireSaver",
                "cache": "botwire_langgraph.cache:BotWireNodeCache",
            },
            needs="langgraph",
            install="botwire[langgraph]",
        )
    ]
