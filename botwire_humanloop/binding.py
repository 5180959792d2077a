"""Functions of the user, run in a place that is found out at each call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib import metadata
from typing import Any, Final, TypeAlias

from botwire_core.errors import UnsupportedError

__all__ = ["FindPlace", "bound", "refuse_what_never_ends", "stands_for"]

FindPlace: TypeAlias = Callable[[tuple[Any, ...], dict[str, Any]], AbstractContextManager[Any]]
"""Gives the block to run a call in, by the arguments of the call."""

_FLOWS_HANG_FROM: Final = (1, 43)


def bound(function: Callable[..., Any], find_place: FindPlace) -> Callable[..., Any]:
    """Give a function that runs each call in the block that `find_place` gives for it.

    It is a plain function, since the SDK copies what it is given; its source can be found, and one that Humanloop's
    decorators have made stays one.
    """
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def in_place_async(*args: Any, **kwargs: Any) -> Any:
            with find_place(args, kwargs):
                return await function(*args, **kwargs)

        wrapper: Callable[..., Any] = in_place_async
    else:

        @functools.wraps(function)
        def in_place(*args: Any, **kwargs: Any) -> Any:
            with find_place(args, kwargs):
                return function(*args, **kwargs)

        wrapper = in_place
    return stands_for(wrapper, function)


def stands_for(wrapper: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the SDK call the wrapper of a decorated function: it takes what to call from the decorator's own record."""
    file = getattr(function, "file", None)
    if isinstance(file, Mapping):
        wrapper.file = {**file, "callable": wrapper}  # type: ignore[attr-defined]  # where the SDK looks for it
    return wrapper


def refuse_what_never_ends(function: Callable[..., Any]) -> None:
    """Refuse to evaluate what the SDK would wait for without end.

    Raises:
        UnsupportedError: the function is decorated with `@flow`, and this OpenTelemetry SDK no longer lets
            Humanloop's exporter change an ended span, by which such a log is tied to its run.
    """
    file = getattr(function, "file", None)
    if not isinstance(file, Mapping) or file.get("type") != "flow":
        return
    try:
        version = metadata.version("opentelemetry-sdk")
    except metadata.PackageNotFoundError:
        return
    if tuple(int(part) for part in version.split(".")[:2]) >= _FLOWS_HANG_FROM:
        raise UnsupportedError(
            f"an evaluation of a function with @flow never ends with opentelemetry-sdk {version}",
            hint='pass the plain function with type="flow", or install "opentelemetry-sdk<1.43"',
        )
