"""How one talks to a server of the first BotWire's shape: its paths, what it answers, and what it has not."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from botwire_core.errors import (
    BotWireError,
    InvalidKeyError,
    InvalidNamespaceError,
    StoreUnavailableError,
    UnsupportedError,
)
from botwire_core.names import check_key, check_namespace
from botwire_core.stores.http.exchanges import Answer, Ask

__all__ = [
    "PROBE",
    "check_done",
    "is_absent",
    "is_first_service",
    "is_possible_prefix",
    "path_of",
    "reply_of",
    "stranger",
    "without",
]

_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HINT: Final = "run `botwire serve`, which has it, and bring the namespace there: botwire import --from URL NAMESPACE"


PROBE: Final = Ask("GET", "/memory/botwire")
"""Tells a server of the first one's shape from anything else that has no /v1; `is_first_service` reads the answer."""


def is_first_service(answer: Answer) -> bool:
    """Whether what answered `PROBE` has the routes of the first service."""
    members = _members(answer)
    return members is not None and ("keys" in members if answer.status == 200 else "detail" in members)


def path_of(namespace: str, key: str | None = None) -> str:
    """The path of a namespace or of a key in it, which needs no escapes.

    Raises:
        InvalidNamespaceError: that service has no such namespaces.
        InvalidKeyError: it has no such keys.
    """
    if not _NAMESPACE.fullmatch(check_namespace(namespace)):
        raise InvalidNamespaceError(
            f"{namespace!r} is no namespace of the first BotWire service, which is what answers at this URL",
            hint="there it is 1 to 64 of A-Z a-z 0-9 _ -; `botwire serve` takes every name",
        )
    if key is None:
        return f"/memory/{namespace}"
    # A dot alone, or two, are taken for steps in the path and never reach it.
    if not _KEY.fullmatch(check_key(key)) or key in (".", ".."):
        raise InvalidKeyError(
            f"{ascii(key)[:80]} is no key of the first BotWire service, which is what answers at this URL",
            hint="there it is 1 to 128 of A-Z a-z 0-9 _ . -; `botwire serve` takes every key",
        )
    return f"/memory/{namespace}/{key}"


def is_possible_prefix(prefix: str) -> bool:
    """Whether a key of that service can start with it."""
    return not prefix or _KEY.fullmatch(prefix) is not None


def is_absent(answer: Answer) -> bool:
    """Whether the service says that there is no such key.

    Raises:
        StoreUnavailableError: somebody else says so.
    """
    if answer.status != 404:
        return False
    if "detail" not in (_members(answer) or {}):
        raise stranger()
    return True


def reply_of(answer: Answer) -> dict[str, Any]:
    """The members of the JSON that came back.

    Raises:
        BotWireError: the service refused the request, or it is not the service that answered.
    """
    check_done(answer)
    members = _members(answer)
    if members is None:
        raise stranger()
    return members


def check_done(answer: Answer) -> None:
    """Raise what the service answered, where it did not do what was asked."""
    if not 200 <= answer.status < 300:
        raise _error(answer)


def _members(answer: Answer) -> dict[str, Any] | None:
    try:
        members = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _error(answer: Answer) -> BotWireError:
    from botwire_core.wire.problems import error_from

    return error_from(answer.status, answer.headers, _members(answer))


def stranger() -> StoreUnavailableError:
    """The error for an answer that no BotWire service gives."""
    return StoreUnavailableError("what answers at this URL is no BotWire server", hint="check the URL")


def without(feature: str) -> UnsupportedError:
    """The error for what that service has not; `feature` follows "no"."""
    return UnsupportedError(
        f"what answers at this URL is the first BotWire service, which has no {feature}", hint=_HINT
    )
