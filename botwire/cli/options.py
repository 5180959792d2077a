"""The arguments and options that many commands share, and how a memory is opened from them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, TypeAlias

import typer

from botwire_core.errors import BotWireError
from botwire_core.memory import Memory
from botwire_core.protocol import ListNamespaces

__all__ = [
    "At",
    "Json",
    "Key",
    "Moment",
    "Namespace",
    "Prefix",
    "Ttl",
    "Url",
    "Yes",
    "confirmed",
    "moment",
    "open_memory",
]

Moment: TypeAlias = int | str | datetime

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_MOST_SUGGESTIONS = 200


def open_memory(namespace: str, url: str | None, at: str | None = None) -> Memory:
    """A memory as the options name it; `at` is what `--at` was given."""
    memory = Memory(namespace, url)
    return memory if at is None else memory.at(moment(at))


def moment(text: str) -> Moment:
    """What a moment on the command line means: digits a revision, a time that time, anything else a label.

    A time without a zone is one of this machine's zone.
    """
    if text.isascii() and text.isdigit():
        return int(text)
    if _TIME.match(text):
        try:
            return datetime.fromisoformat(text).astimezone()
        except ValueError:
            return text
    return text


def confirmed(question: str, *, yes: bool) -> None:
    """Go on only if the user agrees; asked on standard error, so that standard output stays clean."""
    if not yes and not typer.confirm(question, err=True):
        raise typer.Exit(1)


def _complete_namespace(ctx: typer.Context, incomplete: str) -> list[str]:
    try:
        infos = Memory("any", ctx.params.get("url")).store.run(ListNamespaces(incomplete))
    except BotWireError:
        return []  # a shell has no place for an error
    return [info.name for info in infos[:_MOST_SUGGESTIONS]]


def _complete_key(ctx: typer.Context, incomplete: str) -> list[str]:
    try:
        memory = Memory(ctx.params.get("namespace") or "", ctx.params.get("url"))
        return [key for key in memory.list_keys(incomplete, limit=_MOST_SUGGESTIONS) if key.isprintable()]
    except BotWireError:
        return []


Namespace: TypeAlias = Annotated[
    str, typer.Argument(help="Name of the namespace.", autocompletion=_complete_namespace, show_default=False)
]
Key: TypeAlias = Annotated[str, typer.Argument(help="The key.", autocompletion=_complete_key, show_default=False)]
Prefix: TypeAlias = Annotated[
    str, typer.Argument(help="Only keys that start with it.", autocompletion=_complete_key, show_default=False)
]
Url: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        "--store",
        metavar="URL",
        help="The store, such as sqlite:///memory.db; BOTWIRE_URL or your data folder where it is left out.",
        show_default=False,
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
At: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="MOMENT",
        help="Look at the past: a revision, a snapshot's label, or a time.",
        show_default=False,
    ),
]
Ttl: TypeAlias = Annotated[
    float | None,
    typer.Option("--ttl", metavar="SECONDS", help="Let it expire after so many seconds.", show_default=False),
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
