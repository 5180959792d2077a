"""What the SDK tells the thread in which it evaluates a datapoint.

It keeps an object in OpenTelemetry's context, under a key that holds the number of the thread. The object is found
by its shape among the values: so it is found in tasks and threads to which the context was carried, too, and none
of the SDK's own names is needed.
"""

from __future__ import annotations

import sys
from typing import Any

from botwire_core.records import record

__all__ = ["EvaluationContext", "evaluation_context", "text_or_none"]


@record
class EvaluationContext:
    """The ids of a datapoint under evaluation; None for what the SDK does not tell."""

    run_id: str
    datapoint_id: str | None
    file_id: str | None
    path: str | None


def evaluation_context() -> EvaluationContext | None:
    """Give the ids of the datapoint that the SDK evaluates here, or None; loads nothing."""
    opentelemetry = sys.modules.get("opentelemetry.context")
    if opentelemetry is None:
        return None
    found: Any = None
    for value in opentelemetry.get_current().values():
        # The last one: a thread to which a context was carried may have set one of its own.
        if hasattr(value, "source_datapoint_id") and text_or_none(getattr(value, "run_id", None)):
            found = value
    if found is None:
        return None
    return EvaluationContext(
        found.run_id,
        text_or_none(found.source_datapoint_id),
        text_or_none(getattr(found, "file_id", None)),
        text_or_none(getattr(found, "path", None)),
    )


def text_or_none(value: object) -> str | None:
    """An id that can be used, or None: what comes from an SDK can be anything."""
    return value if isinstance(value, str) and value else None
