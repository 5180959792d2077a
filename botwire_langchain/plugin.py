"""What BotWire offers to LangChain; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, hookimpl

__all__ = ["botwire_adapters"]


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """What stands on langchain-core, and what needs LangChain's agents."""
    return [
        AdapterSpec(
            "langchain",
            provides={
                "chat_history": "botwire_langchain.history:BotWireChatHistory",
                "byte_store": "botwire_langchain.store:BotWireByteStore",
                "cache": "botwire_langchain.cache:BotWireCache",
                "tools": "botwire_langchain.tools:memory_tools",
            },
            needs="langchain_core",
            install="botwire[langchain]",
        ),
        AdapterSpec(
            "langchain",
            provides={"middleware": "botwire_langchain.middleware:BotWireMemoryMiddleware"},
            needs="langchain",
            install="langchain>=1.2.10",
        ),
    ]
