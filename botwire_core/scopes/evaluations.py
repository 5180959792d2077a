"""One call into a framework that evaluates: what it calls works in the place of its datapoint.

Frameworks call the functions of a user in threads of their own, which inherit no scope, and keep what they raise to
themselves. So each function is bound to its place before it is handed over, and what was refused is raised at the end.
"""

from __future__ import annotations

import functools
import inspect
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from types import TracebackType
from typing import Any, Final, TypeAlias

from botwire_core.errors import ScopeError
from botwire_core.records import replace
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.current import OFF, scope_here
from botwire_core.scopes.policy import current_policy, policy_here
from botwire_core.scopes.runs import ActiveRun, run_under_way
from botwire_core.scopes.scope import Scope

__all__ = ["Evaluation", "PlaceOf", "id_of_inputs"]

PlaceOf: TypeAlias = Callable[[tuple[Any, ...], dict[str, Any]], Scope]
"""Tells where a call belongs, by its arguments and by whatever the framework tells the thread."""


class Evaluation:
    """A block around one call into a framework that evaluates.

    What `scope` blocks around it say overrules what the framework tells, except for the datapoint; `scope(off=True)`
    around it switches isolation off in all that it calls. The run is under way from the first place that is known
    to the end of the block, so that code which lost its scope is not taken for code outside of the experiment.
    """

    def __init__(self, run: Scope | None = None) -> None:
        here = scope_here.get()
        self._off: Final = here is OFF
        around = here if isinstance(here, Scope) else Scope()
        ids = {name: getattr(around, name) for name in Scope.__match_args__ if name not in ("datapoint_id", "trial")}
        self._said: Final = {name: value for name, value in ids.items() if value is not None}
        self._run: Final = run
        self._policy: Final = current_policy()
        self._under_way: list[ActiveRun] = []
        self._shared: set[Scope] = set()
        self._errors: list[ScopeError] = []
        self._ways_out: Final = ExitStack()
        self._lock: Final = threading.Lock()
        """Guards what is above; never held while code of somebody else runs."""

    def __enter__(self) -> Evaluation:
        if self._run is not None:
            self.begin(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ways_out.close()
        if kind is None:
            self._raise_what_was_swallowed()

    def begin(self, place: Scope) -> Scope:
        """Let the run of a place be under way from now on; give the place with what blocks around have said."""
        place = replace(place, **self._said) if self._said else place
        if not self._off:
            self._begin(place)
        return place

    @contextmanager
    def at(self, place: Scope) -> Iterator[None]:
        """The block for one call."""
        if self._off:
            with scope(off=True):
                yield
            return
        place = self.begin(place)
        with policy_here(self._policy), scope(place):
            try:
                yield
            except ScopeError as error:
                self._errors.append(error)
                raise

    def bound(self, function: Callable[..., Any], place_of: PlaceOf) -> Callable[..., Any]:
        """Give a function that runs each call in its place; what it gives to be awaited is awaited there, too."""

        async def awaited(coroutine: Any, place: Scope) -> Any:
            with self.at(place):
                return await coroutine

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def in_place_async(*args: Any, **kwargs: Any) -> Any:
                place = place_of(args, kwargs)
                return await awaited(function(*args, **kwargs), place)

            return in_place_async

        @functools.wraps(function)
        def in_place(*args: Any, **kwargs: Any) -> Any:
            place = place_of(args, kwargs)
            with self.at(place):
                result = function(*args, **kwargs)
            return awaited(result, place) if inspect.iscoroutine(result) else result

        return in_place

    def _begin(self, place: Scope) -> None:
        shared = replace(place, datapoint_id=None, trial=None)
        with self._lock:
            if shared in self._shared:
                return
            self._shared.add(shared)
            run = self._ways_out.enter_context(run_under_way(shared, self._policy))
            if run is not None:
                self._under_way.append(run)

    def _raise_what_was_swallowed(self) -> None:
        refused = [run.refused for run in self._under_way if run.refused is not None]
        for error in [*self._errors, *refused]:
            runs = ", ".join(sorted({shared.run_id for shared in self._shared if shared.run_id is not None}))
            raise ScopeError(
                f"memory was refused during the run {runs or '(unknown)'}, whose results cannot be trusted: {error}",
                hint=error.hint,
            ) from error


def id_of_inputs(inputs: Mapping[str, Any] | Any) -> str:
    """What stands for a datapoint that has no id: "in-" and 12 hexadecimal digits, the same for equal inputs.

    >>> id_of_inputs({"question": "why?", "language": "en"}) == id_of_inputs({"language": "en", "question": "why?"})
    True
    """
    text = json.dumps(inputs, sort_keys=True, default=str)
    return f"in-{sha256(text.encode(errors='surrogatepass')).hexdigest()[:12]}"
