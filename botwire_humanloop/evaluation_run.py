"""One call of `evaluations.run`: which run it is, and where in it each call of a function belongs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final
from uuid import uuid4

from botwire_core.records import replace
from botwire_core.scopes import Scope
from botwire_core.scopes.evaluations import Evaluation, id_of_inputs
from botwire_humanloop.contexts import evaluation_context, text_or_none
from botwire_humanloop.known_runs import SOURCE, remember_run

__all__ = ["EvaluationRun", "run_here"]

run_here: Final[ContextVar[EvaluationRun | None]] = ContextVar("botwire_humanloop_run", default=None)
"""The run that this thread is about to make, or waits for."""


class EvaluationRun:
    """What becomes known, while one call of `evaluations.run` goes on, of the run that it makes."""

    def __init__(self, evaluation: Evaluation, path: str | None) -> None:
        self._evaluation = evaluation
        self._path = path
        self._shared: Scope | None = None
        self._points: dict[str, set[str]] = {}
        """By what stands for the inputs, the datapoints that have them."""
        # Guards the two above; reentered by nobody.
        self._lock = threading.Lock()

    def begin(self, run: Scope) -> Scope:
        """Give what all datapoints share; the first who knows a run decides which it is."""
        with self._lock:
            if self._shared is None:
                run = replace(run, prompt_path=run.prompt_path or self._path, source=SOURCE)
                self._shared = self._evaluation.begin(run)
                if run.run_id is not None:
                    remember_run(run.run_id, self._shared)
            return self._shared

    def place_of_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope:
        """Where a call of the evaluated function belongs: to the datapoint that the SDK calls it with."""
        context = evaluation_context()
        point = context.datapoint_id if context is not None else None
        if point is None:
            point = id_of_inputs(kwargs)
        inputs = {name: value for name, value in kwargs.items() if name != "messages"}
        with self._lock:
            self._points.setdefault(id_of_inputs(inputs), set()).add(point)
        return self._place(point, context.run_id if context is not None else None)

    def place_of_judgment(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope:
        """Where a call of an evaluator belongs: to the datapoint whose log it judges."""
        found = [value for value in (*args, *kwargs.values()) if isinstance(value, Mapping)]
        log: Mapping[str, Any] = found[0] if found else {}
        datapoint: Mapping[str, Any] = found[1] if len(found) > 1 else {}
        named = text_or_none(log.get("source_datapoint_id")) or text_or_none(datapoint.get("id"))
        with self._lock:
            points = self._points.get(id_of_inputs(log.get("inputs")), set())
        # As it was known when it was evaluated; nothing may tell which of several it is.
        point = next(iter(points)) if len(points) == 1 and named not in points else named
        return self._place(point, None)

    def _place(self, point: str | None, run_id: str | None) -> Scope:
        # Without an id from anywhere the call of `evaluations.run` is still one run, and no other's.
        shared = self._shared or self.begin(Scope(run_id=run_id or f"run-{uuid4().hex[:12]}"))
        return shared if point is None else replace(shared, datapoint_id=point)
