"""`Memory`, and the adapters that stood beside it, where the first BotWire had them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botwire.crewai import memory_tools
from botwire_core.memory import Memory

if TYPE_CHECKING:
    from botwire_langchain.history import BotWireChatHistory as BotWireChatHistory  # noqa: PLC0414  # typed, and no part of `import *`

__all__ = ["Memory", "memory_tools"]


def __getattr__(name: str) -> Any:
    if name == "BotWireChatHistory":
        from botwire import langchain

        return langchain.BotWireChatHistory
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
