"""What a namespace may take: writes by day, bytes, forks, and the size of a value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from botwire_core.codec import MAX_VALUE_BYTES, Payload, encode
from botwire_core.errors import InvalidValueError, TooLargeError
from botwire_core.protocol import Append, Op, Set, SetMany, Transact
from botwire_core.records import record, replace

if TYPE_CHECKING:
    from botwire_core.results import Record
    from botwire_core.service import Quota, Usage

__all__ = ["PLANS", "Plan", "check_sizes", "plan_of", "rate_limit_headers", "records_within"]


@record
class Plan:
    """Limits of every root namespace together with its forks; None is no limit.

    `writes_per_day` counts entries written since midnight UTC, `bytes` those of stored values, `value_bytes` those
    of one value.
    """

    writes_per_day: int | None = None
    bytes: int | None = None
    forks: int | None = None
    value_bytes: int = MAX_VALUE_BYTES

    def quota(self) -> Quota | None:
        """The limits that the store keeps count of; None where there is none."""
        if self.writes_per_day is None and self.bytes is None and self.forks is None:
            return None
        from botwire_core.service import Quota

        return Quota(self.writes_per_day, self.bytes, self.forks)


PLANS: Final = {"none": Plan(), "free": Plan(1_000, 50_000_000, 100, 1_048_576)}
"""The plans that `--plan` names."""


def plan_of(name: str = "none", **limits: int | None) -> Plan:
    """The plan of that name, with the limits that are given in place of its own; 0 takes a limit away.

    Raises:
        InvalidValueError: there is no such plan or limit, or a limit is negative.
    """
    if name not in PLANS:
        raise InvalidValueError(f"there is no plan {ascii(name)[:80]}", hint=f"use one of {', '.join(PLANS)}")
    given = {limit: number for limit, number in limits.items() if number is not None}
    for limit, number in given.items():
        if limit not in Plan.__match_args__ or type(number) is not int or number < 0:
            raise InvalidValueError(f"{limit}: {ascii(number)[:80]} is no limit", hint="use 0 for none")
    changed: dict[str, int | None] = {limit: number or None for limit, number in given.items()}
    if "value_bytes" in changed:
        changed["value_bytes"] = min(changed["value_bytes"] or MAX_VALUE_BYTES, MAX_VALUE_BYTES)
    return replace(PLANS[name], **changed)


def check_sizes(plan: Plan, op: Op[Any]) -> None:
    """Let an op pass if each of its values is within the plan.

    Raises:
        TooLargeError: one is not.
    """
    if plan.value_bytes >= MAX_VALUE_BYTES:
        return  # the store looks itself
    for payload in _payloads(op):
        _check(plan, payload)


def records_within(plan: Plan, records: Iterable[Record]) -> Iterator[Record]:
    """Give records on as they come, if the value of each is within the plan.

    Raises:
        TooLargeError: that of one is not.
    """
    if plan.value_bytes >= MAX_VALUE_BYTES:
        yield from records
        return
    for one in records:
        _check(plan, encode(one.value))
        yield one


def rate_limit_headers(plan: Plan, usage: Usage | None) -> list[tuple[bytes, bytes]]:
    """The `RateLimit-*` headers of a reply: writes a day, how many are left, and seconds until midnight UTC.

    None of them where the plan does not limit writes, or the reply does not say what was used.
    """
    if plan.writes_per_day is None or usage is None:
        return []
    left = max(0, plan.writes_per_day - usage.writes_today)
    return [
        (b"ratelimit-limit", b"%d" % plan.writes_per_day),
        (b"ratelimit-remaining", b"%d" % left),
        (b"ratelimit-reset", b"%d" % math.ceil(usage.resets_in)),
    ]


def _check(plan: Plan, payload: Payload) -> None:
    if len(payload.data) > plan.value_bytes:
        raise TooLargeError(
            f"value: {len(payload.data):,} bytes, the limit of this server is {plan.value_bytes:,}",
            hint="split it over several keys",
        )


def _payloads(op: Any) -> Iterator[Payload]:
    match op:
        case Set():
            yield op.payload
        case SetMany():
            yield from (payload for _, payload in op.items)
        case Append():
            yield from op.payloads
        case Transact():
            for step in op.steps:
                yield from _payloads(step)
