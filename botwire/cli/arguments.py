"""A password on a command line, which everybody on the machine can read for as long as the command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

__all__ = ["leave_command_line"]


def leave_command_line(url: str | None) -> None:
    """Begin anew, in the same process, with a URL that holds a password in the environment in place of the arguments.

    Does nothing where no password was among the arguments, and on systems where a process cannot be replaced.
    """
    if url is None or os.name != "posix" or not _has_password(url):
        return
    # Of Python itself, as lists of processes show them: a script has them in another form.
    given = sys.orig_argv[1:]
    left = _without(url, given)
    if len(left) == len(given):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *left], {**os.environ, "BOTWIRE_URL": url})  # noqa: S606 - itself


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.password is not None or any(name == "password" for name, _ in parse_qsl(parts.query))
    except ValueError:
        return True  # what cannot be read may hold one anywhere


def _without(url: str, given: Sequence[str]) -> list[str]:
    """The arguments without the option that has the URL.

    >>> _without("postgresql://me:secret@host/db", ["serve", "--url", "postgresql://me:secret@host/db", "--no-log"])
    ['serve', '--no-log']
    >>> _without("postgresql://me:secret@host/db", ["serve", "--store=postgresql://me:secret@host/db"])
    ['serve']
    """
    left: list[str] = []
    for argument in given:
        if argument == url and left and left[-1].startswith("--"):
            del left[-1]
        elif not (argument.startswith("--") and argument.partition("=")[2] == url):
            left.append(argument)
    return left
