"""One call with its attempts: which failures are tried again, when, and what is known in the end."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Generator
from itertools import count
from typing import Any, Final

from botwire_core.errors import (
    BotWireError,
    CommitUnknownError,
    StoreUnavailableError,
    TooLargeError,
)
from botwire_core.flows import Wait
from botwire_core.records import record
from botwire_core.stores.http.addresses import Endpoint, Endpoints
from botwire_core.stores.http.exchanges import Answer, Ask, Failed, NoAnswer, NotSent
from botwire_core.stores.http.judging import Failure, judge

__all__ = ["ATTEMPTS", "Attempts", "Budget", "Send", "Trying"]

ATTEMPTS: Final = 3
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
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
                failure = judge(ask, endpoint, answer) if type(answer) is Answer else None
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
                failure = Failure(error)
            except NoAnswer as error:
                failure = Failure(error, sent=True)
            if failure.moved:
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

    def _outcome(self, ask: Ask, endpoint: Endpoint, failure: Failure, unknown: bool) -> BotWireError:
        if unknown and ask.changes:
            return _unknown(ask, endpoint, failure.error)
        if isinstance(failure.error, BotWireError) and not isinstance(failure.error, CommitUnknownError):
            return failure.error
        error = StoreUnavailableError(f"{endpoint.shown}: {failure.error}", hint=_hint(failure))
        error.__cause__ = failure.error.__cause__
        return error


def _refused(answer: Answer) -> Failed:
    return NoAnswer(f"answered {answer.status} after an attempt that may have been done")


def _unknown(ask: Ask, endpoint: Endpoint, why: Exception) -> CommitUnknownError:
    error = CommitUnknownError(
        f"{endpoint.shown}: {getattr(why, 'message', why)}: the write may or may not have been done",
        hint="read what stands there before it is written again",
    )
    error.__cause__ = why if isinstance(why, BotWireError) else why.__cause__
    return error


def _hint(failure: Failure) -> str:
    if failure.sent:
        return "nothing was changed; try again later"
    return "nothing was done; is the server running, and is this its URL?"
