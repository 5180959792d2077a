"""`BotWireChatHistory`, under the name that the guides of the first BotWire give; loads LangChain when it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botwire_langchain.history import BotWireChatHistory

__all__ = ["BotWireChatHistory"]


def __getattr__(name: str) -> Any:
    if name == "BotWireChatHistory":
        from botwire_core.plugins import registry

        return registry().adapter("langchain", "chat_history")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
