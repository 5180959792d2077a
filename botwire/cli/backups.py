"""The command that copies a whole store: backup."""

from __future__ import annotations

from typing import Annotated

import typer

from botwire.cli.options import Json, Url
from botwire.cli.output import print_json
from botwire.cli.text import visible
from botwire_core.connect import connect
from botwire_core.errors import UnsupportedError

__all__ = ["backup"]


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; a name that is free.", show_default=False)],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Copy the whole store while others use it, as it stands at one moment; restored once and checked before it counts.

    The copy is a store of its own, with tokens and all: to restore it is to open it.
    """
    from botwire_core.stores.sqlite import SqliteStore
    from botwire_core.stores.sqlite.backup import back_up

    store = connect(url)
    if type(store).__name__ == "PostgresStore":
        raise UnsupportedError(
            "PostgreSQL has tools of its own for this",
            hint="use pg_dump for one copy, or pg_basebackup with WAL archiving to go back to any moment",
        )
    if not isinstance(store, SqliteStore):
        raise UnsupportedError(
            f"{type(store).__name__} is no file that could be copied",
            hint="run this where the file is, or use `botwire export --full` for one namespace and its forks",
        )
    made = back_up(store, file)
    if as_json:
        print_json({"file": made.path, "bytes": made.bytes, "namespaces": made.namespaces, "versions": made.versions})
    else:
        typer.echo(
            f"{visible(made.path)}: {made.bytes:,} bytes with {made.namespaces:,} namespaces and "
            f"{made.versions:,} versions, restored and checked"
        )
