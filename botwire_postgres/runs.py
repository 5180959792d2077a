"""An op on its way, with all that is tried again, and where that is known."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from botwire_core.records import field, record
from botwire_core.stores.rows import Row
from botwire_postgres.beside_loop import AsyncColour
from botwire_postgres.colours import Colour

__all__ = ["Run", "beside_loop", "running"]


@record(frozen=False)
class Run:
    """One op on its way, with all that is tried again."""

    database: object
    outer: Run | None
    colour: Colour
    deadline: float
    """By the monotonic clock."""
    link: Any = None
    """The connection of its transaction, while it has one."""
    writes: bool = False
    grouped: bool = False
    committing: bool = False
    """Whether something is under way that, once it is sent, may be done without an answer."""
    locked: set[str] = field(default_factory=set)
    """The names whose records are locked until the transaction ends."""
    places: dict[tuple[int, int], int] = field(default_factory=dict)
    """The next free place of each revision, by space, that the transaction has written rows of."""
    wanted: tuple[str, ...] = ()
    """The keys that a write of many is going to ask for."""
    written: Row | None = None
    """What was written last, maybe without its value."""


running: Final[ContextVar[Run | None]] = ContextVar("running", default=None)
"""The innermost op that runs here; it may be one of another database, around which one of ours runs."""
beside_loop: Final[ContextVar[AsyncColour | None]] = ContextVar("beside_loop", default=None)
"""The connections of the event loop beside which ops run here."""
