"""BotWire for OpenTelemetry: the scope travels with a request from one service to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botwire_opentelemetry.receiving import arm as arm
    from botwire_opentelemetry.receiving import disarm as disarm
    from botwire_opentelemetry.sending import outgoing as outgoing

__all__ = ["arm", "disarm", "outgoing"]

_LATE = {
    "arm": "botwire_opentelemetry.receiving",
    "disarm": "botwire_opentelemetry.receiving",
    "outgoing": "botwire_opentelemetry.sending",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATE[name]), name)
