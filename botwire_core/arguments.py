"""The checks of numbers that callers pass: seconds, versions, limits."""

from __future__ import annotations

from typing import Final

from botwire_core.errors import InvalidValueError

__all__ = ["MAX_TTL_SECONDS", "check_limit", "check_ttl", "check_version"]

MAX_TTL_SECONDS: Final = 10 * 366 * 86400.0
"""Ten years: what is meant to last longer has no expiry."""
_ALL: Final = 2**61
"""More than any store holds, and the sum of two of them (an offset and a limit) is an index to Python and to SQL."""


def check_ttl(ttl: object) -> float | None:
    """Return the seconds until something expires, or None for never.

    Raises:
        InvalidValueError: it is not a finite number above 0 and of at most ten years.
    """
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not ttl > 0:
        raise InvalidValueError(f"ttl: {_shown(ttl)} is not a number of seconds above 0", hint="use None for no expiry")
    if ttl > MAX_TTL_SECONDS:
        raise InvalidValueError(f"ttl: {_shown(ttl)} seconds are more than ten years", hint="use None for no expiry")
    return float(ttl)


def check_version(version: object, name: str = "if_version") -> int | None:
    """Return a version, 0 for "must not exist", or None for no condition.

    Raises:
        InvalidValueError: it is not an integer of at least 0.
    """
    if version is None or (type(version) is int and version >= 0):
        return version
    raise InvalidValueError(
        f"{name}: {version!r} is not a version", hint="use an integer, 0 for a key that must not exist"
    )


def check_limit(limit: object, name: str = "limit") -> int | None:
    """Return how many things are asked for, or None for all; what is beyond any store comes down to 2 ** 61.

    Raises:
        InvalidValueError: it is not an integer of at least 0.
    """
    if limit is None:
        return None
    if type(limit) is int and limit >= 0:
        return min(limit, _ALL)
    raise InvalidValueError(f"{name}: {limit!r} is not an integer of at least 0", hint="use None for all")


def _shown(number: object) -> str:
    # The repr of an integer of more than 4,300 digits is an error of its own.
    return "an integer of that size" if isinstance(number, int) and abs(number) > 10**18 else repr(number)
