"""What BotWire offers to Langfuse, and how a scope is told to who did nothing for it; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, Scope, hookimpl
from botwire_langfuse.items import item_here

__all__ = ["botwire_adapters", "botwire_current_scope"]


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """What runs an experiment of Langfuse's SDK."""
    return [
        AdapterSpec(
            "langfuse",
            provides={"run_experiment": "botwire_langfuse.experiments:run_experiment"},
            needs="langfuse",
            install="botwire[langfuse]",
        )
    ]


@hookimpl
def botwire_current_scope() -> Scope | None:
    """The item of the experiment that Langfuse runs here; its task and its evaluators share one."""
    return item_here()
