"""One call with its attempts: which failures are tried again, when, and what is known in the end."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Generator
from itertools import count
from typing import Any, Final

import orjson

from botwire_core.errors import (
    BotWireError,
    CommitUnknownError,
    InvalidValueError,
    RequestRunningError,
    StoreUnavailableError,
    TooLargeError,
)
from botwire_core.flows import Wait
from botwire_core.records import record
from botwire_core.stores.http.addresses import Endpoint, Endpoints
from botwire_core.stores.http.exchanges import Answer, Ask, Failed, NoAnswer, NotSent

__all__ = ["ATTEMPTS", "Attempts", "Budget", "Send", "Trying", "members_of"]

ATTEMPTS: Final = 3
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_AGAIN: Final = frozenset({408, 425, 429, 502, 503, 504})
# What a server may say before it looks whether it has seen the request before.
_AT_THE_DOOR: Final = frozenset({401, 403, 413, 415, 421})


@record
class Send:
    """Ask for a request to be sent to a server, and for its whole answer, within so many seconds.

    With `stream`, an answer of 200 is given as soon as it begins.
    """

    ask: Ask
    endpoint: Endpoint
    seconds: float
    stream: bool = False


Trying = Generator[Send | Wait, Any, Any]


class Budget:
    """How many repeats a store may make that come to nothing: ten at once, and one more for every ten calls.

    So a server that is down gets at most 1.1 times the load, however many wait for it. A repeat that helped is given
    back: a line that loses now and then is no server that is down. There is no lock, which a child could inherit
    locked: the operations of a deque and of a counter are atomic.
    """

    def __init__(self, reserve: int = 10, calls_per_repeat: int = 10) -> None:
        self._tokens = deque(range(reserve), maxlen=reserve)
        self._calls = count(1)
        self._calls_per_repeat = calls_per_repeat

    def called(self) -> None:
        """Count a call."""
        if next(self._calls) % self._calls_per_repeat == 0:
            self._tokens.append(0)

    def take(self) -> bool:
        """Whether one more repeat may be made."""
        try:
            self._tokens.pop()
        except IndexError:
            return False
        return True

    def give_back(self, repeats: int) -> None:
        """Return what was taken by a call that came to its end."""
        self._tokens.extend(range(repeats))


class Attempts:
    """How a store tries: `attempts` times within one deadline, at the server that works.

    `clock` gives seconds, `dice` numbers from 0 to 1.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
        budget: Budget | None = None,
    ) -> None:
        self.endpoints = endpoints
        self.clock = clock
        self._dice = dice
        self._budget = budget if budget is not None else Budget()
        self._most = max(ATTEMPTS, len(endpoints.all))

    def ask(self, ask: Ask, deadline: float, stream: bool = False) -> Trying:
        """Send a request until its answer says something for certain, and return that answer.

        Raises:
            StoreUnavailableError: there was no such answer, and nothing was done.
            CommitUnknownError: there was none, and the request may have been done.
            BotWireError: what the last answer said, where it said to come back later.
        """
        self._budget.called()
        unknown = False
        tried = taken = 0
        while True:
            endpoint = self.endpoints.current
            later: float | None = None
            try:
                answer = yield Send(ask, endpoint, max(deadline - self.clock(), 0.001), stream)
                failure = _judge(ask, endpoint, answer) if type(answer) is Answer else None
                if failure is None:
                    if unknown and ask.changes and answer.status in _AT_THE_DOOR:
                        raise _unknown(ask, endpoint, _refused(answer))
                    self._budget.give_back(taken)
                    return answer
            except TooLargeError as error:
                if ask.changes:
                    raise _unknown(ask, endpoint, error) from error
                raise
            except NotSent as error:
                failure = _Failure(error)
                self.endpoints.leave(endpoint)
            except NoAnswer as error:
                failure = _Failure(error, sent=True)
                self.endpoints.leave(endpoint)
            unknown = unknown or failure.sent
            tried += not failure.running
            later = failure.later
            pause = self._pause(tried) if later is None else later + self._pause(0)
            if failure.moved and len(self.endpoints.all) > tried:
                pause = 0.0  # another server was not asked yet
            if (
                tried >= self._most
                or (failure.sent and not ask.repeatable)
                or self.clock() + pause >= deadline
                or not (failure.running or self._budget.take())
            ):
                raise self._outcome(ask, endpoint, failure, unknown)
            taken += not failure.running
            if pause:
                yield Wait(pause)

    def _pause(self, tried: int) -> float:
        # Full jitter: those who failed together do not come back together.
        return self._dice() * min(_FIRST_PAUSE * 2.0**tried, _LONGEST_PAUSE)

    def _outcome(self, ask: Ask, endpoint: Endpoint, failure: _Failure, unknown: bool) -> BotWireError:
        if unknown and ask.changes:
            return _unknown(ask, endpoint, failure.error)
        if isinstance(failure.error, BotWireError) and not isinstance(failure.error, CommitUnknownError):
            return failure.error
        error = StoreUnavailableError(f"{endpoint.shown}: {failure.error}", hint=_hint(failure))
        error.__cause__ = failure.error.__cause__
        return error


@record
class _Failure:
    """An attempt that settled nothing.

    `sent`: it may have been done; `later`: how many seconds the server asked to wait; `running`: an attempt of
    before is still under way.
    """

    error: Exception
    sent: bool = False
    later: float | None = None
    running: bool = False

    @property
    def moved(self) -> bool:
        """Whether the next attempt goes to another server."""
        return isinstance(self.error, Failed)


def _judge(ask: Ask, endpoint: Endpoint, answer: Answer) -> _Failure | None:
    """What is wrong with an answer that settles nothing; None where it is certain. What it made of it is kept in it.

    Raises:
        StoreUnavailableError: it leads elsewhere.
    """
    status = answer.status
    if status == 200 and ask.parse is not None:
        try:
            answer.parsed = ask.parse(answer.body)
        except InvalidValueError as error:
            return _Failure(_stranger(answer, error), sent=True)
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
        return _Failure(NoAnswer(f"answered {status} {kind}, which no BotWire server does"), sent=True)
    from botwire_core.wire.problems import error_from

    told = error_from(status, answer.headers, members)
    later = _seconds(answer.headers.get("retry-after"))
    if isinstance(told, RequestRunningError):
        return _Failure(told, sent=True, later=later, running=True)
    if isinstance(told, CommitUnknownError):
        return _Failure(told, sent=True, later=later)
    return _Failure(told, later=later) if status in _AGAIN else None


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


def _refused(answer: Answer) -> Failed:
    return NoAnswer(f"answered {answer.status} after an attempt that may have been done")


def _unknown(ask: Ask, endpoint: Endpoint, why: Exception) -> CommitUnknownError:
    error = CommitUnknownError(
        f"{endpoint.shown}: {getattr(why, 'message', why)}: the write may or may not have been done",
        hint="read what stands there before it is written again",
    )
    error.__cause__ = why if isinstance(why, BotWireError) else why.__cause__
    return error


def _hint(failure: _Failure) -> str:
    if failure.sent:
        return "nothing was changed; try again later"
    return "nothing was done; is the server running, and is this its URL?"
