"""Commands that carry memory in files: export and import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from botwire.cli.bringing import bring_over
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
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Where from; - for standard input.", show_default=False)
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="Bring the namespace over from another store.", show_default=False),
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="With --from: only keys that start with it.")] = "",
    keys: Annotated[
        str | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            help="With --from: only the keys that this file names, one a line; - for standard input.",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Write the records of a file into a namespace, all of them or none; or bring it over from another store.

    What is brought with --from comes page by page: start it again where it was cut off. A server that wants a token
    for reading is given that of BOTWIRE_FROM_TOKEN.
    """
    memory = open_memory(namespace, url)
    if source is not None:
        if file is not None:
            raise typer.BadParameter("leave out FILE with --from")
        with _progress("Importing", None) as progress:
            bring_over(memory, source, prefix, keys, progress=progress, as_json=as_json)
        return
    if file is None:
        raise typer.BadParameter("name a FILE, or a store with --from URL")
    if prefix or keys is not None:
        raise typer.BadParameter("--prefix and --keys go with --from")
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
