"""The scope of this code, put into the baggage that goes with its requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator

from botwire_core.errors import ScopeError
from botwire_core.scopes import Scope
from botwire_core.scopes.current import current_scope
from botwire_opentelemetry.receiving import MEMBERS

__all__ = ["outgoing"]


@contextmanager
def outgoing(place: Scope | None = None) -> Iterator[None]:
    """Let the baggage name the scope of this code, so that calls to other services in this block carry it along.

    It names ids only. Where there is no scope, or scopes are switched off, it names none, whatever came in; other
    members of the baggage stay.

    Args:
        place: A scope to name in place of the current one.

    Raises:
        ScopeError: an id would not arrive as it is; the other service would work on another memory.
    """
    place = place if place is not None else current_scope()
    given = {name: getattr(place, member, None) for name, member in MEMBERS.items()}
    wanted = {name: str(value) for name, value in given.items() if value is not None}
    there = context.get_current()
    for name in MEMBERS:
        there = baggage.remove_baggage(name, there)
    for name, value in wanted.items():
        there = baggage.set_baggage(name, value, there)
    _check_arrival(wanted, there)
    token = context.attach(there)
    try:
        yield
    finally:
        context.detach(token)


def _check_arrival(wanted: dict[str, str], there: context.Context) -> None:
    # Propagators drop what is too long for a header, and strip blanks, with a line in a log at most.
    carrier: dict[str, str] = {}
    propagator = W3CBaggagePropagator()
    propagator.inject(carrier, there)
    arrived = baggage.get_all(propagator.extract(carrier, context.Context()))
    lost = sorted(name for name, value in wanted.items() if arrived.get(name) != value)
    if lost:
        raise ScopeError(
            f"{', '.join(lost)} would not arrive as it is in a header of baggage",
            hint="use shorter ids without blanks at their ends, or carry less in the baggage",
        )
