"""The languages that servers speak: which one it is, shows at the first answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from botwire_core.protocol import Op
from botwire_core.records import record
from botwire_core.stores.http import native
from botwire_core.stores.http.exchanges import Exchange

__all__ = ["NATIVE", "UNKNOWN", "Dialect", "first_service"]


@record
class Dialect:
    """How ops become requests, and which features there are.

    `exchange` gives the requests of an op as a generator, which is sent the answers and returns the op's result.
    """

    name: str
    features: frozenset[str]
    exchange: Callable[[Op[Any]], Exchange[Any]]


UNKNOWN: Final = Dialect("not known yet", frozenset({"history"}), native.exchange)
"""What is spoken first. Only our own server has the route that it uses, and so it shows who answers."""
NATIVE: Final = Dialect("BotWire", frozenset({"history"}), native.quick_exchange)


def first_service() -> Dialect:
    """The dialect of the first BotWire service, which is loaded only where such a server was met."""
    from botwire_core.stores.http import first_service as first

    return Dialect("first service", frozenset(), first.exchange)
