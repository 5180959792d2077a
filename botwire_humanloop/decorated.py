"""Functions that Humanloop's decorators have made: what stands for them, and which are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, Final

from botwire_core.errors import UnsupportedError

__all__ = ["refuse_what_never_ends", "stands_for"]

_FLOWS_HANG_FROM: Final = (1, 43)


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
