"""`scope()` and `bind()`: how code says in which experiment it runs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, cast

from botwire_core.errors import InvalidValueError
from botwire_core.records import replace
from botwire_core.scopes.current import OFF, current_scope, scope_here
from botwire_core.scopes.policy import _policy, _said, current_policy
from botwire_core.scopes.runs import run_under_way
from botwire_core.scopes.scope import Scope

__all__ = ["bind", "scope"]

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def scope(
    place: Scope | None = None,
    *,
    off: bool = False,
    variant: str | None = None,
    run_id: str | None = None,
    datapoint_id: str | None = None,
    trial: int | None = None,
    experiment: str | None = None,
    **more: str | None,
) -> Iterator[Scope | None]:
    """Run a block in a scope: every memory that is used in it is a fork that belongs to the experiment.

    It holds for this thread and for the tasks that are started in it; a bare thread needs `bind`. Inside another
    scope, what is not given is taken from that one.

    Args:
        place: A ready scope, to be used as it is; the other arguments then change it.
        off: Work on the memories themselves, whatever scope there is around, and whatever the plugins tell.
        variant: What is compared: a prompt version, a model.
        run_id: One evaluation of it.
        datapoint_id: One case of the run.
        trial: The number of a repetition of the case.
        experiment: What groups the runs that are compared; they start from the same seed.
        more: The other members of `Scope`.

    >>> with scope(variant="prv_1", run_id="r7") as here:
    ...     with scope(datapoint_id="d3") as inner:
    ...         (inner.variant, inner.datapoint_id)
    ('prv_1', 'd3')
    """
    if off:
        token = scope_here.set(OFF)
        try:
            yield None
        finally:
            scope_here.reset(token)
        return
    given: dict[str, Any] = {"variant": variant, "run_id": run_id, "datapoint_id": datapoint_id, "trial": trial}
    given |= {"experiment": experiment, **more}
    if unknown := given.keys() - set(Scope.__match_args__):
        raise InvalidValueError(
            f"a scope has no {', '.join(sorted(unknown))}", hint=f"it has {', '.join(Scope.__match_args__)}"
        )
    outer = place if place is not None else current_scope() or Scope()
    inner = replace(outer, **{name: value for name, value in given.items() if value is not None})
    if inner == Scope():
        raise InvalidValueError("a scope has to say something", hint='scope(variant="v2", run_id="monday")')
    with run_under_way(inner, current_policy()):
        token = scope_here.set(inner)
        try:
            yield inner
        finally:
            scope_here.reset(token)


def bind(function: Callable[P, R]) -> Callable[P, R]:
    """Give a function that runs in the scope and the policy of this moment, wherever it is called.

    For bare threads and executors, which do not inherit a context. A coroutine function stays one.

    >>> import threading
    >>> seen = []
    >>> with scope(variant="v1", run_id="r1"):
    ...     thread = threading.Thread(target=bind(lambda: seen.append(current_scope().variant)))
    ...     thread.start(); thread.join()
    >>> seen
    ['v1']
    """
    policy, said = current_policy(), _said.get()
    here = scope_here.get()
    place = here if here is not None else current_scope()

    @contextmanager
    def there() -> Iterator[None]:
        policy_token, said_token = _policy.set(policy), _said.set(said)
        token = scope_here.set(place)
        try:
            if isinstance(place, Scope):
                with run_under_way(place, policy):
                    yield
            else:
                yield
        finally:
            scope_here.reset(token)
            _said.reset(said_token)
            _policy.reset(policy_token)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def in_scope_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            with there():
                return await function(*args, **kwargs)

        return cast("Callable[P, R]", in_scope_async)

    @functools.wraps(function)
    def in_scope(*args: P.args, **kwargs: P.kwargs) -> R:
        with there():
            return function(*args, **kwargs)

    return in_scope
