"""What commands print: JSON, values, tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from botwire.cli.text import json_text, value_text, visible
from botwire_core.codec import Value

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "print_json", "print_table", "print_value"]

_WIDE = 100_000  # a table that goes into a file or a pipe is never wrapped


def print_json(value: Any) -> None:
    """Print one JSON document."""
    typer.echo(json_text(value))


def print_value(value: Value) -> None:
    """Print a value as JSON, with colours on a terminal."""
    text = value_text(value, indent=2)
    if not sys.stdout.isatty():
        typer.echo(text)
        return
    from rich.highlighter import JSONHighlighter
    from rich.text import Text

    console().print(JSONHighlighter()(Text(text)), soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """Print rows under headings; `right` names the columns that are aligned to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        # Text, since rich would take what stands in brackets for its markup.
        table.add_row(*(Text(visible(cell)) for cell in row))
    console().print(table)


def console(*, stderr: bool = False) -> Console:
    """A rich console that changes nothing of what it prints."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=None if stream.isatty() else _WIDE)
