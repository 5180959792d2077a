"""The command that looks for what leaks from one datapoint into another."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from botwire.cli.failures import NOT_THERE
from botwire.cli.options import Json, Url, open_memory
from botwire.cli.output import print_json
from botwire.cli.text import value_text, visible
from botwire_core.codec import to_portable
from botwire_core.errors import InvalidValueError
from botwire_core.protocol import Missing

__all__ = ["leaktest"]


def leaktest(
    task: Annotated[str, typer.Argument(help='The function that is called with each datapoint: "module:function".')],
    dataset: Annotated[Path, typer.Argument(help="JSON Lines, a datapoint each.")],
    memory: Annotated[str, typer.Option("--memory", metavar="NAMESPACE", help="The memory that the task uses.")],
    workers: Annotated[int, typer.Option("--workers", min=2, help="How many threads the parallel run has.")] = 4,
    seed: Annotated[int, typer.Option("--seed", help="Of the shuffled order.")] = 0,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Run a dataset serial, shuffled and parallel, and name every key whose value depends on the order.

    The memory itself is not changed. Exits with 1 if something leaks.
    """
    from botwire_core.scopes.leaks import ORDERS, find_leaks

    found = find_leaks(_function(task), _datapoints(dataset), open_memory(memory, url), workers=workers, seed=seed)
    if as_json:
        print_json(
            [
                {
                    "key": leak.key,
                    "differs": leak.differs,
                    "datapoints": list(leak.datapoints),
                    "values": {
                        order: None if isinstance(value, Missing) else to_portable(value)
                        for order, value in leak.values.items()
                    },
                }
                for leak in found
            ]
        )
    else:
        for leak in found:
            kind = "depends on the order" if leak.differs else "is shared, with the same end in each order"
            typer.echo(f"{visible(leak.key)}: {kind}")
            for order, value in leak.values.items():
                typer.echo(f"  {order:<8}  {'-' if isinstance(value, Missing) else value_text(value)}")
            if leak.datapoints:
                typer.echo(f"  written or met by datapoints {', '.join(leak.datapoints[:8])}")
        typer.echo(f"{len(found)} keys leak between datapoints in {len(ORDERS)} orders" if found else "nothing leaks")
    if found:
        raise typer.Exit(NOT_THERE)


def _function(name: str) -> Any:
    module, colon, attribute = name.partition(":")
    if not colon or not attribute.isidentifier():
        raise InvalidValueError(f"{name!r} names no function", hint='write "package.module:function"')
    sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidValueError(
            f"{name!r} cannot be imported: {error}", hint="run it from your project's folder"
        ) from error
    if not callable(function):
        raise InvalidValueError(f"{name!r} is not a function")
    return function


def _datapoints(path: Path) -> list[Any]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise InvalidValueError(
                f"{path}, line {number}: {error}", hint="write one JSON value in each line"
            ) from error
    return found
