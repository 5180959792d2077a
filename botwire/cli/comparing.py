"""Commands that compare: diff and merge."""

from __future__ import annotations

import sys
from typing import Annotated, cast

import typer

from botwire.cli.failures import NOT_THERE
from botwire.cli.options import At, Json, Namespace, Url, open_memory
from botwire.cli.output import console, print_json
from botwire.cli.text import json_text, value_text, visible
from botwire_core.codec import to_portable
from botwire_core.diff import Diff
from botwire_core.errors import InvalidValueError
from botwire_core.protocol import Missing, Strategy
from botwire_core.results import Conflict, MergeResult

__all__ = ["diff", "merge", "print_merge"]

_COLOURS = {"+": "green", "-": "red", "~": "yellow"}


def diff(
    namespace: Namespace,
    other: Annotated[
        str | None, typer.Argument(help="The namespace to compare with; left out, the same one.", show_default=False)
    ] = None,
    at: At = None,
    other_at: Annotated[
        str | None, typer.Option("--other-at", metavar="MOMENT", help="Look at the past of OTHER.", show_default=False)
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Only keys that start with it.", show_default=False)] = "",
    keys_only: Annotated[bool, typer.Option("--keys-only", help="Leave the values out: they may be personal.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if they differ.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show what it takes to get from one memory to another: keys added, removed and changed."""
    if other is None and at is None and other_at is None:
        raise InvalidValueError(
            "nothing to compare with", hint="name a second namespace, or a moment of the past with --at"
        )
    result = open_memory(namespace, url, at).diff(open_memory(other or namespace, url, other_at), prefix=prefix)
    if as_json:
        print_json(result.to_json(keys_only=keys_only))
    else:
        _print_diff(result, keys_only=keys_only)
    if exit_code and result:
        raise typer.Exit(NOT_THERE)


def merge(
    namespace: Namespace,
    other: Annotated[str, typer.Argument(help="The namespace to take the changes from.", show_default=False)],
    strategy: Annotated[
        str, typer.Option("--strategy", metavar="fail|ours|theirs", help="What to do where both sides changed.")
    ] = "fail",
    keys: Annotated[str, typer.Option("--keys", metavar="GLOB", help="Only keys that match.")] = "*",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Bring what another namespace changed since the two parted into this one, all or nothing."""
    memory = open_memory(namespace, url)
    result = memory.merge(other, strategy=cast(Strategy, strategy), keys=keys, dry_run=dry_run)
    if as_json:
        print_json(_merge_members(result))
    else:
        print_merge(result, dry_run=dry_run)
    if not result.applied and result.conflicts and strategy == "fail":
        raise typer.Exit(NOT_THERE)


def _print_diff(result: Diff, *, keys_only: bool) -> None:
    head, *_ = str(result).split("\n", 1)
    if not sys.stdout.isatty():
        for line in (head, *result.lines(keys_only=keys_only)):
            typer.echo(line)
        return
    from rich.text import Text

    screen = console()
    screen.print(Text(head, style="bold"), soft_wrap=True)
    for line in result.lines(keys_only=keys_only):
        screen.print(Text(line, style=_COLOURS.get(line.lstrip()[:1], "")), soft_wrap=True)


def print_merge(result: MergeResult, *, dry_run: bool) -> None:
    """Print what a merge did, or would do, a line for each key."""
    for mark, keys in (("~", result.written), ("-", result.deleted), ("+", result.appended)):
        for key in keys:
            typer.echo(f"{mark} {visible(key)}")
    for conflict in result.conflicts:
        typer.echo(f"! {_conflict_text(conflict)}")
    counts = f"{len(result.written)} written, {len(result.deleted)} deleted, {len(result.appended)} appended"
    conflicts = len(result.conflicts)
    if result.applied:
        kept = f"; what was there before is the snapshot {result.snapshot}" if result.snapshot else ""
        typer.echo(f"{counts}, {conflicts} conflicts{kept}")
    elif dry_run:
        typer.echo(f"would be: {counts}, {conflicts} conflicts")
    else:
        typer.echo(f"nothing was merged: {conflicts} conflicts; choose a side with --strategy ours or theirs")


def _conflict_text(conflict: Conflict) -> str:
    place = "".join(f"[{json_text(part, indent=None)}]" for part in conflict.path)
    sides = ((name, getattr(conflict, name)) for name in ("base", "ours", "theirs"))
    shown = ", ".join(
        f"{name} {'absent' if isinstance(value, Missing) else value_text(value)}" for name, value in sides
    )
    return f"{visible(conflict.key)}{place}: {shown}"


def _merge_members(result: MergeResult) -> dict[str, object]:
    return {
        "applied": result.applied,
        "written": result.written,
        "deleted": result.deleted,
        "appended": result.appended,
        "conflicts": [
            {
                "key": conflict.key,
                "path": list(conflict.path),
                **{
                    side: None if isinstance(value, Missing) else to_portable(value)
                    for side, value in (("base", conflict.base), ("ours", conflict.ours), ("theirs", conflict.theirs))
                },
            }
            for conflict in result.conflicts
        ],
        "snapshot": result.snapshot,
        "revision": result.revision,
    }
