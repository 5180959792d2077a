"""The command that carries a whole store into another: migrate."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from botwire.cli.failures import not_there
from botwire.cli.options import Json
from botwire.cli.output import console, print_json
from botwire.cli.text import visible
from botwire_core.connect import connect
from botwire_core.errors import ConflictError
from botwire_core.memory_handle import without_secrets

if TYPE_CHECKING:
    from botwire_core.migrating import Carried, Progress

__all__ = ["migrate"]

_WORDS: Final = {
    "copied": "copied and compared",
    "same": "there already",
    "to copy": "to be copied",
    "differs": "NOT COPIED",
    "gone": "dropped or expired meanwhile",
}


def migrate(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="URL of the store to read.", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="URL of the store to fill.", show_default=False)],
    prefix: Annotated[
        str, typer.Option("--prefix", help="Only namespaces whose names start with it, with all their forks.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compare, tell what would be done, and do nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Carry a whole store into another: every namespace with its history, snapshots, retention and forks, and tokens.

    Each namespace comes with its forks in one transaction, and is read back and compared. What is at the target
    already is left alone, so start it again where it was cut off. A server as SOURCE is given the token of
    BOTWIRE_FROM_TOKEN.
    """
    from botwire_core.migrating import migrate as carry

    told: list[Carried] = []
    # Not the token of the target, which is none of the source's business.
    source_store = connect(source, token=os.environ.get("BOTWIRE_FROM_TOKEN", ""))
    members: dict[str, Any] = {"from": without_secrets(source), "to": without_secrets(target), "dry_run": dry_run}

    def tell(carried: Carried) -> None:
        told.append(carried)
        if not as_json:
            typer.echo(_line(carried))

    with _watching() as watch:
        try:
            made = carry(source_store, connect(target), prefix=prefix, dry_run=dry_run, tell=tell, progress=watch)
        except BaseException as error:
            if as_json:
                print_json({**members, "complete": False, "families": [_members(one) for one in told]})
            elif watch.family is not None and not isinstance(error, ConflictError):
                typer.echo(f"stopped at {watch.family}: what came before it stays; run it again to go on", err=True)
            raise
    if not told and not made.tokens:
        what = f"no namespaces that start with {visible(prefix)}" if prefix else "no namespaces"
        raise not_there(f"{members['from']} has {what}", as_json=as_json)
    if as_json:
        counts = {"tokens": made.tokens, "scopes": made.scopes}
        print_json({**members, "complete": True, "families": [_members(one) for one in told], **counts})
        return
    carried = made.of("copied") + made.of("to copy")
    rows, size = sum(one.rows for one in carried), sum(one.bytes for one in carried)
    done = f"{len(carried):,} of {len(told):,} {'to be copied' if dry_run else 'copied'}"
    records = f"{_count(made.tokens, 'token')}, {_count(made.scopes, 'scoped namespace')}"
    typer.echo(f"{done}: {_count(rows, 'version')}, {_count(size, 'byte')}; {records}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _line(carried: Carried) -> str:
    line = f"{carried.family}: {_WORDS[carried.outcome]}"
    if carried.digest:
        line += f", {_count(carried.namespaces, 'namespace')}, {_count(carried.rows, 'version')}"
        line += f", sha256 {carried.digest[:16]}"
    return f"{line}; it {carried.reason}" if carried.reason else line


def _members(carried: Carried) -> dict[str, Any]:
    return {name: getattr(carried, name) for name in type(carried).__match_args__}


class _Watch:
    """Is told where the migration is: remembers the family, and moves the bar where there is one."""

    def __init__(self, move: Callable[[int, int, str], object] | None) -> None:
        self.family: str | None = None
        self._move = move

    def __call__(self, now: Progress) -> None:
        self.family = now.family
        if self._move is not None:
            what = f"{now.phase} {now.family}, {now.rows:,} versions, {now.bytes:,} bytes"
            self._move(now.done, now.families, what)


@contextmanager
def _watching() -> Iterator[_Watch]:
    """What is to be told of the progress: shown as a bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield _Watch(None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    # What is printed goes above the bar, unless it goes somewhere else.
    with Bar(*columns, console=console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=None)
        yield _Watch(lambda done, total, what: bar.update(task, completed=done, total=total, description=what))
