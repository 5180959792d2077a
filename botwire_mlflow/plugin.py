"""What BotWire offers to MLflow; safe to import without it."""

from __future__ import annotations

from collections.abc import Iterable

from botwire_core.hookspecs import AdapterSpec, hookimpl

__all__ = ["botwire_adapters"]

# There is no hook for the scope: MLflow calls functions in threads that know neither run nor row, so they have to be
# bound before it gets them.


@hookimpl
def botwire_adapters() -> Iterable[AdapterSpec]:
    """What evaluates with MLflow, and what loads a prompt in the version that is evaluated."""
    return [
        AdapterSpec(
            "mlflow",
            provides={
                "evaluate": "botwire_mlflow.evaluations:evaluate",
                "load_prompt": "botwire_mlflow.prompts:load_prompt",
            },
            needs="mlflow",
            install="botwire[mlflow]",
        )
    ]
