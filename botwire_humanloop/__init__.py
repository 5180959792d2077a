"""BotWire for Humanloop: in an evaluation every prompt version gets a memory of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botwire_humanloop.evaluations import instrument as instrument
    from botwire_humanloop.prompts import prompt_scope as prompt_scope
    from botwire_humanloop.prompts import scoped as scoped

__all__ = ["instrument", "prompt_scope", "scoped"]

_LATE = {
    "instrument": "botwire_humanloop.evaluations",
    "prompt_scope": "botwire_humanloop.prompts",
    "scoped": "botwire_humanloop.prompts",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATE[name]), name)
