"""What `import --from` does: a namespace of another store, told in numbers, and what could not come by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from botwire.cli.failures import NOT_THERE
from botwire.cli.output import print_json
from botwire.cli.text import visible
from botwire_core.bringing import bring
from botwire_core.memory import Memory
from botwire_core.memory_handle import without_secrets

__all__ = ["bring_over"]


def bring_over(
    memory: Memory,
    url: str,
    prefix: str,
    keys: str | None,
    *,
    progress: Callable[[int], object] | None,
    as_json: bool,
) -> None:
    """Bring the namespace of a memory over from the store at `url`, and say what came.

    `keys` names a file of keys; it ends with exit code 1 where a key could not come.
    """
    # Not the token of the target, which is none of the source's business.
    source = Memory(memory.namespace, url, token=os.environ.get("BOTWIRE_FROM_TOKEN", ""))
    wanted = None if keys is None else _keys_in(keys)
    brought = bring(source.store, memory.store, memory.namespace, prefix=prefix, keys=wanted, progress=progress)
    shown = without_secrets(url)
    if as_json:
        print_json(
            {
                "namespace": memory.namespace,
                "from": shown,
                "records": brought.written,
                "unchanged": brought.unchanged,
                "left": brought.left,
            }
        )
    else:
        typer.echo(f"{memory.namespace}: {brought.written:,} records brought over, {brought.unchanged:,} were there")
        for key, reason in brought.left.items():
            typer.echo(f"  {visible(key)} could not come: {visible(reason)}", err=True)
    if brought.left:
        raise typer.Exit(NOT_THERE)


def _keys_in(file: str) -> list[str]:
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line]
