"""What an answer settles: something for certain, nothing at all, or that one has to ask again."""

from __future__ import annotations

from typing import Any, Final

import orjson

from botwire_core.errors import (
    CommitUnknownError,
    InvalidValueError,
    QuotaExceededError,
    RequestRunningError,
    StoreUnavailableError,
)
from botwire_core.records import record
from botwire_core.stores.http.addresses import Endpoint
from botwire_core.stores.http.exchanges import Answer, Ask, Failed, NoAnswer
from botwire_core.wire.problems import error_from

__all__ = ["Failure", "judge", "members_of"]

_AGAIN: Final = frozenset({408, 425, 429, 502, 503, 504})
_GATEWAY: Final = frozenset({500, 502, 503, 504})


@record
class Failure:
    """An attempt that settled nothing.

    `sent`: it may have been done; `later`: how many seconds the server asked to wait; `running`: an attempt of
    before is still under way; `elsewhere`: another server may be able to do it.
    """

    error: Exception
    sent: bool = False
    later: float | None = None
    running: bool = False
    elsewhere: bool = False

    @property
    def moved(self) -> bool:
        """Whether the next attempt goes to another server."""
        return self.elsewhere or isinstance(self.error, Failed)


def judge(ask: Ask, endpoint: Endpoint, answer: Answer) -> Failure | None:
    """What is wrong with an answer that settles nothing; None where it is certain. What it made of it is kept in it.

    Raises:
        StoreUnavailableError: it leads elsewhere.
    """
    status = answer.status
    if status == 200 and ask.parse is not None:
        try:
            answer.parsed = ask.parse(answer.body)
        except InvalidValueError as error:
            return Failure(_stranger(answer, error), sent=True)
        return None
    if status < 300:
        return None
    if status < 400:
        # Followed, the token and what is kept would go to whoever the answer names.
        raise StoreUnavailableError(
            f"{endpoint.shown}: answered {status}, a redirect, which is not followed",
            hint="use the URL of the server itself, and https where it asks for it",
        )
    if (status < 500 or status == 501) and status not in _AGAIN and status != 409:
        return None
    members = members_of(answer)
    if members is None:
        if status == 409:
            return None
        kind = answer.headers.get("content-type", "without a type")
        return Failure(NoAnswer(f"answered {status} {kind}, which no BotWire server does"), sent=True)
    later = _seconds(answer.headers.get("retry-after"))
    if status in _GATEWAY and type(members.get("code")) is not str:
        # Not one of ours, which all have a code: a gateway says this also where it gave up waiting for the server.
        return Failure(NoAnswer(f"answered {status}, and not in the words of a BotWire server"), sent=True, later=later)
    told = error_from(status, answer.headers, members)
    if isinstance(told, RequestRunningError):
        return Failure(told, sent=True, later=later, running=True)
    # It cannot reach its database, has too much to do, or is about to end.
    elsewhere = status in _GATEWAY
    if isinstance(told, CommitUnknownError):
        return Failure(told, sent=True, later=later, elsewhere=elsewhere)
    if isinstance(told, QuotaExceededError) and told.quota and later is None:
        return None  # time brings no more of it
    return Failure(told, later=later, elsewhere=elsewhere) if status in _AGAIN else None


def members_of(answer: Answer) -> dict[str, Any] | None:
    """The members of a JSON object that came as an answer; None where it is no such thing."""
    if "json" not in answer.headers.get("content-type", ""):
        return None
    try:
        members = orjson.loads(answer.body)
    except ValueError:
        return None
    return members if type(members) is dict else None


def _seconds(header: str | None) -> float | None:
    """The seconds of a Retry-After header; None where there is none, or it is a date, which our server never sends."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None


def _stranger(answer: Answer, error: InvalidValueError) -> NoAnswer:
    kind = answer.headers.get("content-type", "without a type")
    failed = NoAnswer(f"answered {answer.status} {kind}, which is not what a BotWire server says")
    failed.__cause__ = error
    return failed
