"""A process that has loaded the command and forks one that runs it for each line it reads.

Most of the time a command takes goes into starting Python and loading typer, which every test would pay for again.
A forked process is as much a process of its own: its exit code, its files, its connections.

Lines are JSON: arguments, environment, folder and the three files to use as standard streams; the answer is the code.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from io import StringIO
from typing import Any

import rich.table

import botwire_core.plugins
import botwire_core.stores.sqlite
from botwire.cli import main

LOADED = (rich.table, botwire_core.plugins, botwire_core.stores.sqlite)


def run_command(order: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    for descriptor, path in enumerate(order["streams"]):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = ["botwire", *order["arguments"]]
    main()


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    sys.argv = ["botwire", "--version"]
    with contextlib.redirect_stdout(StringIO()), contextlib.suppress(SystemExit):
        main()  # typer loads a good part of itself when a command is parsed
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            answers.close()
            # What is left unread here belongs to the parent; the child reads from a file of its own.
            sys.stdin = os.fdopen(os.dup(0))
            run_command(json.loads(line))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


if __name__ == "__main__":
    serve()
