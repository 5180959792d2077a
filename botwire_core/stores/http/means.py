"""What a store over HTTP works with beside the network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from botwire_core.records import field, record

if TYPE_CHECKING:
    from botwire_core.stores.http.transport import HttpClient

__all__ = ["Means"]


@record
class Means:
    """The token, the user's clients, and what a test turns by hand: `clock`, `dice` and the two sleeps.

    None leaves the choice to whoever uses it.
    """

    timeout: float
    token: str | None = field(default_factory=lambda: None, repr=False)
    http_client: HttpClient | None = None
    trust_env: bool = True
    clock: Callable[[], float] | None = None
    dice: Callable[[], float] | None = None
    sleep: Callable[[float], object] | None = None
    asleep: Callable[[float], Awaitable[object]] | None = None
