"""What the variants of an experiment read, wrote and remembered, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from botwire_core.codec import Value, to_portable
from botwire_core.diff import same_value
from botwire_core.flows import arun_flow, run_flow
from botwire_core.protocol import MISSING, Missing
from botwire_core.records import record
from botwire_core.scopes.naming import Isolation
from botwire_core.scopes.ops import Use
from botwire_core.scopes.store import scoped
from botwire_core.store import Store

if TYPE_CHECKING:
    from botwire_core.scopes.report_text import View

__all__ = ["MemoryReport", "Place", "RunColumn"]

Place: TypeAlias = tuple[str | None, str]
"""A datapoint, where memory is isolated by it, and a key."""


@record
class RunColumn:
    """What one variant did in one run: counts, and every place that it left other than it found it.

    `seed` names what it started from; two columns can be compared only if theirs are equal. `order_dependent` has,
    by key, the datapoints that wrote it and read what others wrote: which value they met depends on who was first.
    """

    variant: str | None
    run_id: str | None
    base: str
    isolation: Isolation
    seed: tuple[str, str, int]
    """The base, the policy's seed, and the revision of the base."""
    namespaces: tuple[str, ...]
    datapoints: int
    reads_seed: int
    reads_own: int
    reads_missing: int
    lists: int
    writes: int
    deletes: int
    unscoped: int
    before: Mapping[Place, Value | Missing]
    """What the seed had at every place that was changed."""
    after: Mapping[Place, Value | Missing]
    """What stands there now."""
    order_dependent: Mapping[str, tuple[str, ...]]
    uses: tuple[Use, ...]

    @property
    def label(self) -> str:
        """The column's heading: its variant and its run."""
        return f"{self.variant or '(unknown variant)'} {f'({self.run_id})' if self.run_id else '(all runs)'}"

    @property
    def seed_changed(self) -> list[Place]:
        """The places at which the seed had something else, or has been taken away."""
        return [place for place, value in self.before.items() if not isinstance(value, Missing)]


@record
class MemoryReport:
    """The columns of some runs over one memory, in the order of their variants and runs."""

    base: str
    columns: tuple[RunColumn, ...]

    @classmethod
    def of(cls, store: Store, base: str, runs: Sequence[str] = ()) -> MemoryReport:
        """Look at the runs of one memory, at all that are known where none is named.

        Raises:
            InvalidValueError: nothing is known of a run.
        """
        from botwire_core.scopes.gathering import report_on

        outer = scoped(store)
        run_flow(outer.inner, outer.mover.written_down())
        return run_flow(outer.inner, report_on(base, tuple(runs)))

    @classmethod
    async def aof(cls, store: Store, base: str, runs: Sequence[str] = ()) -> MemoryReport:
        """Async twin of `of`."""
        from botwire_core.scopes.gathering import report_on

        outer = scoped(store)
        await arun_flow(outer.inner, outer.mover.written_down())
        return await arun_flow(outer.inner, report_on(base, tuple(runs)))

    @property
    def seeds_equal(self) -> bool:
        """Whether all columns started from the same."""
        return len({column.seed for column in self.columns}) <= 1

    @property
    def unscoped(self) -> int:
        """How many operations ran without a scope meanwhile."""
        return sum(column.unscoped for column in self.columns)

    def contamination(self, *, strict: bool = False) -> list[str]:
        """Why the columns cannot be trusted, a sentence each; `strict` adds what depends on the order."""
        found = []
        if self.unscoped:
            found.append(f"{self.unscoped} operations ran outside of every scope")
        if not self.seeds_equal:
            found.append("the variants started from different seeds")
        if strict:
            keys = sorted({key for column in self.columns for key in column.order_dependent})
            found += [f"{key!r} depends on the order of the datapoints" for key in keys]
        return found

    def places(self) -> list[Place]:
        """Every place that a column changed, in byte order of the keys."""
        places = {place for column in self.columns for place in column.after}
        return sorted(places, key=lambda place: (place[1].encode(), place[0] or ""))

    def value_at(self, column: RunColumn, place: Place) -> Value | Missing:
        """What stands at a place in a column, changed by it or not."""
        if place in column.after:
            return column.after[place]
        for other in self.columns:
            if place in other.before and other.seed == column.seed:
                return other.before[place]
        return MISSING

    def only_in(self, column: RunColumn) -> list[Place]:
        """The places that hold something in this column alone."""
        others = [other for other in self.columns if other is not column]
        return [
            place
            for place in self.places()
            if not isinstance(self.value_at(column, place), Missing)
            and others
            and all(isinstance(self.value_at(other, place), Missing) for other in others)
        ]

    def differing(self) -> list[Place]:
        """The places that hold something in at least two columns, and not the same in all of those."""
        found = []
        for place in self.places():
            values = [self.value_at(column, place) for column in self.columns]
            there = [value for value in values if not isinstance(value, Missing)]
            if len(there) > 1 and not all(same_value(there[0], value) for value in there[1:]):
                found.append(place)
        return found

    def by_datapoint(self) -> dict[str, dict[str, tuple[list[str], list[str]]]]:
        """By datapoint and by the label of a column: the keys that were read there, and those that were written."""
        found: dict[str, dict[str, tuple[list[str], list[str]]]] = {}
        for column in self.columns:
            for use in column.uses:
                if use.datapoint_id is None or use.kind not in ("read", "write", "delete"):
                    continue
                cell = found.setdefault(use.datapoint_id, {}).setdefault(column.label, ([], []))
                keys = cell[0 if use.kind == "read" else 1]
                if use.key not in keys:
                    keys.append(use.key)
        return dict(sorted(found.items()))

    def to_table(self, *, view: View = "version", keys_only: bool = False) -> str:
        """The report as aligned columns, by "version", "datapoint" or "key"; `keys_only` leaves every value out."""
        from botwire_core.scopes.report_text import table

        return table(self, view=view, keys_only=keys_only)

    def to_markdown(self, *, view: View = "version", keys_only: bool = False) -> str:
        """The report as a Markdown table, for a comment on a change."""
        from botwire_core.scopes.report_text import markdown

        return markdown(self, view=view, keys_only=keys_only)

    def to_json(self, *, keys_only: bool = False) -> dict[str, Any]:
        """The report as JSON members; `keys_only` leaves every value out."""

        def shown(value: Value | Missing) -> Any:
            return None if isinstance(value, Missing) else {} if keys_only else to_portable(value)

        def named(places: Sequence[Place]) -> list[dict[str, Any]]:
            return [{"key": key, **({} if point is None else {"datapoint": point})} for point, key in places]

        return {
            "base": self.base,
            "seeds_equal": self.seeds_equal,
            "unscoped": self.unscoped,
            "contamination": self.contamination(strict=True),
            "runs": [
                {
                    "variant": column.variant,
                    "run": column.run_id,
                    "isolation": column.isolation,
                    "seed": {"from": column.seed[1], "revision": column.seed[2]},
                    "namespaces": list(column.namespaces),
                    "datapoints": column.datapoints,
                    "reads": {
                        "seed": column.reads_seed,
                        "own": column.reads_own,
                        "missing": column.reads_missing,
                        "lists": column.lists,
                    },
                    "writes": column.writes,
                    "deletes": column.deletes,
                    "unscoped": column.unscoped,
                    "seed_changed": named(column.seed_changed),
                    "only_here": named(self.only_in(column)),
                    "order_dependent": {key: list(points) for key, points in column.order_dependent.items()},
                }
                for column in self.columns
            ],
            "keys": [
                {**named([place])[0], "values": [shown(self.value_at(column, place)) for column in self.columns]}
                for place in self.places()
            ],
            "datapoints": {
                point: {label: {"read": read, "written": written} for label, (read, written) in cells.items()}
                for point, cells in self.by_datapoint().items()
            },
        }
