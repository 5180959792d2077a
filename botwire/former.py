"""Names that BotWire 0.2 had and this one has not: what became of each, told where it is asked for."""

from __future__ import annotations

from typing import Any, Final

from botwire_core.errors import QuotaExceededError, UnsupportedError

__all__ = ["FORMER_ALIASES", "FORMER_NAMES", "RemovedError", "former"]


class RemovedError(UnsupportedError, ImportError):
    """BotWire 0.2 had this, and this version does not; the hint says what to use."""


_GONE: Final = "agents no longer post to channels of a service"
_USE: Final = (
    'post with Memory("team").append("log", entry), receive with read("log") or watch("log/"); '
    "see docs/how-to/come-from-0.2.1.md"
)
_ERROR_GONE: Final = "only channels raised it, and they are gone"
_DROP_CLAUSE: Final = "leave out the except clause; every error of BotWire is a BotWireError"

FORMER_NAMES: Final = {
    "Channel": (_GONE, _USE),
    "register": (
        "memory needs no registration, no agent id and no accepted terms",
        "leave out the call; a server may ask for a token, which Memory(token=) or BOTWIRE_TOKEN gives",
    ),
    "ensure_registered": ("memory needs no registration", "leave out the call"),
    "RegistrationRequired": ("nothing asks for a registration any more", _DROP_CLAUSE),
    "ChannelNotFound": (_ERROR_GONE, _DROP_CLAUSE),
    "InvalidType": (_ERROR_GONE, _DROP_CLAUSE),
    "PaymentRequired": (_ERROR_GONE, _DROP_CLAUSE),
    "PostFailed": (_ERROR_GONE, _DROP_CLAUSE),
}
"""What became of a name, and what to do."""

FORMER_ALIASES: Final = {"RateLimited": QuotaExceededError}
"""What stands for the same under another name; both have `retry_after`."""


def former(module: str, name: str) -> Any:
    """What a name of BotWire 0.2 stands for now.

    Raises:
        RemovedError: it has been taken away.
        AttributeError: there never was such a name.
    """
    if name in FORMER_ALIASES:
        return FORMER_ALIASES[name]
    if name in FORMER_NAMES:
        reason, hint = FORMER_NAMES[name]
        raise RemovedError(f"{name} was a part of BotWire 0.2 and is gone: {reason}", hint=hint)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
