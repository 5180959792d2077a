"""BotWire for Langfuse: in an experiment every prompt version gets a memory of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botwire_langfuse.experiments import run_experiment as run_experiment

__all__ = ["run_experiment"]


def __getattr__(name: str) -> Any:
    if name == "run_experiment":
        from botwire_langfuse import experiments

        return experiments.run_experiment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
