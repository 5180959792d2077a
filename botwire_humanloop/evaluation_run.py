"""One call of `evaluations.run`: which run it is, what its datapoints share, and what went wrong unseen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from hashlib import sha256
from types import TracebackType
from typing import Any, Final
from uuid import uuid4

from botwire_core.errors import ScopeError
from botwire_core.records import replace
from botwire_core.scopes import Scope
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.policy import ScopePolicy, policy_here
from botwire_core.scopes.runs import ActiveRun, run_under_way
from botwire_humanloop.contexts import evaluation_context, text_or_none
from botwire_humanloop.known_runs import SOURCE, remember_run

__all__ = ["EvaluationRun", "run_here"]

run_here: Final[ContextVar[EvaluationRun | None]] = ContextVar("botwire_humanloop_run", default=None)
"""The run that this thread is about to make, or waits for."""


class EvaluationRun:
    """A block that stands around one call of `evaluations.run`, and the scopes of what the call evaluates.

    `around` is the scope of the block that the call is in; what it says is not asked of Humanloop. At the end the
    scope errors are raised that the SDK has kept to itself.
    """

    def __init__(self, around: Scope, policy: ScopePolicy, path: str | None) -> None:
        self._around = replace(around, datapoint_id=None)
        self._policy = policy
        self._path = path
        self._shared: Scope | None = None
        self._under_way: ActiveRun | None = None
        self._errors: list[ScopeError] = []
        self._points: dict[str, set[str]] = {}
        """By digest of the inputs, the datapoints that have them."""
        self._ways_out = ExitStack()
        # Guards the three above; never held while code of somebody else runs.
        self._lock = threading.Lock()

    def __enter__(self) -> EvaluationRun:
        self._token = run_here.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run_here.reset(self._token)
        self._ways_out.close()
        if kind is None:
            self._raise_what_was_swallowed()

    def begin(self, run: Scope) -> Scope:
        """Give what all datapoints share; the first who knows a run decides which it is."""
        with self._lock:
            if self._shared is None:
                known = {name: getattr(self._around, name) for name in Scope.__match_args__}
                run = replace(run, prompt_path=run.prompt_path or self._path, source=SOURCE)
                self._shared = replace(run, **{name: value for name, value in known.items() if value is not None})
                if run.run_id is not None:
                    remember_run(run.run_id, self._shared)
                self._under_way = self._ways_out.enter_context(run_under_way(self._shared, self._policy))
            return self._shared

    @contextmanager
    def at_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
        """The block for a call of the evaluated function: the scope of the datapoint that the SDK calls it with."""
        context = evaluation_context()
        point = context.datapoint_id if context is not None else None
        if point is None:
            point = f"in-{_digest([list(args), kwargs])}"
        inputs = {name: value for name, value in kwargs.items() if name != "messages"}
        with self._lock:
            self._points.setdefault(_digest(inputs), set()).add(point)
        with self._at(point, context.run_id if context is not None else None):
            yield

    @contextmanager
    def at_judgment(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
        """The block for a call of an evaluator: the scope of the datapoint whose log it judges."""
        found = [value for value in (*args, *kwargs.values()) if isinstance(value, Mapping)]
        log: Mapping[str, Any] = found[0] if found else {}
        datapoint: Mapping[str, Any] = found[1] if len(found) > 1 else {}
        named = text_or_none(log.get("source_datapoint_id")) or text_or_none(datapoint.get("id"))
        with self._at(self._point_of(named, log.get("inputs")), None):
            yield

    def _point_of(self, named: str | None, inputs: object) -> str | None:
        """The datapoint as it was known when it was evaluated; None where nothing tells which of several it is."""
        with self._lock:
            points = self._points.get(_digest(inputs), set())
            return next(iter(points)) if len(points) == 1 and named not in points else named

    @contextmanager
    def _at(self, point: str | None, run_id: str | None) -> Iterator[None]:
        # Without an id from anywhere the call of `evaluations.run` is still one run, and no other's.
        shared = self._shared or self.begin(Scope(run_id=run_id or f"run-{uuid4().hex[:12]}"))
        place = shared if point is None else replace(shared, datapoint_id=point)
        with policy_here(self._policy), scope(place):
            try:
                yield
            except ScopeError as error:
                self._errors.append(error)
                raise

    def _raise_what_was_swallowed(self) -> None:
        errors = [*self._errors]
        if self._under_way is not None and self._under_way.refused is not None:
            errors.append(self._under_way.refused)
        if errors:
            run_id = self._shared.run_id if self._shared is not None else None
            raise ScopeError(
                f"memory was refused during the run {run_id}, whose results cannot be trusted: {errors[0]}",
                hint=errors[0].hint,
            ) from errors[0]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
