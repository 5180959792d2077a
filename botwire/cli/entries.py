"""Commands for single entries: get, set, rm, ls, append, read, search."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from botwire.cli.failures import not_there
from botwire.cli.options import At, Json, Key, Namespace, Prefix, Ttl, Url, open_memory
from botwire.cli.output import print_json, print_table, print_value
from botwire.cli.text import short, time_text, value_text, visible
from botwire.cli.values import read_value
from botwire_core.codec import to_portable
from botwire_core.errors import InvalidValueError
from botwire_core.results import Entry

__all__ = ["append", "get", "ls", "read", "rm", "search", "set_"]

AsText = Annotated[bool, typer.Option("--text", help="VALUE is text, not JSON.")]
AsBytes = Annotated[
    bool, typer.Option("--bytes", help="VALUE is bytes: those of @FILE or -, else base64 that is written out.")
]
IfVersion = Annotated[
    int | None,
    typer.Option(
        "--if-version", metavar="N", help="Only if this is the version now; 0: only if absent.", show_default=False
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", "-n", metavar="N", help="At most so many.", show_default=False)]


def get(
    namespace: Namespace,
    key: Key,
    raw: Annotated[bool, typer.Option("--raw", help="Print text without quotes, and bytes as they are.")] = False,
    at: At = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print the value at a key, as JSON; with --json the whole entry."""
    entry = open_memory(namespace, url, at).entry(key)
    if entry is None:
        raise not_there(f"there is nothing at {key!r} in {namespace}", as_json=as_json)
    if as_json:
        print_json({"namespace": namespace, **entry.to_json()})
    elif raw and isinstance(entry.value, bytes):
        sys.stdout.buffer.write(entry.value)
    elif raw and isinstance(entry.value, str):
        _print_raw(entry.value)
    else:
        print_value(entry.value)


def set_(
    namespace: Namespace,
    key: Key,
    value: Annotated[str, typer.Argument(help="JSON, @FILE, or - for standard input.", show_default=False)],
    text: AsText = False,
    as_bytes: AsBytes = False,
    ttl: Ttl = None,
    if_version: IfVersion = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Store a value, and print the key's new version."""
    version = open_memory(namespace, url).set(
        key, read_value(value, as_text=text, as_bytes=as_bytes), ttl=ttl, if_version=if_version
    )
    if as_json:
        print_json({"namespace": namespace, "key": key, "version": version})
    else:
        typer.echo(f"{visible(key)}: version {version}")


def rm(
    namespace: Namespace,
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY...", show_default=False)] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Every key that starts with it.", show_default=False)
    ] = None,
    if_version: IfVersion = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Delete keys. Their history stays, so `restore` brings them back; `purge` erases."""
    memory = open_memory(namespace, url)
    if (not keys) == (prefix is None):
        raise InvalidValueError("rm needs keys, or --prefix", hint='botwire rm notes greeting, or --prefix "user:"')
    if prefix is not None:
        if not prefix:
            raise InvalidValueError(
                "an empty prefix means every key", hint=f"to do that, use: botwire drop {namespace}"
            )
        deleted = memory.clear(prefix)
    elif if_version is not None:
        if keys is None or len(keys) != 1:
            raise InvalidValueError("--if-version is about one key", hint="name one key")
        deleted = int(memory.delete(keys[0], if_version=if_version))
    else:
        deleted = memory.delete_many(keys or [])
    if as_json:
        print_json({"namespace": namespace, "deleted": deleted})
    else:
        typer.echo(f"{deleted} deleted")
    if not deleted:
        raise typer.Exit(1)


def ls(
    namespace: Annotated[
        str | None, typer.Argument(help="Without it, the namespaces are listed.", show_default=False)
    ] = None,
    prefix: Prefix = "",
    long: Annotated[bool, typer.Option("--long", "-l", help="With versions, times and values.")] = False,
    after: Annotated[
        str | None, typer.Option("--after", metavar="KEY", help="Go on above this key.", show_default=False)
    ] = None,
    limit: Limit = None,
    at: At = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List keys in byte order, one on a line."""
    if namespace is None:
        from botwire.cli.spaces import list_names

        list_names(url, as_json=as_json)
        return
    memory = open_memory(namespace, url, at)
    if long:
        _print_entries(namespace, list(memory.entries(prefix, after=after, limit=limit)), as_json=as_json)
        return
    keys = memory.list_keys(prefix, after=after, limit=limit)
    if as_json:
        print_json({"namespace": namespace, "count": len(keys), "keys": keys})
    else:
        for key in keys:
            typer.echo(visible(key))


def append(
    namespace: Namespace,
    log: Annotated[str, typer.Argument(help="Name of the log.", show_default=False)],
    values: Annotated[list[str], typer.Argument(metavar="VALUE...", help="As for `set`.", show_default=False)],
    text: AsText = False,
    as_bytes: AsBytes = False,
    ttl: Ttl = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Add values to a log, and print the keys of the new rows."""
    rows = [read_value(value, as_text=text, as_bytes=as_bytes) for value in values]
    keys = open_memory(namespace, url).append(log, *rows, ttl=ttl)
    if as_json:
        print_json({"namespace": namespace, "log": log, "keys": keys})
    else:
        for key in keys:
            typer.echo(visible(key))


def read(
    namespace: Namespace,
    log: Annotated[str, typer.Argument(help="Name of the log.", show_default=False)],
    last: Annotated[
        int | None, typer.Option("--last", "-n", metavar="N", help="Only the newest.", show_default=False)
    ] = None,
    at: At = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print the values of a log, oldest first, one on a line."""
    values = open_memory(namespace, url, at).read(log, last=last)
    if as_json:
        print_json({"namespace": namespace, "log": log, "values": [to_portable(value) for value in values]})
    else:
        for value in values:
            typer.echo(value_text(value))


def search(
    namespace: Namespace,
    words: Annotated[list[str] | None, typer.Argument(help="Words that the values hold.", show_default=False)] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="JSON", help="""Conditions: '{"status": "open"}'.""", show_default=False),
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Only keys that start with it.", show_default=False)] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="At most so many.")] = 10,
    at: At = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Find entries by words and by the fields of their values; best match first, else newest first."""
    conditions: Any = None if where is None else read_value(where)
    if conditions is not None and not isinstance(conditions, dict):
        raise InvalidValueError("--where is not a JSON object", hint="""write '{"status": "open"}'""")
    memory = open_memory(namespace, url, at)
    found = memory.search(prefix, where=conditions, words=" ".join(words) if words else None, limit=limit)
    _print_entries(namespace, found, as_json=as_json)


def _print_raw(text: str) -> None:
    # A file or a program gets the text as it is; a terminal would obey what is in it.
    if sys.stdout.isatty():
        typer.echo("\n".join(map(visible, text.split("\n"))))
    else:
        sys.stdout.buffer.write(text.encode() + b"\n")


def _print_entries(namespace: str, entries: list[Entry], *, as_json: bool) -> None:
    if as_json:
        print_json({"namespace": namespace, "count": len(entries), "entries": [entry.to_json() for entry in entries]})
        return
    print_table(
        ("key", "version", "updated", "expires", "value"),
        (
            (
                entry.key,
                str(entry.version),
                time_text(entry.updated_at),
                time_text(entry.expires_at),
                short(value_text(entry.value)),
            )
            for entry in entries
        ),
        right=("version",),
    )
