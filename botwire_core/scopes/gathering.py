"""How a report on runs is put together: from the registry, the record of use, and what each fork has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from botwire_core.codec import Value
from botwire_core.diff import Diff
from botwire_core.errors import InvalidValueError
from botwire_core.flows import Flow, ask
from botwire_core.protocol import MISSING, Compare, ListEntries, ListNamespaces, Missing
from botwire_core.scopes.naming import scoped_name
from botwire_core.scopes.ops import ListScoped, ReadUses, ScopedNamespace, Use
from botwire_core.scopes.report import MemoryReport, Place, RunColumn
from botwire_core.scopes.scope import Scope

__all__ = ["report_on"]


def report_on(base: str, runs: tuple[str, ...]) -> Flow[MemoryReport]:
    """Look at the runs of one memory, all that are known where none is named; every op of it is a read."""
    known = yield from ask(ListScoped(base))
    known = [one for one in known if not one.seed.startswith("fork:")]
    chosen = [one for one in known if not runs or one.scope.run_id in runs or one.isolation == "version"]
    for run in runs:
        if not any(one.scope.run_id == run for one in chosen):
            raise InvalidValueError(
                f"nothing is known of a run {run!r} on {base!r}", hint="`botwire scopes list` names those that are kept"
            )
    groups: dict[tuple[str | None, str | None], list[ScopedNamespace]] = {}
    for one in chosen:
        groups.setdefault((one.scope.variant, one.scope.run_id), []).append(one)
    born = yield from _born(base)
    columns = []
    for (variant, run_id), members in sorted(groups.items(), key=lambda item: [part or "" for part in item[0]]):
        columns.append((yield from _column(base, born, variant, run_id, members)))
    return MemoryReport(base, tuple(columns))


def _born(base: str) -> Flow[datetime | None]:
    """When a memory was made that is there now."""
    for info in (yield from ask(ListNamespaces(base))):
        if info.name == base:
            return info.created_at
    return None


def _changes(base: str, born: datetime | None, one: ScopedNamespace) -> Flow[Diff]:
    """What was changed in a namespace since its seed."""
    if one.seed == "empty":
        entries = yield from ask(ListEntries(one.name))
        return Diff(base, one.name, {entry.key: entry.value for entry in entries}, {}, [])
    if one.seed_revision and (born is None or born > one.created_at):
        # The memory is not the one that it began as; the fork's own past still shows what that was.
        return (yield from ask(Compare(one.name, one.name, one.seed_revision)))
    return (yield from ask(Compare(base, one.name, one.seed_revision)))


def _column(
    base: str, born: datetime | None, variant: str | None, run_id: str | None, members: list[ScopedNamespace]
) -> Flow[RunColumn]:
    before: dict[Place, Value | Missing] = {}
    after: dict[Place, Value | Missing] = {}
    uses: list[Use] = []
    for one in members:
        diff = yield from _changes(base, born, one)
        _note_changes(one.scope.datapoint_id, diff, before, after)
        uses += yield from ask(ReadUses(one.name, base))
    first = members[0]
    run_name = scoped_name(base, Scope(variant, run_id), "run" if run_id is not None else "version")
    if run_name not in {one.name for one in members}:
        uses += yield from ask(ReadUses(run_name, base))  # what lost its scope is counted for the run
    counts: Counter[str] = Counter()
    for use in uses:
        counts[use.kind] += use.count
        if use.kind == "read":
            counts["hits"] += use.hits
            counts["own"] += use.own
    points = {use.datapoint_id for use in uses if use.datapoint_id is not None}
    seeds = {(base, one.seed, one.seed_revision) for one in members}
    return RunColumn(
        variant,
        run_id,
        base,
        first.isolation,
        (base, first.seed, first.seed_revision) if len(seeds) == 1 else (base, "several", -1),
        tuple(one.name for one in members),
        len(points),
        counts["hits"] - counts["own"],
        counts["own"],
        counts["read"] - counts["hits"],
        counts["list"],
        counts["write"],
        counts["delete"],
        counts["unscoped"],
        before,
        after,
        _order_dependent(uses),
        tuple(uses),
    )


def _note_changes(
    point: str | None, diff: Diff, before: dict[Place, Value | Missing], after: dict[Place, Value | Missing]
) -> None:
    for key, value in diff.added.items():
        before[point, key], after[point, key] = MISSING, value
    for key, value in diff.removed.items():
        before[point, key], after[point, key] = value, MISSING
    for changed in diff.changed:
        before[point, changed.key], after[point, changed.key] = changed.before, changed.after


def _order_dependent(uses: Sequence[Use]) -> dict[str, tuple[str, ...]]:
    """The keys that one datapoint wrote and another one met, in a namespace that they share."""
    writers: dict[tuple[str, str], set[str]] = {}
    readers: dict[tuple[str, str], set[str]] = {}
    listers: dict[str, dict[str, set[str]]] = {}
    for use in uses:
        if use.datapoint_id is None:
            continue
        if use.kind in ("write", "delete"):
            writers.setdefault((use.namespace, use.key), set()).add(use.datapoint_id)
        elif use.kind == "read":
            readers.setdefault((use.namespace, use.key), set()).add(use.datapoint_id)
        elif use.kind == "list":
            listers.setdefault(use.namespace, {}).setdefault(use.key, set()).add(use.datapoint_id)
    found: dict[str, tuple[str, ...]] = {}
    for place, who in sorted(writers.items()):
        everybody = who | readers.get(place, set())
        # What is appended to a log stands under its name and a slash.
        for prefix, points in listers.get(place[0], {}).items():
            if f"{place[1]}/".startswith(prefix):
                everybody |= points
        if len(everybody) > 1:
            found[place[1]] = tuple(sorted(everybody))
    return found
