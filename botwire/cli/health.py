"""Commands on the installation: plugins and doctor."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from botwire.cli.failures import STORE_FAILED
from botwire.cli.options import Json, Url
from botwire.cli.output import print_json, print_table
from botwire.cli.text import visible
from botwire_core.connect import connect, default_url
from botwire_core.errors import BotWireError
from botwire_core.memory_handle import without_secrets
from botwire_core.plugins import PluginStatus, registry
from botwire_core.protocol import ListNamespaces
from botwire_core.store import Store

__all__ = ["doctor", "plugins"]


@dataclass(frozen=True, slots=True)
class _Finding:
    """What was found out about the store: `error` is None where all is well."""

    members: dict[str, Any]
    error: str | None = None
    hint: str = ""


def plugins(as_json: Json = False) -> None:
    """Show what plugins there are, what each provides, in what state it is, and what to install."""
    statuses = registry().status()
    if as_json:
        print_json({"plugins": [asdict(status) for status in statuses]})
    else:
        _print_plugins(statuses)


def doctor(url: Url = None, as_json: Json = False) -> None:
    """Check the store and the plugins, and print what an error report needs. Exits with 3 if the store is not well."""
    import botwire

    shown_url = without_secrets(url or default_url())
    finding = _examine(url)
    statuses = registry().status()
    if as_json:
        print_json(
            {
                "botwire": botwire.__version__,
                "python": platform.python_version(),
                "store": {"url": shown_url, **finding.members, "error": finding.error},
                "plugins": [asdict(status) for status in statuses],
            }
        )
    else:
        typer.echo(f"BotWire {botwire.__version__} on Python {platform.python_version()} ({sys.platform})\n")
        rows = {"store": shown_url, **finding.members}
        for name, value in rows.items():
            text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
            typer.echo(f"{name.replace('_', ' '):<16} {visible(text)}")
        if finding.error is not None:
            typer.secho(f"\nnot well: {visible(finding.error)}", fg="red")
            if finding.hint:
                typer.echo(f"  {visible(finding.hint)}")
        typer.echo()
        _print_plugins(statuses)
    if finding.error is not None:
        raise typer.Exit(STORE_FAILED)


def _examine(url: str | None) -> _Finding:
    try:
        store = connect(url)
        path = getattr(store, "path", None)
        if isinstance(path, str) and not Path(path).exists():
            # Opening it would make it, and a doctor only looks.
            return _Finding({"path": path, "state": "not there yet: the first write makes it"})
        return _look_into(store)
    except BotWireError as error:
        return _Finding({}, error.message, error.hint)


def _look_into(store: Store) -> _Finding:
    members: dict[str, Any] = {"kind": type(store).__name__, "features": ", ".join(sorted(store.features)) or "none"}
    health: Any = store.health() if hasattr(store, "health") else None
    if health is None:
        return _Finding({**members, "namespaces": len(store.run(ListNamespaces()))})
    members |= asdict(health)
    if health.integrity == "ok" or members.get("schema_version") == 0:
        return _Finding(members)
    hint = "stop all processes, keep a copy of the store, and export what can still be read"
    return _Finding(members, f"the store is damaged: {health.integrity}", hint)


def _print_plugins(statuses: list[PluginStatus]) -> None:
    print_table(
        ("plugin", "provides", "state", "to install"),
        (
            (
                status.name,
                status.provides,
                status.state,
                f"pip install '{status.install}'" if status.install else status.reason,
            )
            for status in statuses
        ),
    )
