"""How a command fails: a message and a hint on standard error, and an exit code."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from typing import Final, ParamSpec

import typer

from botwire.cli.text import json_text, visible
from botwire_core.errors import (
    BotWireError,
    ConflictError,
    ForbiddenError,
    InvalidKeyError,
    InvalidNamespaceError,
    InvalidValueError,
    QuotaExceededError,
    RevisionPrunedError,
    UnauthorizedError,
    UnknownStoreError,
)

__all__ = ["BAD_INPUT", "CONFLICT", "FORBIDDEN", "NOT_THERE", "STORE_FAILED", "exit_code", "not_there", "reporting"]

P = ParamSpec("P")

NOT_THERE: Final = 1
"""What was asked for is not there, differs (`diff --exit-code`), was not merged, or was declined."""
BAD_INPUT: Final = 2
"""Wrong usage or input; nothing was done."""
STORE_FAILED: Final = 3
"""The store could not do it."""
CONFLICT: Final = 4
"""`--if-version` did not match, or the name is taken."""
FORBIDDEN: Final = 5
"""There is no token or it does not allow this, or a quota is used up."""

_CODES: Final = (
    ((ConflictError,), CONFLICT),
    ((UnauthorizedError, ForbiddenError, QuotaExceededError), FORBIDDEN),
    ((InvalidKeyError, InvalidNamespaceError, InvalidValueError, UnknownStoreError), BAD_INPUT),
    ((RevisionPrunedError,), NOT_THERE),
)


def exit_code(error: BotWireError) -> int:
    """The exit code of an error."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), STORE_FAILED)


def not_there(message: str, *, as_json: bool) -> typer.Exit:
    """Say that something is not there; the result is to be raised."""
    _report(message, "", "not_found", retryable=False, as_json=as_json)
    return typer.Exit(NOT_THERE)


def reporting(command: Callable[P, None]) -> Callable[P, None]:
    """The command, with errors told as a message and an exit code in place of a traceback.

    A command that takes `as_json` tells them as JSON where that is set. What is no error of ours or of a file is
    a defect, and keeps its traceback.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        try:
            command(*args, **kwargs)
        except BotWireError as error:
            _report(error.message, error.hint, error.code, retryable=error.retryable, as_json=as_json)
            raise typer.Exit(exit_code(error)) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader has gone: typer ends quietly
            _report(f"{error.filename}: {error.strerror}", "", "file", retryable=False, as_json=as_json)
            raise typer.Exit(BAD_INPUT) from None

    return run


def _report(message: str, hint: str, code: str, *, retryable: bool, as_json: bool) -> None:
    if as_json:
        members = {"code": code, "message": message, "hint": hint, "retryable": retryable}
        typer.echo(json_text({"error": members}), err=True)
        return
    typer.secho(f"botwire: {visible(message)}", fg="red", err=True)
    if hint:
        typer.echo(f"  {visible(hint)}", err=True)
