"""A process that has loaded the command and forks one that runs it for each line it reads.

Most of the time a command takes goes into starting Python and loading typer, which every test would pay for again.
A forked process is as much a process of its own: its exit code, its files, its connections.

Lines are JSON: arguments, environment, folder and the three files to use as standard streams; the answer is the code.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import sys
import traceback
from io import StringIO
from typing import Any, NoReturn

import botwire_core
from botwire.cli import main


def run_command(order: dict[str, Any]) -> NoReturn:
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    for descriptor, path in enumerate(order["streams"]):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    # The one at hand may hold lines that it has read ahead for the parent.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.argv = ["botwire", *order["arguments"]]
    code = 1
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking a whole interpreter apart takes ten times as long as the command


def load_everything() -> None:
    """Load what a command loads when it runs; a store in memory leaves nothing open."""
    for module in pkgutil.walk_packages(botwire_core.__path__, "botwire_core."):
        if not module.name.startswith("botwire_core.testing"):
            importlib.import_module(module.name)
    for arguments in (["ls", "notes", "--long"], ["namespaces"]):
        sys.argv = ["botwire", *arguments, "--url", "memory:"]
        with contextlib.redirect_stdout(StringIO()), contextlib.suppress(SystemExit):
            main()


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    load_everything()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            answers.close()
            run_command(json.loads(line))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


if __name__ == "__main__":
    serve()
