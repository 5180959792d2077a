"""Commands for whole namespaces: namespaces, stats, fork, snapshot, drop."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botwire.cli.failures import not_there
from botwire.cli.options import At, Json, Namespace, Ttl, Url, Yes, confirmed, moment, open_memory
from botwire.cli.output import console, print_json, print_table
from botwire.cli.text import time_text, visible
from botwire_core.memory import Memory
from botwire_core.protocol import ListNamespaces
from botwire_core.results import NamespaceInfo, Revision

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

__all__ = ["drop", "fork", "list_names", "namespaces", "snapshot", "stats"]


def namespaces(
    prefix: Annotated[str, typer.Argument(help="Only names that start with it.", show_default=False)] = "",
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show the namespaces as a tree: which is a fork of which, and how many keys changed in it."""
    infos = _infos(url, prefix)
    if as_json:
        print_json({"count": len(infos), "namespaces": [_members(info) for info in infos]})
        return
    known = {info.name for info in infos}
    children: dict[str | None, list[NamespaceInfo]] = {}
    for info in infos:
        children.setdefault(info.parent if info.parent in known else None, []).append(info)
    from rich.tree import Tree

    root = Tree("", hide_root=True)
    _grow(root, None, children)
    if infos:
        console().print(root)


def list_names(url: str | None, *, as_json: bool) -> None:
    """List the names of the namespaces, one on a line."""
    names = [info.name for info in _infos(url, "")]
    if as_json:
        print_json({"count": len(names), "namespaces": names})
    else:
        for name in names:
            typer.echo(name)


def stats(namespace: Namespace, url: Url = None, as_json: Json = False) -> None:
    """Tell how much a namespace holds: keys, bytes, revision, forks, snapshots, writes since midnight UTC."""
    members = asdict(open_memory(namespace, url).stats())
    if as_json:
        print_json(members)
        return
    for name, value in members.items():
        typer.echo(f"{name.replace('_', ' '):<13} {value if isinstance(value, str) else f'{value:,}'}")


def fork(
    namespace: Namespace,
    name: Annotated[str, typer.Argument(help="Name of the new namespace.", show_default=False)],
    at: At = None,
    ttl: Ttl = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Make a namespace that starts as another one stands, copy-on-write, whatever its size."""
    open_memory(namespace, url).fork(name, at=None if at is None else moment(at), ttl=ttl)
    (info,) = (info for info in _infos(url, name) if info.name == name)
    if as_json:
        print_json(_members(info))
    else:
        typer.echo(f"{name}: a fork of {namespace} at revision {info.forked_at}")


def snapshot(
    namespace: Namespace,
    label: Annotated[str | None, typer.Argument(help="What to call it.", show_default=False)] = None,
    show: Annotated[bool, typer.Option("--list", "-l", help="List the snapshots.")] = False,
    delete: Annotated[
        str | None, typer.Option("--delete", metavar="LABEL", help="Let go of a snapshot.", show_default=False)
    ] = None,
    ttl: Ttl = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Keep the present revision under a label, to look at, compare with or fork from later."""
    memory = open_memory(namespace, url)
    if show:
        _print_snapshots(memory.snapshots(), as_json=as_json)
    elif delete is not None:
        if not memory.delete_snapshot(delete):
            raise not_there(f"{namespace} has no snapshot {delete!r}", as_json=as_json)
        if as_json:
            print_json({"namespace": namespace, "deleted": delete})
        else:
            typer.echo(f"{visible(delete)}: no longer kept")
    else:
        made = memory.snapshot(label, ttl=ttl)
        if as_json:
            print_json({"namespace": namespace, **_snapshot_members(made)})
        else:
            typer.echo(f"{visible(made.label or '')}: revision {made.number} of {namespace}")


def drop(namespace: Namespace, yes: Yes = False, url: Url = None, as_json: Json = False) -> None:
    """Delete a whole namespace with its history. Its forks stay as they are."""
    confirmed(f"Delete {namespace} and its history?", yes=yes)
    dropped = open_memory(namespace, url).drop()
    if not dropped:
        raise not_there(f"there is no namespace {namespace}", as_json=as_json)
    if as_json:
        print_json({"namespace": namespace, "dropped": True})
    else:
        typer.echo(f"{namespace}: dropped")


def _infos(url: str | None, prefix: str) -> list[NamespaceInfo]:
    # An op that is about no one namespace; any name gives a way to the store.
    return Memory("any", url).store.run(ListNamespaces(prefix))


def _grow(tree: Tree, parent: str | None, children: dict[str | None, list[NamespaceInfo]]) -> None:
    for info in children.get(parent, ()):
        _grow(tree.add(_label(info)), info.name, children)


def _label(info: NamespaceInfo) -> Text:
    from rich.text import Text

    label = Text(info.name, style="bold")
    changed = f"{info.changed_keys:,} key{'' if info.changed_keys == 1 else 's'} changed"
    if info.parent is not None:
        notes = [f"from revision {info.forked_at}", changed]
    elif info.forked_at is not None:
        notes = [f"its parent is gone, from revision {info.forked_at}", changed]
    else:
        notes = [
            f"revision {info.revision}",
            f"{info.changed_keys:,} key{'' if info.changed_keys == 1 else 's'} written",
        ]
    if info.expires_at is not None:
        notes.append(f"expires {time_text(info.expires_at)}")
    return label.append(f"  {', '.join(notes)}", style="dim not bold")


def _members(info: NamespaceInfo) -> dict[str, Any]:
    return {
        **asdict(info),
        "created_at": info.created_at.timestamp(),
        "expires_at": info.expires_at.timestamp() if info.expires_at else None,
    }


def _snapshot_members(revision: Revision) -> dict[str, Any]:
    return {
        "label": revision.label,
        "revision": revision.number,
        "created_at": revision.created_at.timestamp() if revision.created_at else None,
        "expires_at": revision.expires_at.timestamp() if revision.expires_at else None,
    }


def _print_snapshots(snapshots: list[Revision], *, as_json: bool) -> None:
    if as_json:
        print_json({"count": len(snapshots), "snapshots": [_snapshot_members(revision) for revision in snapshots]})
        return
    print_table(
        ("label", "revision", "made", "expires"),
        (
            (item.label or "", str(item.number), time_text(item.created_at), time_text(item.expires_at))
            for item in snapshots
        ),
        right=("revision",),
    )
