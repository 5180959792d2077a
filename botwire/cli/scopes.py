"""Commands for the memories of experiments: what there is, what they remembered, and what becomes of them."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from botwire.cli.comparing import print_merge
from botwire.cli.failures import NOT_THERE
from botwire.cli.options import Json, Namespace, Url, Yes, confirmed
from botwire.cli.output import print_json, print_table
from botwire.cli.text import time_text, visible
from botwire_core.connect import connect
from botwire_core.errors import InvalidValueError
from botwire_core.protocol import Strategy

__all__ = ["gc", "list_", "promote", "report"]

_Base = Annotated[str | None, typer.Argument(help="Only those of this memory.", show_default=False)]
_Run = Annotated[str | None, typer.Option("--run", metavar="ID", help="Only those of this run.", show_default=False)]


def list_(
    base: _Base = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="ID", help="Only those of this variant.", show_default=False)
    ] = None,
    run: _Run = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List the memories of experiments, with the ids that their names stand for."""
    from botwire_core.scopes.upkeep import scoped_namespaces

    found = scoped_namespaces(connect(url), base, variant=variant, run_id=run)
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "base": one.base,
                    "isolation": one.isolation,
                    "variant": one.scope.variant,
                    "run": one.scope.run_id,
                    "datapoint": one.scope.datapoint_id,
                    "trial": one.scope.trial,
                    "experiment": one.scope.experiment,
                    "source": one.scope.source,
                    "seed": one.seed,
                    "seed_revision": one.seed_revision,
                    "created_at": one.created_at.timestamp(),
                    "expires_at": one.expires_at.timestamp() if one.expires_at else None,
                }
                for one in found
            ]
        )
        return
    print_table(
        ["NAME", "VARIANT", "RUN", "DATAPOINT", "SEED", "CREATED", "EXPIRES"],
        (
            [
                one.name,
                one.scope.variant or "",
                one.scope.run_id or "",
                one.scope.datapoint_id or "",
                f"{one.seed} at {one.seed_revision}",
                time_text(one.created_at),
                time_text(one.expires_at),
            ]
            for one in found
        ),
    )


def report(
    base: Namespace,
    runs: Annotated[
        list[str] | None, typer.Argument(help="The runs to compare; all that are kept where none is named.")
    ] = None,
    view: Annotated[str, typer.Option("--by", metavar="version|datapoint|key", help="What a row is.")] = "version",
    form: Annotated[str, typer.Option("--format", metavar="table|markdown|json", help="How to print it.")] = "table",
    strict: Annotated[
        bool, typer.Option("--strict", help="Keys that depend on the order of the datapoints count as contamination.")
    ] = False,
    keys_only: Annotated[bool, typer.Option("--keys-only", help="Leave the values out: they may be personal.")] = False,
    url: Url = None,
) -> None:
    """Compare what the variants of an experiment read, wrote and remembered; exit with 1 if they are contaminated."""
    from botwire_core.scopes import report_text
    from botwire_core.scopes.report import MemoryReport

    if view not in ("version", "datapoint", "key"):
        raise InvalidValueError(f"--by: {view!r} is unknown", hint="use version, datapoint or key")
    if form not in ("table", "markdown", "json"):
        raise InvalidValueError(f"--format: {form!r} is unknown", hint="use table, markdown or json")
    made = MemoryReport.of(connect(url), base, runs or ())
    if form == "json":
        print_json(made.to_json(keys_only=keys_only))
    else:
        text = report_text.markdown if form == "markdown" else report_text.table
        typer.echo(text(made, view=cast(report_text.View, view), keys_only=keys_only), nl=False)
    if made.contamination(strict=strict):
        raise typer.Exit(NOT_THERE)


def promote(
    name: Annotated[str, typer.Argument(help="The memory of an experiment, as `scopes list` names it.")],
    keys: Annotated[
        str | None, typer.Option("--keys", metavar="GLOB", help="Only keys that match.", show_default=False)
    ] = None,
    strategy: Annotated[
        str, typer.Option("--strategy", metavar="fail|ours|theirs", help="What to do where both sides changed.")
    ] = "fail",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    url: Url = None,
) -> None:
    """Bring what an experiment has changed into the memory that it was forked from, all or nothing."""
    from botwire_core.scopes.upkeep import promote as merge_back

    if strategy not in ("fail", "ours", "theirs"):
        raise InvalidValueError(f"--strategy: {strategy!r} is unknown", hint="use fail, ours or theirs")
    result = merge_back(connect(url), name, keys=keys, strategy=cast(Strategy, strategy), dry_run=dry_run)
    print_merge(result, dry_run=dry_run)
    if not result.applied and result.conflicts and strategy == "fail":
        raise typer.Exit(NOT_THERE)


def gc(
    base: _Base = None,
    run: _Run = None,
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="SECONDS", help="Only those made so long ago, or before.")
    ] = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    yes: Yes = False,
    url: Url = None,
) -> None:
    """Drop the memories of experiments, with all that is recorded of them; the memories themselves stay."""
    from botwire_core.scopes.upkeep import collect

    store = connect(url)
    names = collect(store, base, run_id=run, older_than=older_than, dry_run=True)
    for name in names:
        typer.echo(visible(name))
    if dry_run or not names:
        typer.echo(f"{len(names)} would go" if dry_run else "nothing to drop")
        return
    confirmed(f"Drop these {len(names)} memories of experiments?", yes=yes)
    typer.echo(f"{len(collect(store, base, run_id=run, older_than=older_than))} dropped")
