"""The errors of BotWire, where the first one had them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botwire_core import errors

if TYPE_CHECKING:
    from botwire_core.errors import *  # noqa: F403  # named by __all__ of that module, which a test compares

__all__ = errors.__all__


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(errors, name)
    from botwire.former import former

    return former(__name__, name)
