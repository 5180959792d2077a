"""`Memory`, where the first BotWire had it."""

from __future__ import annotations

from botwire_core.memory import Memory

__all__ = ["Memory"]
