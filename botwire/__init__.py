"""BotWire: memory for agents that lasts, and that can be forked, compared and rewound.

>>> from botwire import Memory
>>> memory = Memory("customer-service", "memory:doctest")
>>> memory.set("user:ada", {"likes": ["tea"]})
1
>>> memory.get("user:ada")
{'likes': ['tea']}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botwire_core import errors
from botwire_core.connect import connect
from botwire_core.errors import (
    BotWireError,
    CommitUnknownError,
    ConflictError,
    ForbiddenError,
    InvalidKeyError,
    InvalidNamespaceError,
    InvalidValueError,
    MissingExtraError,
    PluginError,
    QuotaExceededError,
    RevisionPrunedError,
    SchemaTooNewError,
    ScopeError,
    StoreBusyError,
    StoreCorruptError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
    TooLargeError,
    UnauthorizedError,
    UnknownStoreError,
    UnsupportedError,
)
from botwire_core.memory import Memory

if TYPE_CHECKING:
    from botwire_langchain.history import BotWireChatHistory as BotWireChatHistory

# What needs a framework is left out, so that `from botwire import *` works without any.
__all__ = [
    "BotWireError",
    "CommitUnknownError",
    "ConflictError",
    "ForbiddenError",
    "InvalidKeyError",
    "InvalidNamespaceError",
    "InvalidValueError",
    "Memory",
    "MissingExtraError",
    "PluginError",
    "QuotaExceededError",
    "RevisionPrunedError",
    "SchemaTooNewError",
    "ScopeError",
    "StoreBusyError",
    "StoreCorruptError",
    "StoreFullError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
    "TooLargeError",
    "UnauthorizedError",
    "UnknownStoreError",
    "UnsupportedError",
    "__version__",
    "connect",
    "errors",
]

__version__ = "0.3.0"


def __getattr__(name: str) -> Any:
    if name == "BotWireChatHistory":
        from botwire_core.plugins import registry

        return registry().adapter("langchain", "chat_history")
    from botwire.former import former

    return former(__name__, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "BotWireChatHistory"])
