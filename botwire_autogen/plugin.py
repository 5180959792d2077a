"""What BotWire offers to AutoGen; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, hookimpl

__all__ = ["botwire_adapters"]


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """What stands on autogen-core; teams and agents are used as they are, whoever brings them."""
    return [
        AdapterSpec(
            "autogen",
            provides={
                "memory": "botwire_autogen.memory:BotWireMemory",
                "cache": "botwire_autogen.cache:BotWireCacheStore",
                "context": "botwire_autogen.context:BotWireChatCompletionContext",
                "tools": "botwire_autogen.tools:memory_tools",
                "save_team": "botwire_autogen.state:save_team",
                "load_team": "botwire_autogen.state:load_team",
            },
            needs="autogen_core",
            install="botwire[autogen]",
        )
    ]
