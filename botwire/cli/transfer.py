"""Commands that carry memory in files: export and import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from botwire.cli.options import At, Json, Namespace, Url, open_memory
from botwire.cli.output import console, print_json

__all__ = ["export", "import_"]


def export(
    namespace: Namespace,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - for standard output.", show_default=False)],
    full: Annotated[
        bool, typer.Option("--full", help="With history, snapshots and forks, to make all of it anew.")
    ] = False,
    at: At = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Write a namespace as JSON Lines: key, value and expiry, in the order of the keys."""
    memory = open_memory(namespace, url, at)
    total = open_memory(namespace, url).stats().keys if sys.stderr.isatty() and not full else None
    with _progress("Exporting", total) as progress:
        count = memory.export(sys.stdout.buffer if file == "-" else file, full=full, progress=progress)
    if as_json and file != "-":
        print_json({"namespace": namespace, "file": file, "records": count})
    else:
        typer.echo(f"{namespace}: {count:,} records exported", err=file == "-")


def import_(
    namespace: Namespace,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where from; - for standard input.", show_default=False)],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Write the records of a file into a namespace, in one transaction: all of them or none."""
    memory = open_memory(namespace, url)
    with _progress("Importing", None) as progress:
        count = memory.import_(sys.stdin.buffer if file == "-" else file, progress=progress)
    if as_json:
        print_json({"namespace": namespace, "file": file, "records": count})
    else:
        typer.echo(f"{namespace}: {count:,} records imported")


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], object] | None]:
    """A progress bar on standard error, where that is a terminal; gives what is to be told the number of records."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
