"""BotWire for MLflow: in an evaluation every prompt version gets a memory of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botwire_mlflow.evaluations import evaluate as evaluate
    from botwire_mlflow.prompts import load_prompt as load_prompt

__all__ = ["evaluate", "load_prompt"]

_LATE = {"evaluate": "botwire_mlflow.evaluations", "load_prompt": "botwire_mlflow.prompts"}


def __getattr__(name: str) -> Any:
    # Loads MLflow, which takes seconds: only for who asks.
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATE[name]), name)
