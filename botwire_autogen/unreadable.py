"""What is stored and cannot be read: it is left out, stays stored, and is told of."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import TypeVar

from botwire_core.codec import Value

__all__ = ["UnreadableWarning", "readable"]

R = TypeVar("R")


class UnreadableWarning(UserWarning):
    """Something that is stored is nothing that AutoGen knows, and was left out."""


def readable(records: Iterable[Value], read: Callable[[Value], R | None], things: str) -> list[R]:
    """What stored values stand for, in their order; those for which `read` gives None are left out, with a warning."""
    found: list[R] = []
    unknown = 0
    for record in records:
        one = read(record)
        if one is None:
            unknown += 1
        else:
            found.append(one)
    if unknown:
        warnings.warn(
            f"{unknown} of {unknown + len(found)} stored {things} are of a kind that is not known here, "
            "and were left out",
            UnreadableWarning,
            stacklevel=2,
        )
    return found
