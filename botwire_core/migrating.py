"""A whole store carried into another: family by family, each in one transaction, and each read back.

What is at the target already is compared and left alone, so a run that was cut off is finished by the next one, and a
run too many changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from botwire_core.clock import Clock
from botwire_core.errors import ConflictError, InvalidValueError, StoreCorruptError, UnsupportedError
from botwire_core.family_copy import FamilyCopy
from botwire_core.family_plan import first_of_families
from botwire_core.family_settled import CLOCKS_APART, first_difference
from botwire_core.migrating_records import carry_scopes, carry_tokens
from botwire_core.protocol import ImportFamily, ListNamespaces
from botwire_core.records import field, record
from botwire_core.store import Store

__all__ = ["Carried", "Migration", "Progress", "migrate"]

Outcome: TypeAlias = Literal["copied", "same", "to copy", "differs", "gone"]
Phase: TypeAlias = Literal["reading", "writing", "checking"]

_ABSENT: Final = "in everything: it is not there"
_NAMED: Final = 10
"""How many families that differ an error names."""


@record
class Carried:
    """What came of one family, named after its first namespace, which has `namespaces` and `rows` (versions of keys).

    `outcome`: "copied" and found equal, or with `dry_run` "to copy"; "same", it was there already; "differs", it is
    there and is not the same, or one of its names is taken (`reason` says which); "gone", it was dropped or expired
    meanwhile. `digest` is the SHA-256 of what `export(full=True)` writes of it, `bytes` the size of that.
    """

    family: str
    outcome: Outcome
    namespaces: int = 0
    rows: int = 0
    bytes: int = 0
    digest: str = ""
    reason: str = ""


@record
class Progress:
    """Where a migration is: what it does with which family, and how far it has come with it.

    `done` of `families` have been dealt with before.
    """

    family: str
    phase: Phase
    rows: int
    bytes: int
    done: int
    families: int


@record(frozen=False)
class Migration:
    """What a migration did, or with `dry_run` would do: a record for each family, and how many tokens were written.

    `scopes` counts the namespaces that were entered into the target's registry of scopes.
    """

    families: list[Carried] = field(default_factory=list)
    tokens: int = 0
    scopes: int = 0

    def of(self, outcome: Outcome) -> list[Carried]:
        """The families of which this came."""
        return [one for one in self.families if one.outcome == outcome]


def migrate(
    source: Store,
    target: Store,
    *,
    prefix: str = "",
    dry_run: bool = False,
    tell: Callable[[Carried], object] | None = None,
    progress: Callable[[Progress], object] | None = None,
    clock: Clock | None = None,
) -> Migration:
    """Carry every namespace of a store into another, with its past, its forks and everything that is kept of it.

    A namespace comes with all its forks, as one transaction of the target, and is then read back and compared by
    digest. Each family is as it was at the one moment when it was read; what is written to it afterwards stays behind,
    and the next run tells that it differs. Nothing that stands in the target is ever written over.

    Args:
        source: Any store with a past; it is only read.
        target: A store with a past.
        prefix: Only namespaces whose names start with it, with all their forks; without tokens then.
        dry_run: Compare, and write nothing.
        tell: Called with what came of each family, in the order in which they are carried.
        progress: Called now and then while a family is read, written and checked.
        clock: Epoch seconds, by which what expired on the way is told from what is missing; `time.time` by default.

    Raises:
        InvalidValueError: source and target are the same store.
        UnsupportedError: one of them keeps no past, or the target cannot keep what a family has.
        ConflictError: families, or tokens, are at the target already and differ; everything else was carried.
        StoreCorruptError: the target gives something else back than it was given.
    """
    if source is target:
        raise InvalidValueError("source and target are the same store", hint="name two different URLs")
    for store in (source, target):
        if "history" not in store.features:
            raise UnsupportedError(
                f"{type(store).__name__} keeps no past", hint="bring its values over with `botwire import --from`"
            )
    return _Run(source, target, dry_run, tell, progress, clock or time.time).all(prefix)


class _Run:
    """One migration under way."""

    def __init__(
        self,
        source: Store,
        target: Store,
        dry_run: bool,
        tell: Callable[[Carried], object] | None,
        progress: Callable[[Progress], object] | None,
        clock: Clock,
    ) -> None:
        self._source = source
        self._target = target
        self._dry_run = dry_run
        self._tell = tell
        self._progress = progress
        self._clock = clock
        self._made = Migration()
        self._planned = 0
        self._taken: set[str] = set()
        """The names that the target has."""
        self._seen: set[str] = set()
        """The names of families that have been dealt with; and below, of those that are the same at the target."""
        self._carried: set[str] = set()

    def all(self, prefix: str) -> Migration:
        self._taken = {info.name for info in self._target.run(ListNamespaces())}
        self._carry_families(prefix)
        refused = [f"{one.family!r} {one.reason}" for one in self._made.of("differs")]
        self._made.scopes = carry_scopes(self._source, self._target, self._carried, dry_run=self._dry_run)
        if not prefix:
            self._made.tokens, differing = carry_tokens(
                self._source, self._target, dry_run=self._dry_run, now=self._clock()
            )
            refused += [f"the token {id} has other grants or another expiry there" for id in differing]
        if refused:
            more = len(refused) - _NAMED
            named = "; ".join([*refused[:_NAMED], *([f"and {more:,} more"] if more > 0 else [])])
            raise ConflictError(
                f"not the same at the target: {named}",
                hint="what is there was left alone; drop it there if it may go, and run this again",
            )
        return self._made

    def _carry_families(self, prefix: str) -> None:
        # Again where one is gone meanwhile: forks that outlive it are families of their own from then on.
        while plan := [name for name in first_of_families(self._source, prefix) if name not in self._seen]:
            self._planned += len(plan)
            gone = False
            for family in plan:
                carried = self._carry(family)
                self._made.families.append(carried)
                if self._tell is not None:
                    self._tell(carried)
                gone = gone or carried.outcome == "gone"
            if not gone:
                break

    def _carry(self, family: str) -> Carried:
        self._seen.add(family)
        with FamilyCopy(family) as copy:
            if not copy.read(self._source, self._watch(family, "reading")):
                return Carried(family, "gone")
            outcome, reason = self._outcome(copy)
            if outcome != "gone":
                self._seen.update(copy.names)
            if outcome not in ("gone", "differs"):
                self._carried.update(copy.names)
            return Carried(family, outcome, len(copy.names), copy.rows, copy.bytes, copy.digest, reason)

    def _outcome(self, copy: FamilyCopy) -> tuple[Outcome, str]:
        family = copy.namespace
        if family in self._taken:
            difference = self._difference(copy)
            if difference is None:
                return "same", ""
            if difference != _ABSENT:
                return "differs", f"differs {difference}"
            if self._has_ended(copy):
                return "gone", ""
            self._taken.discard(family)  # somebody dropped it there
        taken = sorted(self._taken.intersection(copy.names))
        if taken:
            return "differs", f"has a fork {taken[0]!r}, a name that is taken there"
        if self._dry_run:
            return "to copy", ""
        watch = self._watch(family, "writing")
        self._target.run(ImportFamily(family, copy.parts(lambda rows: watch(rows, copy.bytes))))
        self._taken.update(copy.names)
        return self._checked(copy), ""

    def _checked(self, copy: FamilyCopy) -> Outcome:
        """Look whether the target gives back what it was given.

        Raises:
            StoreCorruptError: it gives something else.
        """
        difference = self._difference(copy)
        if difference is None:
            return "copied"
        if difference == _ABSENT and self._has_ended(copy):
            return "gone"
        raise StoreCorruptError(
            f"the target gives {copy.namespace!r} back otherwise than it was given: it differs {difference}",
            hint="unless somebody wrote to it meanwhile, trust neither the target nor the way to it",
        )

    def _difference(self, copy: FamilyCopy) -> str | None:
        with FamilyCopy(copy.namespace) as there:
            if not there.read(self._target, self._watch(copy.namespace, "checking")):
                return _ABSENT
            return first_difference(copy, there, self._latest())

    def _has_ended(self, copy: FamilyCopy) -> bool:
        first = next(one for one in copy.members if one.name is not None)
        return first.expires is not None and first.expires <= self._latest()

    def _latest(self) -> int:
        """A moment, in microseconds, that no clock of the two stores has passed."""
        return int((self._clock() + CLOCKS_APART) * 1_000_000)

    def _watch(self, family: str, phase: Phase) -> Callable[[int, int], None]:
        def watch(rows: int, size: int) -> None:
            if self._progress is not None:
                done = len(self._made.families)
                self._progress(Progress(family, phase, rows, size, done, self._planned))

        return watch
