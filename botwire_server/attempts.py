"""Wrong tokens, counted by address, so that nobody can try one after the other."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from typing import Final

from botwire_core.errors import QuotaExceededError

__all__ = ["WrongTokens"]

_MOST_ADDRESSES: Final = 10_000


class WrongTokens:
    """Lets an address be wrong `burst` times at once, and then once in each `1 / per_second` seconds.

    Only wrong tokens are counted, and only they are answered by it: whoever has a right one never notices.
    """

    def __init__(
        self, burst: int = 20, per_second: float = 1.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._spent: dict[str, tuple[float, float]] = {}

    def count(self, address: str) -> None:
        """Count a wrong token.

        Raises:
            QuotaExceededError: there were too many from there; `retry_after` says when the next is heard.
        """
        now = self._clock()
        who = _network(address)
        spent, since = self._spent.pop(who, (0.0, now))
        spent = max(0.0, spent - (now - since) * self._per_second)
        over = spent + 1 > self._burst
        if len(self._spent) >= _MOST_ADDRESSES:
            # The one that was wrong the longest ago: a dictionary keeps the order in which they were put.
            del self._spent[next(iter(self._spent))]
        self._spent[who] = (spent if over else spent + 1, now)
        if over:
            wait = math.ceil((spent + 1 - self._burst) / self._per_second)
            raise QuotaExceededError(
                "too many wrong tokens came from this address",
                hint="correct the token; BOTWIRE_TOKEN may hold one that was revoked",
                retry_after=max(1.0, wait),
            )


def _network(address: str) -> str:
    """The address, or for IPv6 the /64 that one customer has whole."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
