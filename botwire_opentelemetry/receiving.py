"""The scope that came with a request, in OpenTelemetry's baggage."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from botwire_core.errors import InvalidValueError, MissingExtraError
from botwire_core.scopes import Scope
from botwire_core.scopes import current as providers

__all__ = ["MEMBERS", "arm", "current_scope", "disarm"]

MEMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "botwire.variant": "variant",
        "botwire.run": "run_id",
        "botwire.datapoint": "datapoint_id",
        "botwire.trial": "trial",
        "botwire.experiment": "experiment",
    }
)
"""The names in the baggage, and the members of a `Scope` that they stand for: ids, and nothing else."""


def arm() -> None:
    """Let memories of this process work in the scope that the current baggage names, where nobody else tells one.

    It is asked after `scope` blocks and after every other provider. Whoever can send a request chooses the scope then,
    so it is for services behind a boundary at which baggage from outside is dropped. Doing it twice does no harm.

    Raises:
        MissingExtraError: OpenTelemetry is not installed.
    """
    try:
        import opentelemetry.baggage  # noqa: F401 - `current_scope` looks for it, and loads nothing
    except ModuleNotFoundError as error:
        raise MissingExtraError("arm() needs opentelemetry-api: pip install 'botwire[opentelemetry]'") from error
    providers.arm(current_scope, last=True)


def disarm() -> None:
    """Do not look into the baggage any more."""
    providers.disarm(current_scope)


def current_scope() -> Scope | None:
    """Give the scope that the current baggage names, or None where it names nothing of ours.

    Raises:
        InvalidValueError: what it names is no id; the memory itself must not be used in its place.
    """
    baggage = sys.modules.get("opentelemetry.baggage")
    if baggage is None:
        return None
    found = baggage.get_all()
    if not found or not any(name in found for name in MEMBERS):
        return None
    return _scope(*(found.get(name) for name in MEMBERS))


# The same object for the same ids: a memory finds its fork by it at each operation.
@lru_cache(maxsize=4096)
def _scope(*values: object) -> Scope:
    ids = dict(zip(MEMBERS.values(), values, strict=True))
    return Scope(**{**ids, "trial": _number(ids["trial"])}, source="opentelemetry")  # type: ignore[arg-type]  # checked


def _number(trial: object) -> int | None:
    if trial is None:
        return None
    if isinstance(trial, str) and trial.isascii() and trial.isdigit() and len(trial) < 10:
        return int(trial)
    raise InvalidValueError(
        f"botwire.trial: {str(trial)[:40]!r} is not a number", hint="send the digits of a number below 10**9"
    )
