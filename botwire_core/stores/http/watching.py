"""Changes as a server tells them: what is there by asking, what comes then by server-sent events.

A line that breaks loses nothing: what was told up to is known, and asked on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final
from urllib.parse import urlencode

from botwire_core.errors import BotWireError
from botwire_core.flows import Give, Wait
from botwire_core.protocol import ListChanges
from botwire_core.records import replace
from botwire_core.results import ChangePage
from botwire_core.stores.http.driving import Close, HttpFlow, Receive
from botwire_core.stores.http.exchanges import Answer, Ask, NoAnswer
from botwire_core.stores.http.lines import EventReader
from botwire_core.stores.http.native import refused
from botwire_core.stores.http.retrying import Attempts
from botwire_core.wire.results import result_from_json
from botwire_core.wire.text import parse

__all__ = ["changes_by_events"]

_SILENCE: Final = 30.0
"""Seconds without even a sign of life, after which the line counts as broken."""
_PAUSE: Final = 0.1
"""Seconds between two lines, and between two looks at a server that has no events."""

AskOp = Callable[[ListChanges], Generator[Any, Any, ChangePage]]


def changes_by_events(
    ask: AskOp, attempts: Attempts, op: ListChanges, wait: float | None, timeout: float
) -> HttpFlow[None]:
    """Give the pages of changes after `op.since`, none of them empty, and end after `wait` seconds without one."""
    clock = attempts.clock
    last = clock()
    while True:
        page = yield from ask(op)
        told, op = op.since, replace(op, since=page.revision)
        if page.changes:
            last = clock()
            yield Give([page])
            continue
        if page.revision != told:
            continue  # it looked so far and found nothing that was asked for
        if wait is not None and clock() >= last + wait:
            return
        incoming = yield from _connected(attempts, op, clock() + timeout)
        if incoming is not None:
            op, last = yield from _events(incoming, op, last, wait, clock)
        pause = _PAUSE if wait is None else min(_PAUSE, max(0.0, last + wait - clock()))
        yield Wait(pause)


def _connected(attempts: Attempts, op: ListChanges, deadline: float) -> Generator[Any, Any, Any]:
    """The events of a server as they begin; None where it has none."""
    query = urlencode({"namespace": op.namespace, "prefix": op.prefix, "since": op.since})
    headers = (("Accept", "text/event-stream"), ("Last-Event-ID", str(op.since)))
    incoming = yield from attempts.ask(Ask("GET", f"/v1/watch?{query}", headers=headers), deadline, stream=True)
    if isinstance(incoming, Answer):
        if incoming.status in (404, 405, 501):
            return None
        raise refused(incoming, True)
    if "text/event-stream" not in incoming.headers.get("content-type", ""):
        yield Close(incoming)
        return None
    return incoming


def _events(
    incoming: Any, op: ListChanges, last: float, wait: float | None, clock: Callable[[], float]
) -> Generator[Any, Any, tuple[ListChanges, float]]:
    """Give the pages of one line until it breaks or the time is up; returns how far it told, and when."""
    reader = EventReader()
    try:
        while True:
            left = _SILENCE if wait is None else min(_SILENCE, last + wait - clock())
            if left <= 0:
                return op, last
            try:
                piece = yield Receive(incoming, left)
            except NoAnswer:
                return op, last
            if not piece:
                return op, last
            for event in reader.feed(piece):
                page = _page(event.data) if event.name == "changes" else None
                if page is None:
                    return op, last  # what it is, is told to whoever asks
                op = replace(op, since=page.revision)
                if page.changes:
                    last = clock()
                    yield Give([page])
    finally:
        yield Close(incoming)


def _page(data: bytes) -> ChangePage | None:
    try:
        page: ChangePage = result_from_json(ListChanges, parse(data))
    except BotWireError:
        return None
    return page
