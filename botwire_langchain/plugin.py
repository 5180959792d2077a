"""What BotWire offers to LangChain; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, hookimpl

__all__ = ["botwire_adapters"]


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """The chat history."""
    return [
        AdapterSpec(
            "langchain",
            provides={"chat_history": "botwire_langchain.history:BotWireChatHistory"},
            needs="langchain_core",
            install="botwire[langchain]",
        )
    ]
