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
    IdempotencyError,
    InvalidKeyError,
    InvalidNamespaceError,
    InvalidValueError,
    MalformedJsonError,
    MissingExtraError,
    PluginError,
    QuotaExceededError,
    RequestRunningError,
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
    from botwire_core.scopes import Scope as Scope
    from botwire_core.scopes.blocks import bind as bind
    from botwire_core.scopes.blocks import scope as scope
    from botwire_core.scopes.current import current_scope as current_scope
    from botwire_core.scopes.policy import scope_policy as scope_policy
    from botwire_core.stores.http import HttpStore as HttpStore
    from botwire_langchain.history import BotWireChatHistory as BotWireChatHistory

# What needs a framework is left out, so that `from botwire import *` works without any.
__all__ = [
    "BotWireError",
    "CommitUnknownError",
    "ConflictError",
    "ForbiddenError",
    "HttpStore",
    "IdempotencyError",
    "InvalidKeyError",
    "InvalidNamespaceError",
    "InvalidValueError",
    "MalformedJsonError",
    "Memory",
    "MissingExtraError",
    "PluginError",
    "QuotaExceededError",
    "RequestRunningError",
    "RevisionPrunedError",
    "SchemaTooNewError",
    "Scope",
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
    "bind",
    "connect",
    "current_scope",
    "errors",
    "scope",
    "scope_policy",
]

__version__ = "0.3.0"


# Loaded when they are asked for: a program without experiments or a server never pays for them.
_LATE = {
    "HttpStore": "botwire_core.stores.http",
    "Scope": "botwire_core.scopes",
    "bind": "botwire_core.scopes.blocks",
    "current_scope": "botwire_core.scopes.current",
    "scope": "botwire_core.scopes.blocks",
    "scope_policy": "botwire_core.scopes.policy",
}


def __getattr__(name: str) -> Any:
    if name == "BotWireChatHistory":
        from botwire_core.plugins import registry

        return registry().adapter("langchain", "chat_history")
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(_LATE[name]), name)
    from botwire.former import former

    return former(__name__, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "BotWireChatHistory"])
