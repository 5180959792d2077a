"""Where the first BotWire registered agents: says what became of that."""

from __future__ import annotations

from typing import Any

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    from botwire.former import former

    return former(__name__, name)
