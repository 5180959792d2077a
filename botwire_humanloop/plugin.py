"""What BotWire offers to Humanloop, and how a scope is told to who did nothing for it; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, Scope, hookimpl
from botwire_humanloop.contexts import evaluation_context
from botwire_humanloop.known_runs import place_in_run

__all__ = ["botwire_adapters", "botwire_current_scope"]


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """What wraps a client of Humanloop's SDK."""
    return [
        AdapterSpec(
            "humanloop",
            provides={
                "instrument": "botwire_humanloop.evaluations:instrument",
                "prompt_scope": "botwire_humanloop.prompts:prompt_scope",
                "scoped": "botwire_humanloop.prompts:scoped",
            },
            needs="humanloop",
            install="botwire[humanloop]",
        )
    ]


@hookimpl
def botwire_current_scope() -> Scope | None:
    """The datapoint that the SDK evaluates here, for callables that no instrumented client has bound.

    Without `instrument` the prompt version is not known, so memory is isolated by the run.
    """
    context = evaluation_context()
    if context is None:
        return None
    return place_in_run(context.run_id, context.datapoint_id, context.file_id, context.path)
