"""Forks, snapshots, expiries, prunes, merges and purges in any order, against memory as one would first think of it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contracts.alternating import Alternating
from contracts.buggy import ErasesOnlyHere, ForgetsMerges, LeaksForks
from contracts.naive import ABSENT, Cell, Space, is_row, merge_values, repr_of
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from with_postgres.invariants import broken
from with_postgres.servers import Database

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import ConflictError, InvalidValueError, RevisionPrunedError
from botwire_core.family import FamilyPart
from botwire_core.results import Record, Retention
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_postgres.url import open_url

NAMES = st.sampled_from(["base", "one", "two"])
PAIRS = st.permutations(["base", "one", "two"]).map(lambda names: names[:2]) | st.just(["one", "one"])
KEYS = st.sampled_from(["a", "b", "b/c"])
LOGS = st.sampled_from(["chat", "b"])
VALUES = st.sampled_from([1, 1.0, "x", None, [], {"n": 1}, {"n": 2}, {"n": 1, "m": {"x": 1}}, {"n": 1, "m": {"x": 2}}])
TTLS = st.none() | st.sampled_from([10.0, 100.0])
FRACTIONS = st.sampled_from([1.0, 0.0, 0.3, 0.6, 0.9])
RETENTIONS = st.sampled_from([Retention(1, 0.0), Retention(2, 20.0), Retention()])


class AgainstTheModel(RuleBasedStateMachine):
    """The store under test beside a naive model of it, which is asked the same after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.store = self.open()
        self.spaces: dict[str, Space] = {}
        self.texts = (f"text {number}" for number in itertools.count())
        self.lets_go = False
        self.dropped: list[Space] = []

    def open(self) -> Store:
        return DictStore(clock=self.clock)

    # --- the model's side ------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.clock()

    def space(self, name: str) -> Space:
        space = self.spaces.get(name)
        if space is None or (space.expires is not None and space.expires <= self.now):
            if space is not None:
                self.dropped.append(space)
            space = self.spaces[name] = Space.empty()
        return space

    def there(self, name: str) -> Space | None:
        space = self.spaces.get(name)
        return None if space is None or (space.expires is not None and space.expires <= self.now) else space

    def expiry(self, ttl: float | None) -> float | None:
        return None if ttl is None else self.now + ttl

    def cell(self, space: Space, key: str, value: Any, expires: float | None, told: int, **more: int) -> Cell:
        """The cell of a write; `told` is the version that the store gave."""
        least = space.next_version(key)
        before = space.cells.get(key)
        if before is None or not before.live(self.now):
            # What is gone may be forgotten whole: then its versions go on from a higher one.
            assert told >= least, f"{key!r} went back from version {least - 1} to {told}"
        else:
            assert told == least
        return Cell(value, told, expires, **more)

    @initialize(base=RETENTIONS, one=RETENTIONS)
    def start_with_a_family(self, base: Retention, one: Retention) -> None:
        for key in ("a", "b", "b/c"):
            self.set("base", key, {"n": 0, "m": {"x": 0}}, None)
        self.append("base", "chat", 2, None)
        self.fork("base", "one", 1.0, None)
        self.fork("one", "two", 1.0, None)
        self.keep_less("base", base)
        self.keep_less("one", one)

    # --- writes ------------------------------------------------------------------------------------------------

    @rule(name=NAMES, key=KEYS, value=VALUES, ttl=TTLS)
    def set(self, name: str, key: str, value: Any, ttl: float | None) -> None:
        version = self.store.run(p.Set(name, key, encode(value), ttl))
        space = self.space(name)
        space.write({key: self.cell(space, key, value, self.expiry(ttl), version)})

    @rule(name=NAMES, key=KEYS, times=st.sampled_from([17, 40]))
    def set_again_and_again(self, name: str, key: str, times: int) -> None:
        """Often enough that old versions are let go."""
        for _ in range(times):
            self.set(name, key, next(self.texts), None)

    @rule(name=NAMES, key=KEYS)
    def delete(self, name: str, key: str) -> None:
        space = self.there(name)
        stood = space is not None and key in space.live(self.now)
        assert self.store.run(p.Delete(name, key)) is stood
        if stood and space is not None:
            space.write({key: Cell(ABSENT, space.next_version(key))})

    @rule(name=NAMES, key=KEYS)
    def increment(self, name: str, key: str) -> None:
        space = self.space(name)
        before = space.live(self.now).get(key, 0)
        if type(before) not in (int, float):
            with pytest.raises(InvalidValueError):
                self.store.run(p.Increment(name, key))
            return
        assert repr(self.store.run(p.Increment(name, key))) == repr(before + 1)
        cell = space.cells.get(key)
        expires = cell.expires if cell is not None and cell.live(self.now) else None
        space.write({key: self.cell(space, key, before + 1, expires, self.version(name, key))})

    @rule(name=NAMES, log=LOGS, count=st.integers(1, 3), ttl=TTLS)
    def append(self, name: str, log: str, count: int, ttl: float | None) -> None:
        values = [next(self.texts) for _ in range(count)]
        keys = self.store.run(p.Append(name, log, tuple(map(encode, values)), ttl))
        space = self.space(name)
        self.check_rows(space, log, keys)
        space.write({key: Cell(value, 1, self.expiry(ttl)) for key, value in zip(keys, values, strict=True)})

    def check_rows(self, space: Space, log: str, keys: list[str]) -> None:
        """The numbers of new rows follow each other, above every one that there was; of what is gone for good, an
        ancestor may remember numbers beyond."""
        first, last = int(keys[0][-19:]), space.last_number(log)
        assert first == last + 1 or (first > last and self.lets_go)
        assert keys == [f"{log}/{first + i:019}" for i in range(len(keys))]

    @rule(name=NAMES, key=KEYS, ttl=TTLS)
    def expire(self, name: str, key: str, ttl: float | None) -> None:
        space = self.there(name)
        stood = space is not None and key in space.live(self.now)
        assert self.store.run(p.Expire(name, key, ttl)) is stood
        if stood and space is not None:
            space.write({key: Cell(space.cells[key].value, space.next_version(key), self.expiry(ttl))})

    @rule(name=NAMES, prefix=st.sampled_from(["", "b", "chat/"]))
    def clear(self, name: str, prefix: str) -> None:
        space = self.there(name)
        gone = [key for key in (space.live(self.now) if space else {}) if key.startswith(prefix)]
        assert self.store.run(p.Clear(name, prefix)) == len(gone)
        if space is not None:
            space.write({key: Cell(ABSENT, space.next_version(key)) for key in gone})

    @rule(name=NAMES, values=st.dictionaries(KEYS, VALUES, max_size=3))
    def import_(self, name: str, values: dict[str, Any]) -> None:
        self.store.run(p.Import(name, [Record(key, value) for key, value in values.items()]))
        if values:
            space = self.space(name)
            cells = {k: self.cell(space, k, value, None, self.version(name, k)) for k, value in values.items()}
            space.write(cells)

    @rule(name=NAMES, key=KEYS, which=FRACTIONS)
    def restore(self, name: str, key: str, which: float) -> None:
        space = self.there(name)
        versions = space.versions(key) if space else []
        if space is None or not versions:
            return
        old = versions[int(which * (len(versions) - 1))]
        try:
            version = self.store.run(p.Restore(name, key, old.version))
        except RevisionPrunedError:
            assert old is not versions[0] or not old.live(self.now)
            return
        except InvalidValueError:
            # The key was forgotten whole, and with it the memory that it ever had this version.
            assert not versions[0].live(self.now)
            return
        if old.value is not ABSENT:
            space.write({key: self.cell(space, key, old.value, None, version)})
        elif key in space.live(self.now):
            space.write({key: self.cell(space, key, ABSENT, None, version)})

    # --- namespaces ----------------------------------------------------------------------------------------------

    @rule(name=NAMES, new=NAMES, which=FRACTIONS, ttl=TTLS)
    def fork(self, name: str, new: str, which: float, ttl: float | None) -> None:
        if self.there(new) is not None or name == new:
            with pytest.raises(ConflictError):
                self.store.run(p.Fork(name, new))
            return
        space = self.space(name)
        at = round(which * space.head)
        try:
            info = self.store.run(p.Fork(name, new, at, ttl))
        except RevisionPrunedError:
            assert not self.protected(space, at)
            if name not in [one.name for one in self.store.run(p.ListNamespaces())]:
                del self.spaces[name]
            return
        assert (info.name, info.revision, info.changed_keys) == (new, at, 0)
        if new in self.spaces:
            self.dropped.append(self.spaces[new])
        self.spaces[new] = space.fork(at, self.expiry(ttl))

    @rule(name=NAMES)
    def drop(self, name: str) -> None:
        assert self.store.run(p.Drop(name)) is (self.there(name) is not None)
        if name in self.spaces:
            self.dropped.append(self.spaces.pop(name))

    @rule(name=NAMES, label=st.sampled_from(["x", "y"]))
    def snapshot(self, name: str, label: str) -> None:
        space = self.space(name)
        if label in space.snapshots:
            with pytest.raises(ConflictError):
                self.store.run(p.Snapshot(name, label))
            return
        assert self.store.run(p.Snapshot(name, label)).number == space.head
        space.snapshots[label] = space.head

    @rule(name=NAMES, label=st.sampled_from(["x", "y"]))
    def delete_snapshot(self, name: str, label: str) -> None:
        space = self.there(name)
        kept = space is not None and space.snapshots.pop(label, None) is not None
        assert self.store.run(p.DeleteSnapshot(name, label)) is kept

    @rule(name=NAMES, retention=RETENTIONS)
    def keep_less(self, name: str, retention: Retention) -> None:
        self.store.run(p.SetRetention(name, retention))
        self.space(name)

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(name=NAMES, what=st.sampled_from(["a", "b", "chat"]))
    def purge(self, name: str, what: str) -> None:
        self.sweep()
        result = self.store.run(p.Purge(name, what))
        space = self.there(name)
        if space is None:
            assert (result.keys, result.versions) == ([], 0)
            return
        self.lets_go = True
        reached = self.reached_from(space)
        keys = sorted({key for one in reached for commit in one.commits for key in commit.cells})
        keys = [key for key in keys if key == what or key.startswith(f"{what}/")]
        assert set(result.keys) <= set(keys)
        for one in reached:
            one.remember(keys)
        for one in sorted(reached, key=lambda one: one.depth):  # parents first
            one.erase(keys)
        for other, one in self.spaces.items():
            if one in reached and self.there(other) is not None:
                one.write({key: cell for key in keys for cell in self.hidden(other, one, key)})

    def reached_from(self, space: Space) -> list[Space]:
        """A namespace, what was forked from it, and what was dropped above it and nobody else needs."""
        everybody = [*self.spaces.values(), *self.dropped]
        reached = [one for one in everybody if one.descends_from(space)]
        above = space.parent
        while above is not None and above in self.dropped:
            if any(one.descends_from(above) and one not in reached for one in self.spaces.values()):
                break
            reached += [one for one in everybody if one.descends_from(above) and one not in reached]
            above = above.parent
        return reached

    def hidden(self, name: str, space: Space, key: str) -> list[Cell]:
        """What a purge put before a value that an ancestor still holds: a delete, above every version there was."""
        told = self.store.run(p.GetHistory(name, key, 1))
        if not told or not told[0].deleted or (key in space.cells and space.cells[key].version >= told[0].version):
            return []
        assert told[0].version >= space.next_version(key)
        return [Cell(ABSENT, told[0].version)]

    def sweep(self) -> None:
        """A store that sweeps lets go of the names of what has expired."""

    # --- merges ----------------------------------------------------------------------------------------------------

    @rule(
        pair=PAIRS,
        changes=st.lists(st.tuples(st.booleans(), KEYS, VALUES), max_size=4),
        strategy=st.sampled_from(["fail", "ours", "theirs"]),
        keys=st.sampled_from(["*", "*", "b*"]),
    )
    def change_and_merge(self, pair: list[str], changes: list[tuple[bool, str, Any]], strategy: Any, keys: str) -> None:
        for is_ours, key, value in changes:
            self.set(pair[0] if is_ours else pair[1], key, value, None)
        self.merge(*pair, strategy, keys)

    def merge(self, name: str, other: str, strategy: Any, keys: str) -> None:
        theirs = self.there(other)
        if theirs is None:
            with pytest.raises(InvalidValueError):
                self.store.run(p.Merge(name, other))
            return
        ours = self.space(name)
        point = ours.merged.get((theirs.id, keys))
        base = point.cells if point is not None else ours.parted_from(theirs)
        expected, rows, conflicts = self.merged(base, ours, theirs, strategy, keys)
        planned = self.store.run(p.Merge(name, other, None, strategy, keys, True))
        result = self.store.run(p.Merge(name, other, None, strategy, keys))
        assert len(result.conflicts) == conflicts
        assert result.applied is (strategy != "fail" or conflicts == 0)
        assert (planned.written, planned.deleted, planned.appended) == (result.written, result.deleted, result.appended)
        assert planned.conflicts == result.conflicts
        assert planned.applied is False
        if not result.applied:
            assert (result.snapshot, result.revision) == (None, ours.head)
            return
        assert {*result.written, *result.deleted} == set(expected)
        assert result.deleted == sorted(key for key, cell in expected.items() if cell.value is ABSENT)
        for key, cell in expected.items():
            cell.version = ours.next_version(key) if cell.value is ABSENT else self.version(name, key)
        assert len(result.appended) == sum(map(len, rows.values()))
        appended = iter(result.appended)
        for log in sorted(rows):
            told = list(itertools.islice(appended, len(rows[log])))
            self.check_rows(ours, log, told)
            expected |= dict(zip(told, rows[log], strict=True))
        if expected:
            assert result.snapshot is not None
            ours.snapshots.setdefault(result.snapshot, ours.head)
        ours.write(expected)
        assert result.revision == ours.head
        ours.merged[theirs.id, keys] = theirs.commits[-1]

    def merged(
        self, base: dict[str, Cell], ours: Space, theirs: Space, strategy: str, keys: str
    ) -> tuple[dict[str, Cell], dict[str, list[Cell]], int]:
        """What a merge would write, the rows that it would append to each log, and how many conflicts it has."""
        written: dict[str, Cell] = {}
        conflicts = 0
        new_rows: dict[str, list[Cell]] = {}
        for key in sorted(base.keys() | theirs.cells.keys()):
            if keys == "b*" and not key.startswith("b"):
                continue
            before, their, our = (self.live_cell(cells, key) for cells in (base, theirs.cells, ours.cells))
            if is_row(key) and before is None:
                if their is not None:
                    new_rows.setdefault(key[:-20], []).append(their)
                continue
            values = [ABSENT if one is None else one.value for one in (before, our, their)]
            value, more = merge_values(values[0], values[1], values[2], strategy == "theirs")
            if is_row(key) and more:
                continue
            conflicts += more
            if repr_of(value) == repr_of(values[1]):
                continue
            expires = our.expires if our else None
            if their is not None and (before is None or their.expires != before.expires):
                expires = their.expires
            written[key] = Cell(value, 0, None if value is ABSENT else expires)
        have = {cell.origin for key, cell in ours.cells.items() if is_row(key) and cell.live(self.now)}
        rows = {
            log: [Cell(row.value, 1, row.expires, row.origin) for row in rows if row.origin not in have]
            for log, rows in new_rows.items()
        }
        return written, {log: cells for log, cells in rows.items() if cells}, conflicts

    def live_cell(self, cells: dict[str, Cell], key: str) -> Cell | None:
        cell = cells.get(key)
        return cell if cell is not None and cell.live(self.now) else None

    # --- looks ----------------------------------------------------------------------------------------------------

    def version(self, name: str, key: str) -> int:
        entry = self.store.run(p.GetEntry(name, key))
        assert entry is not None
        return entry.version

    def protected(self, space: Space, at: int) -> bool:
        """Whether a revision has to be kept, because it is the current one, or a snapshot or a fork needs it."""
        if at == space.head or at in space.snapshots.values():
            return True
        return any(other is not space and other.commits[-1] is space.commits[at] for other in self.spaces.values())

    @rule(name=NAMES, which=FRACTIONS)
    def look_back(self, name: str, which: float) -> None:
        space = self.there(name)
        if space is None:
            return
        at = round(which * space.head)
        try:
            entries = self.store.run(p.ListEntries(name, at=at))
        except RevisionPrunedError as error:
            assert not self.protected(space, at)
            assert error.oldest is None or at < error.oldest <= space.head
            self.look_back_at_each_key(name, space, at)
            return
        assert {entry.key: repr(entry.value) for entry in entries} == {
            key: repr(value) for key, value in space.live(self.now, at).items()
        }

    def look_back_at_each_key(self, name: str, space: Space, at: int) -> None:
        for key in sorted({key for commit in space.commits for key in commit.cells}):
            try:
                value = self.store.run(p.Get(name, key, at))
            except RevisionPrunedError as error:
                if error.oldest is not None:
                    later = self.store.run(p.Get(name, key, error.oldest))
                    expected = space.live(self.now, error.oldest).get(key, p.MISSING)
                    assert repr(later) == repr(expected)
                continue
            assert repr(value) == repr(space.live(self.now, at).get(key, p.MISSING)), f"{key!r} at {at}"

    @rule(name=NAMES, key=KEYS)
    def look_at_the_history(self, name: str, key: str) -> None:
        space = self.there(name)
        told = self.store.run(p.GetHistory(name, key))
        versions = {cell.version: cell for cell in (space.versions(key) if space else [])}
        assert [entry.version for entry in told] == sorted({entry.version for entry in told}, reverse=True)
        assert {entry.version for entry in told} <= versions.keys()
        for entry in told:
            cell = versions[entry.version]
            assert entry.deleted is (cell.value is ABSENT)
            assert entry.deleted or repr(entry.value) == repr(cell.value)
        newest = space.cells.get(key) if space else None
        if newest is not None and newest.live(self.now):
            assert told[0].version == newest.version

    @rule(name=NAMES, other=NAMES)
    def compare(self, name: str, other: str) -> None:
        one = self.spaces[name].live(self.now) if self.there(name) else {}
        two = self.spaces[other].live(self.now) if self.there(other) else {}
        diff = self.store.run(p.Compare(name, other))
        assert diff.added == {key: two[key] for key in two if key not in one}
        assert diff.removed == {key: one[key] for key in one if key not in two}
        assert [entry.key for entry in diff.changed] == [
            key for key in one if key in two and repr_of(one[key]) != repr_of(two[key])
        ]

    @rule(name=NAMES, which=FRACTIONS, limit=st.integers(1, 5))
    def follow_the_changes(self, name: str, which: float, limit: int) -> None:
        """Whoever applies the changes to what stood at a revision has what stands now."""
        space = self.there(name)
        if space is None:
            return
        since = at = round(which * space.head)
        seen = dict(space.live(self.now, since))
        try:
            while at < space.head:
                page = self.store.run(p.ListChanges(name, at, "", limit))
                assert page.revision > at
                for change in page.changes:
                    assert at < change.revision <= page.revision
                    seen.pop(change.key, None) if change.deleted else seen.update({change.key: change.value})
                at = page.revision
        except RevisionPrunedError:
            assert at == since, "the changes stopped in the middle"
            return
        assert {key: repr(seen[key]) for key in sorted(seen)} == {
            key: repr(value) for key, value in space.live(self.now).items()
        }

    @invariant()
    def every_namespace_stands_as_it_should(self) -> None:
        for name, space in self.spaces.items():
            there = self.there(name)
            expected = there.live(self.now) if there else {}
            entries = self.store.run(p.ListEntries(name))
            assert {entry.key: repr(entry.value) for entry in entries} == {
                key: repr(value) for key, value in expected.items()
            }, name
            if there is None:
                continue
            assert self.store.run(p.GetStats(name)).revision == space.head
            for label, number in space.snapshots.items():
                if not label.startswith("before-merge"):
                    assert self.store.run(p.Resolve(name, label)) == number


class SweptAgainstTheModel(AgainstTheModel):
    """A store that really prunes, sweeps and erases, opened twice."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="botwire-model-"))
        super().__init__()
        self.lets_go = True

    def teardown(self) -> None:
        assert isinstance(self.store, Alternating)
        self.store.close_both()
        shutil.rmtree(self.folder)

    @rule()
    def sweep(self) -> None:
        assert isinstance(self.store, Alternating)
        self.store.sweep()
        for name in [name for name in self.spaces if self.there(name) is None]:
            self.dropped.append(self.spaces.pop(name))

    @rule(name=NAMES, key=KEYS)
    def delete_and_forget(self, name: str, key: str) -> None:
        self.delete(name, key)
        self.time_passes(30)
        self.sweep()

    @rule()
    def close(self) -> None:
        self.store.close()

    @rule(name=NAMES)
    def copy_the_family_elsewhere(self, name: str) -> None:
        space = self.there(name)
        if space is None:
            return
        self.sweep()  # what has expired does not come along, and is not to be told apart from what was never there
        parts: list[FamilyPart] = []
        self.store.run(p.ExportFamily(name, parts.extend))
        copy = SqliteStore(
            self.folder / f"copy-{next(self.texts)}.db", durability="normal", clock=self.clock, monotonic=self.clock
        )
        copy.run(p.ImportFamily(name, iter(parts)))
        members = [one.name for one in copy.run(p.ListNamespaces())]
        assert members == [
            other for other in sorted(self.spaces) if self.there(other) and self.spaces[other].descends_from(space)
        ]
        family = {one.id for one in self.spaces.values() if one.descends_from(space)}
        # What a merge into another family or an ancestor protects here, nobody protects in the copy.
        protected = any(
            source in family
            for other in (*self.spaces.values(), *self.dropped)
            if other.id not in family
            for source, _ in other.merged
        )
        for member in members:
            for op in self.looks_at(member, self.spaces[member].head):
                told = self.answer(copy, op)
                let_go = protected and str(told).startswith("pruned")
                assert let_go or told == self.answer(self.store, op), f"{op!r} of a copy"
        copy.close()

    def looks_at(self, name: str, head: int) -> list[p.Op[Any]]:
        keys = ["a", "b", "b/c", "chat/0000000000000000001"]
        return [
            *(p.ListEntries(name, at=at) for at in range(head + 1)),
            *(p.GetHistory(name, key) for key in keys),
            *(p.ListChanges(name, since) for since in range(head + 1)),
            p.ListSnapshots(name),
            p.GetRetention(name),
            p.Append(name, "chat", (), None),
        ]

    def answer(self, store: Store, op: p.Op[Any]) -> str:
        try:
            return repr(store.run(op))
        except RevisionPrunedError as error:
            return f"pruned, {error.oldest} is the oldest"


class SqliteAgainstTheModel(SweptAgainstTheModel):
    def open(self) -> Store:
        path = self.folder / "memory.db"
        return Alternating(lambda: SqliteStore(path, durability="normal", clock=self.clock, monotonic=self.clock))

    @precondition(lambda self: self.spaces)
    @rule()
    def check_the_file(self) -> None:
        assert isinstance(self.store, Alternating)
        for store in self.store.stores:
            assert isinstance(store, SqliteStore)
            assert store.health().integrity == "ok"


_SETTINGS = settings(stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

TestDictStoreAgainstTheModel = AgainstTheModel.TestCase
TestDictStoreAgainstTheModel.settings = _SETTINGS
TestSqliteStoreAgainstTheModel = SqliteAgainstTheModel.TestCase
TestSqliteStoreAgainstTheModel.settings = _SETTINGS


def test_postgres_against_the_model(
    fresh_schema: Callable[..., str], postgres: Database, scale: Callable[[int], int]
) -> None:
    class PostgresAgainstTheModel(SweptAgainstTheModel):
        def open(self) -> Store:
            self.url = fresh_schema(pool=2)
            return Alternating(lambda: open_url(self.url, clock=self.clock))

        def teardown(self) -> None:
            super().teardown()
            assert broken(postgres, self.url) == {}

    # To shrink takes a new schema each time, for minutes; what fails can be reproduced as it is.
    few = settings(_SETTINGS, max_examples=scale(200), phases=[Phase.generate])
    run_state_machine_as_test(PostgresAgainstTheModel, settings=few)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kind", [LeaksForks, ForgetsMerges, ErasesOnlyHere])
def test_the_model_finds_a_seeded_bug(kind: type[DictStore]) -> None:
    class WithABug(AgainstTheModel):
        def open(self) -> Store:
            return kind(clock=self.clock)

    enough = settings(_SETTINGS, max_examples=1000, phases=[Phase.generate], derandomize=True, database=None)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(WithABug, settings=enough)  # type: ignore[no-untyped-call]
