"""Commands for the past and the present of keys: history, restore, purge, watch."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from botwire.cli.failures import not_there
from botwire.cli.options import At, Json, Key, Namespace, Prefix, Url, Yes, confirmed, open_memory
from botwire.cli.output import print_json, print_table
from botwire.cli.text import json_text, short, time_text, value_text, visible
from botwire_core.results import Change, Entry, PurgeResult

__all__ = ["history", "purge", "restore", "watch"]


def history(
    namespace: Namespace,
    key: Key,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", metavar="N", help="At most so many.", show_default=False)
    ] = None,
    at: At = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show the versions of a key that are kept, newest first."""
    versions = open_memory(namespace, url, at).history(key, limit=limit)
    if not versions:
        raise not_there(f"no version of {key!r} is kept in {namespace}", as_json=as_json)
    if as_json:
        print_json({"namespace": namespace, "key": key, "versions": [entry.to_json() for entry in versions]})
        return
    print_table(
        ("version", "revision", "written", "author", "value"),
        (
            (
                str(entry.version),
                str(entry.revision),
                time_text(entry.updated_at),
                entry.author or "",
                _shown(entry),
            )
            for entry in versions
        ),
        right=("version", "revision"),
    )


def restore(
    namespace: Namespace,
    key: Key,
    version: Annotated[int, typer.Argument(help="As `history` numbers them.", show_default=False)],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Write an old version of a key anew, and print the new version."""
    new = open_memory(namespace, url).restore(key, version)
    if as_json:
        print_json({"namespace": namespace, "key": key, "restored": version, "version": new})
    else:
        typer.echo(f"{visible(key)}: version {new}, as version {version} was")


def purge(
    namespace: Namespace,
    target: Annotated[
        str, typer.Argument(metavar="KEY_OR_PREFIX", help="The key, and every key under it.", show_default=False)
    ],
    yes: Yes = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Erase a key and all keys under it from here, from its history, from all forks and from the file."""
    confirmed(f"Erase {visible(target)} from {namespace}, its history and its forks? It cannot be undone.", yes=yes)
    result = open_memory(namespace, url).purge(target)
    if as_json:
        print_json(
            {
                "namespace": namespace,
                "keys": result.keys,
                "versions": result.versions,
                "namespaces": result.namespaces,
                "ancestors": result.ancestors,
                "not_reached": result.not_reached,
            }
        )
    else:
        _print_purge(result)
    if not result.keys:
        raise typer.Exit(1)


def watch(
    namespace: Namespace,
    prefix: Prefix = "",
    since: Annotated[
        int | None,
        typer.Option(
            "--since", metavar="REVISION", help="Go on from there; 0 is all that is kept.", show_default=False
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", help="End after so long without a change.", show_default=False),
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print changes as anybody makes them, a line each, until Ctrl-C. With --json, a JSON object on each line."""
    try:
        for change in open_memory(namespace, url).watch(prefix, since=since, timeout=timeout):
            typer.echo(_line(change, as_json=as_json))
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass  # the way to end it, so no failure


def _line(change: Change, *, as_json: bool) -> str:
    if as_json:
        return json_text(change.entry.to_json(), indent=None)
    return f"r{change.revision} {visible(change.key)} {_shown(change.entry)}"


def _shown(entry: Entry) -> str:
    return "(deleted)" if entry.deleted else short(value_text(entry.value))


def _print_purge(result: PurgeResult) -> None:
    for key in result.keys:
        typer.echo(visible(key))
    where = ", ".join(result.namespaces) or "no namespace"
    typer.echo(f"erased: {len(result.keys)} keys, {result.versions} versions, in {where}")
    for what, names in (("still held by", result.ancestors), ("not reached", result.not_reached)):
        if names:
            typer.echo(f"{what}: {', '.join(map(visible, names))}")
