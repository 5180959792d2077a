"""Scorers of MLflow that judge each row in the place in which it was answered."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from mlflow.genai.scorers import Scorer

from botwire_core.records import replace
from botwire_core.scopes import Scope
from botwire_core.scopes.evaluations import Evaluation, id_of_inputs

__all__ = ["in_place"]


def in_place(scorers: Sequence[Any], evaluation: Evaluation, run: Scope) -> list[Any]:
    """The scorers, each in the place of the row that it judges, or of the run where it judges a session.

    They are copies: the user's own stay as they are. What is no scorer is left to MLflow, which refuses it.
    """

    def place_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope:
        inputs = kwargs.get("inputs")
        return run if inputs is None else replace(run, datapoint_id=id_of_inputs(inputs))

    placed = []
    for scorer in scorers:
        if isinstance(scorer, Scorer):
            bound = evaluation.bound(scorer.run, place_of)
            scorer = copy.copy(scorer)
            object.__setattr__(scorer, "run", bound)  # pydantic takes only fields by the plain way
        placed.append(scorer)
    return placed
