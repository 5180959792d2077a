"""A whole store carried into another: everything comes, nothing twice, nothing half, and nothing unnoticed."""

from __future__ import annotations

import io
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import apsw
import pytest
from contracts.tiny import TinyStore
from core.lives import live

from botwire_core import protocol as p
from botwire_core.connect import connect
from botwire_core.errors import (
    ConflictError,
    InvalidValueError,
    RevisionPrunedError,
    ScopeError,
    StoreCorruptError,
    UnsupportedError,
)
from botwire_core.family import FamilyMember, FamilyRow
from botwire_core.family_copy import FamilyCopy
from botwire_core.family_settled import first_difference
from botwire_core.flows import run_flow
from botwire_core.memory import Memory
from botwire_core.migrating import Carried, Migration, Progress, migrate
from botwire_core.protocol import ImportFamily, Op
from botwire_core.records import replace
from botwire_core.results import Retention
from botwire_core.scopes.adopting import AdoptScoped
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.ops import ListScoped, ReadUses, Use
from botwire_core.scopes.policy import scope_policy
from botwire_core.service import CreateToken, FindToken, Grant, ListTokens, RevokeToken
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.families import picture
from botwire_core.testing.stores.space import Space

DAY = 86400.0


class Place:
    """Where the stores of a test are: each is empty when it is opened."""

    def __init__(self, kind: str, folder: Path, clock: ManualClock, fresh_schema: Callable[..., str] | None) -> None:
        self.keeps_holes = kind != "memory"
        self._kind = kind
        self._folder = folder
        self._clock = clock
        self._fresh_schema = fresh_schema
        self._opened: list[Any] = []

    def open(self) -> Any:
        self._opened.append(self._open())
        return self._opened[-1]

    def _open(self) -> Any:
        if self._kind == "memory":
            return DictStore(clock=self._clock)
        if self._fresh_schema is not None:
            from botwire_postgres.url import open_url  # here, since the other stores are tested without the extra

            return open_url(self._fresh_schema(), clock=self._clock)
        path = self._folder / f"{self._kind}-{len(self._opened)}.db"
        # The clock of the machine stands still where the manual one does, so that sweeps are not held back.
        return SqliteStore(path, clock=self._clock, monotonic=self._clock, durability="normal")

    def seeds(self, count: int) -> range:
        """As many lives as a test is to have, and fewer where each takes its time."""
        return range(count if self._fresh_schema is None else max(1, count // 4))

    def close(self) -> None:
        for store in self._opened:
            store.close()


@pytest.fixture
def sources(tmp_path: Path, clock: ManualClock) -> Iterator[Place]:
    place = Place("source", tmp_path, clock, None)
    yield place
    place.close()


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def targets(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Place]:
    fresh_schema = request.getfixturevalue("fresh_schema") if request.param == "postgres" else None
    place = Place(request.param, tmp_path, clock, fresh_schema)
    yield place
    place.close()


@pytest.fixture
def source(sources: Place) -> Any:
    return sources.open()


@pytest.fixture
def target(targets: Place) -> Any:
    return targets.open()


def names(store: Store) -> list[str]:
    return [info.name for info in store.run(p.ListNamespaces())]


def outcomes(made: Migration) -> dict[str, str]:
    return {one.family: one.outcome for one in made.families}


def sweep(store: Any) -> None:
    if not isinstance(store, DictStore):
        store.sweep()


def whole(store: Store, name: str) -> bytes:
    file = io.BytesIO()
    Memory(name, store=store).export(file, full=True)
    return file.getvalue()


# --- everything comes --------------------------------------------------------------------------------------------


def test_every_moment_of_random_stores_comes_over(
    sources: Place, targets: Place, clock: ManualClock, scale: Callable[[int], int]
) -> None:
    for seed in targets.seeds(scale(60)):
        source, target = sources.open(), targets.open()
        live(source, clock, seed, forgets=targets.keeps_holes, sweep=source.sweep if targets.keeps_holes else None)
        apart = {info.name for info in source.run(p.ListNamespaces()) if info.parent is None and info.forked_at}
        made = migrate(source, target, clock=clock)
        assert names(target) == names(source), seed
        assert set(outcomes(made).values()) == {"copied"}, seed
        sweep(target)
        assert set(outcomes(migrate(source, target, clock=clock)).values()) == {"same"}, seed
        source.sweep()
        for name in names(source):
            *seen, changes, moments = picture(Space(target.run, name))
            *before, changes_before, moments_before = picture(Space(source.run, name))
            if targets.keeps_holes:
                assert seen == before, (seed, name)
            for now, then in zip([changes, *moments], [changes_before, *moments_before], strict=True):
                # What only a namespace outside of the family protected is not known to be whole any more.
                assert now == then or (apart and now[0] is RevisionPrunedError), (seed, name)


def test_time_that_passes_between_two_runs_makes_no_difference(
    sources: Place, targets: Place, clock: ManualClock, scale: Callable[[int], int]
) -> None:
    for seed in targets.seeds(scale(100)):
        source, target = sources.open(), targets.open()
        live(source, clock, 1000 + seed, steps=80, forgets=targets.keeps_holes)
        migrate(source, target, clock=clock)
        for seconds, late in ((1, source), (4, target), (35, source), (DAY, target), (40 * DAY, source)):
            clock.advance(seconds)
            sweep(late)
            made = migrate(source, target, clock=clock)
            assert set(outcomes(made).values()) <= {"same"}, (seed, seconds)
            assert names(target) == names(source), (seed, seconds)


def test_versions_revisions_and_log_numbers_go_on_where_they_were(source: Any, target: Any, clock: ManualClock) -> None:
    memory = Memory("base", store=source, author="ann")
    memory.set_many({"a": 1, "b": b"\x00\xff", "c": 10**30})
    memory.append("log", "x", "y")
    memory.delete("a")
    memory.snapshot("kept")
    fork = memory.fork("fork", ttl=DAY)
    fork.set("a", 2, ttl=60)
    fork.append("log", "z")
    memory.merge(fork)
    migrate(source, target, clock=clock)
    here, there = (Memory("base", store=store) for store in (source, target))
    for one in (here, there):
        assert one.append("log", "next") == ["log/0000000000000000003"]
        assert one.set("a", 3) == 4
        assert one.stats().revision == 6
        assert one.merge(Memory("fork", store=one.store)).written == []
    assert list(there.entries()) == list(here.entries())
    assert there.history("c")[0].author == "ann"
    assert there.diff(Memory("fork", store=target)) == here.diff(Memory("fork", store=source))


def test_what_was_carried_comes_back_as_it_was(
    sources: Place, targets: Place, clock: ManualClock, scale: Callable[[int], int]
) -> None:
    for seed in targets.seeds(scale(30)):
        source, target, back = sources.open(), targets.open(), sources.open()
        live(source, clock, 4000 + seed, forgets=targets.keeps_holes)
        migrate(source, target, clock=clock)
        made = migrate(target, back, clock=clock)
        assert set(outcomes(made).values()) == {"copied"}
        assert outcomes(migrate(source, back, clock=clock)).keys() == outcomes(made).keys()
        for store in (source, back):
            store.sweep()
        for name in names(source):
            before, after = picture(Space(source.run, name)), picture(Space(back.run, name))
            assert after[:5] == before[:5], (seed, name)


def test_the_digest_is_that_of_the_file_which_a_full_export_writes(
    source: Any, target: Any, clock: ManualClock
) -> None:
    live(source, clock, 7, forgets=False)
    for one in migrate(source, target, clock=clock).families:
        file = whole(source, one.family)
        assert one.digest == sha256(file).hexdigest() == sha256(whole(target, one.family)).hexdigest()
        assert one.rows == file.count(b'"key":')


# --- families without a root ------------------------------------------------------------------------------------


def test_two_forks_of_what_was_dropped_come_apart_and_whole(source: Any, target: Any, clock: ManualClock) -> None:
    root = Memory("root", store=source)
    for number in range(5):
        root.set("k", number)
    first, second = root.fork("first"), root.fork("second")
    first.set("k", "first")
    second.append("log", "row")
    first.merge(second, strategy="ours")
    root.drop()
    made = migrate(source, target, clock=clock)
    assert outcomes(made) == {"first": "copied", "second": "copied"}
    for name in ("first", "second"):
        assert picture(Space(target.run, name)) == picture(Space(source.run, name))
    # What they share is there twice, and that they began as one is not known any more.
    assert [one.namespaces for one in made.families] == [1, 1]
    merged = [
        Memory("second", store=store).merge(Memory("first", store=store), dry_run=True) for store in (source, target)
    ]
    assert [one.ok for one in merged] == [True, False]
    assert Memory("first", store=target).diff(Memory("second", store=target)).keys == ["k"]
    assert outcomes(migrate(source, target, clock=clock)) == {"first": "same", "second": "same"}


def test_the_forks_of_a_dropped_fork_come_with_the_root_and_once(source: Any, target: Any, clock: ManualClock) -> None:
    root = Memory("z-root", store=source)
    root.set("k", 1)
    middle = root.fork("middle")
    middle.set("k", 2)
    middle.fork("a-leaf").set("k", 3)
    middle.drop()
    made = migrate(source, target, clock=clock)
    assert outcomes(made) == {"z-root": "copied"}
    assert made.families[0].namespaces == 2
    assert Memory("a-leaf", store=target).get("k") == 3
    assert [entry.value for entry in Memory("a-leaf", store=target).history("k")] == [3, 2, 1]


def test_a_fork_of_a_dropped_fork_comes_with_the_one_above_that(source: Any, target: Any, clock: ManualClock) -> None:
    root = Memory("root", store=source)
    root.set("k", 1)
    upper = root.fork("z-upper")
    middle = upper.fork("middle")
    middle.fork("a-lower").set("k", 2)
    root.drop()
    middle.drop()
    made = migrate(source, target, clock=clock)
    assert outcomes(made) == {"z-upper": "copied"}
    assert names(target) == ["a-lower", "z-upper"]


def test_a_prefix_chooses_namespaces_with_all_their_forks(source: Any, target: Any, clock: ManualClock) -> None:
    root = Memory("root", store=source)
    root.set("k", 1)
    upper = root.fork("x-upper")
    root.set("k", "not inherited")
    upper.fork("other").fork("x-lower").set("k", 2)
    Memory("unrelated", store=source).set("k", 1)
    made = migrate(source, target, prefix="x-", clock=clock)
    assert outcomes(made) == {"x-upper": "copied"}
    assert names(target) == ["other", "x-lower", "x-upper"]
    assert Memory("x-upper", store=target).get("k") == 1
    assert outcomes(migrate(source, target, prefix="x-", clock=clock)) == {"x-upper": "same"}
    assert migrate(source, target, prefix="nothing", clock=clock) == Migration()
    with pytest.raises(ConflictError, match="'root' has a fork 'other', a name that is taken there"):
        migrate(source, target, clock=clock)
    assert names(target) == ["other", "unrelated", "x-lower", "x-upper"]


def test_a_prefix_finds_what_is_there_as_a_fork_already(source: Any, target: Any, clock: ManualClock) -> None:
    root = Memory("root", store=source)
    root.append("log", "x")
    root.fork("x-upper").set("k", 1)
    migrate(source, target, clock=clock)
    assert outcomes(migrate(source, target, prefix="x-", clock=clock)) == {"x-upper": "same"}


# --- what is there already ----------------------------------------------------------------------------------------


def test_what_differs_is_named_and_left_alone_and_the_rest_comes(source: Any, target: Any, clock: ManualClock) -> None:
    for name in ("a", "b", "c", "d"):
        Memory(name, store=source).set_many({"x": 1, "y": 1})
    migrate(source, target, prefix="b", clock=clock)
    migrate(source, target, prefix="c", clock=clock)
    Memory("b", store=source).set("y", 2)  # it was written to since
    Memory("c", store=target).set("y", 3)
    before = whole(target, "b"), whole(target, "c")
    told: list[Carried] = []
    with pytest.raises(ConflictError, match="'b' differs in line 1, the record of 'b'; 'c' differs") as caught:
        migrate(source, target, tell=told.append, clock=clock)
    assert "drop it there" in caught.value.hint
    assert [one.outcome for one in told] == ["copied", "differs", "differs", "copied"]
    assert (whole(target, "b"), whole(target, "c")) == before
    Memory("b", store=target).drop()
    Memory("c", store=target).drop()
    assert list(outcomes(migrate(source, target, clock=clock)).values()) == ["same", "copied", "copied", "same"]


def test_a_dry_run_tells_all_of_it_and_writes_nothing(source: Any, target: Any, clock: ManualClock) -> None:
    for name in ("a", "b"):
        Memory(name, store=source).set("k", 1)
    source.run(CreateToken(b"t" * 32, (Grant("a", frozenset({"read"})),)))
    migrate(source, target, prefix="a", clock=clock)
    made = migrate(source, target, dry_run=True, clock=clock)
    assert outcomes(made) == {"a": "same", "b": "to copy"}
    assert made.tokens == 1
    assert made.families[1].digest == sha256(whole(source, "b")).hexdigest()
    assert names(target) == ["a"]
    assert target.run(ListTokens()) == []


def test_a_store_is_not_carried_into_itself_nor_into_one_without_a_past(source: Any) -> None:
    with pytest.raises(InvalidValueError, match="the same store"):
        migrate(source, source)
    for pair in ((source, TinyStore()), (TinyStore(), source)):
        with pytest.raises(UnsupportedError, match="TinyStore keeps no past"):
            migrate(*pair)


# --- what is not the same ------------------------------------------------------------------------------------------


class Altering(SqliteStore):
    """A store that keeps something else than it is given."""

    alter: Callable[[Any], Any] = staticmethod(lambda part: part)

    def run(self, op: Op[Any]) -> Any:
        if isinstance(op, ImportFamily):
            op = replace(op, parts=[part for one in op.parts if (part := type(self).alter(one)) is not None])
        return super().run(op)


def of_row(**changes: Any) -> Callable[[Any], Any]:
    def alter(part: Any) -> Any:
        if isinstance(part, FamilyRow) and part.row.key == "target":
            return replace(part, row=replace(part.row, **changes))
        return part

    return alter


def of_fork(**changes: Any) -> Callable[[Any], Any]:
    return lambda part: replace(part, **changes) if isinstance(part, FamilyMember) and part.name == "fork" else part


ALTERED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a value": (of_row(data=b'{"n":1}'), "revision 3 of 'base'"),
    "a type": (of_row(data=b"1.0"), "revision 3 of 'base'"),
    "an author": (of_row(author=None), "revision 3 of 'base'"),
    "an expiry": (of_row(expires=2 * 10**15), "revision 3 of 'base'"),
    "a lost expiry": (of_row(expires=None), "revision 3 of 'base'"),
    "a time": (of_row(created=5), "revision 3 of 'base'"),
    "a version": (of_row(version=9), "revision 3 of 'base'"),
    "a snapshot": (of_fork(snapshots=()), "the record of 'fork'"),
    "a merge": (of_fork(merges=()), "the record of 'fork'"),
    "the retention": (of_fork(retention=Retention(7)), "the record of 'fork'"),
    "a log's number": (of_fork(log_floors=()), "the record of 'fork'"),
    "the floor": (of_fork(floor=9), "the record of 'fork'"),
    "the end of a fork": (of_fork(expires=3 * 10**15), "the record of 'fork'"),
    "nothing": (lambda part: part, ""),
}


@pytest.mark.parametrize("what", ALTERED)
def test_whatever_the_target_does_not_give_back_is_noticed(
    what: str, source: Any, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory("base", store=source, author="ann")
    memory.set_many({"a": 1, "b": 2})
    memory.append("log", "x")
    memory.set("target", 1, ttl=DAY)
    fork = memory.fork("fork", ttl=DAY)
    fork.append("erased", "x")
    fork.purge("erased")
    memory.set("c", 1)
    fork.merge(memory)
    fork.snapshot("kept")
    clock.advance(1)
    alter, place = ALTERED[what]
    monkeypatch.setattr(Altering, "alter", staticmethod(alter))
    target = Altering(tmp_path / "altering.db", clock=clock, monotonic=clock)
    if place:
        with pytest.raises(StoreCorruptError, match=f"gives 'base' back otherwise.* line [0-9]+, {place}"):
            migrate(source, target, clock=clock)
        with pytest.raises(ConflictError, match=f"'base' differs in line [0-9]+, {place}"):
            migrate(source, target, clock=clock)
    else:
        assert outcomes(migrate(source, target, clock=clock)) == {"base": "copied"}
    target.close()


def test_a_value_that_changes_on_the_targets_disk_is_noticed_by_the_next_run(
    source: Any, tmp_path: Path, clock: ManualClock
) -> None:
    Memory("base", store=source).set_many({f"k{number}": f"value {number}" for number in range(10)})
    path = tmp_path / "target.db"
    target = SqliteStore(path, clock=clock)
    migrate(source, target, clock=clock)
    target.close()
    raw = apsw.Connection(str(path))
    raw.execute("UPDATE versions SET value = cast(replace(value, '7', '8') AS BLOB) WHERE key = 'k7'")
    assert raw.changes() == 1
    raw.close()
    with pytest.raises(StoreCorruptError, match="k7"):
        migrate(source, SqliteStore(path, clock=clock), clock=clock)


def test_a_value_that_changes_in_the_database_is_noticed_by_the_next_run(
    source: Any, postgres: Any, fresh_schema: Callable[..., str], clock: ManualClock
) -> None:
    from botwire_postgres.url import open_url

    Memory("base", store=source).set_many({f"k{number}": f"value {number}" for number in range(10)})
    url = fresh_schema()
    target = open_url(url, clock=clock)
    migrate(source, target, clock=clock)
    versions = f"{parse_qs(urlsplit(url).query)['schema'][0]}.versions"
    assert outcomes(migrate(source, target, clock=clock)) == {"base": "same"}
    postgres.execute(f"UPDATE {versions} SET value = convert_to('\"value 8\"', 'UTF8') WHERE key = 'k7'")
    assert Memory("base", store=target).get("k7") == "value 8"
    with pytest.raises(ConflictError, match="'base' differs in line 9, revision 1 of 'base'"):
        migrate(source, target, clock=clock)
    target.close()


def test_what_time_does_not_take_is_missed_wherever_it_stood(
    sources: Place, clock: ManualClock, scale: Callable[[int], int]
) -> None:
    moment = int((clock() + 30 * DAY) * 1_000_000)
    lost = kept = 0
    for seed in range(scale(60)):
        source = sources.open()
        live(source, clock, 2000 + seed, steps=60, sweep=source.sweep)
        clock.advance(2)
        source.sweep()
        for name in names(source):
            with FamilyCopy(name) as whole_copy, FamilyCopy(name) as other:
                assert whole_copy.read(source)
                now = int(clock() * 1_000_000)
                parts = list(whole_copy.parts())
                rows = [number for number, part in enumerate(parts) if isinstance(part, FamilyRow)]
                if not rows:
                    continue
                missing = rows[seed % len(rows)]
                other.add([part for number, part in enumerate(parts) if number != missing])
                assert first_difference(whole_copy, other, now) is not None, (seed, name)
                lost += 1
                kept += first_difference(whole_copy, other, moment) is not None
    assert 0 < kept < lost


# --- what expires on the way -------------------------------------------------------------------------------------


def at_phase(clock: ManualClock, phase: str, seconds: float) -> Callable[[Progress], None]:
    """Lets time pass when a family comes to a phase, once."""
    passed: list[str] = []

    def progress(now: Progress) -> None:
        if now.phase == phase and now.family not in passed:
            passed.append(now.family)
            clock.advance(seconds)

    return progress


def test_time_that_passes_at_any_moment_of_a_run_makes_no_difference(
    sources: Place, targets: Place, clock: ManualClock, scale: Callable[[int], int]
) -> None:
    for seed in targets.seeds(scale(200)):
        source, target = sources.open(), targets.open()
        dice = random.Random(seed)
        live(source, clock, 3000 + seed, steps=80, forgets=targets.keeps_holes)

        def pass_time(_: object, dice: random.Random = dice) -> None:
            if dice.random() < 0.3:
                clock.advance(dice.choice([0.1, 1, 7]))

        def sweep_one(_: object, dice: random.Random = dice, both: tuple[Any, Any] = (source, target)) -> None:
            sweep(dice.choice(both))

        made = migrate(source, target, clock=clock, progress=pass_time, tell=sweep_one)
        assert set(outcomes(made).values()) <= {"copied", "same", "gone"}, seed
        made = migrate(source, target, clock=clock, progress=pass_time, tell=sweep_one)
        assert set(outcomes(made).values()) <= {"same", "gone"}, seed
        assert names(target) == names(source), seed
        for name in names(source):
            here, there = (list(Memory(name, store=store).entries()) for store in (source, target))
            assert there == here, (seed, name)


@pytest.mark.parametrize("phase", ["reading", "writing", "checking"])
def test_what_expires_on_the_way_is_no_difference(source: Any, target: Any, clock: ManualClock, phase: str) -> None:
    memory = Memory("base", store=source)
    memory.set("gone", 1, ttl=10)
    memory.set("kept", 1, ttl=1000)
    memory.snapshot("short", ttl=10)
    short = memory.fork("short", ttl=10)
    short.set("x", 1)
    short.append("log", "x")
    below = short.fork("below")
    short.set("x", "for nobody")
    below.set("y", 1)
    memory.fork("alone", ttl=10).set("z", 1)
    memory.merge(short)
    made = migrate(source, target, clock=clock, progress=at_phase(clock, phase, 10))
    assert outcomes(made) == {"base": "copied"}
    clock.advance(1)
    assert names(target) == names(source) == ["base", "below"]
    assert Memory("below", store=target).get_many(["kept", "x", "y", "gone"]) == {"kept": 1, "x": 1, "y": 1}
    for late in (source, target):
        sweep(late)
        assert outcomes(migrate(source, target, clock=clock)) == {"base": "same"}


@pytest.mark.parametrize("phase", ["reading", "writing"])
def test_the_forks_of_a_root_that_expires_on_the_way_are_compared_one_by_one(
    source: Any, target: Any, clock: ManualClock, phase: str
) -> None:
    base = Memory("base", store=source)
    base.set("k", 1)
    short = base.fork("short", ttl=10)
    base.drop()
    short.set("k", 2)
    short.fork("one").set("k", 3)
    short.fork("two")
    made = migrate(source, target, clock=clock, progress=at_phase(clock, phase, 10))
    assert outcomes(made) == {"short": "gone", "one": "same", "two": "same"}
    assert Memory("one", store=target).get("k") == 3
    assert Memory("two", store=target).get("k") == 2
    assert names(target) == ["one", "two"]


def test_the_forks_of_a_root_that_expires_before_its_turn_are_carried(
    source: Any, target: Any, clock: ManualClock
) -> None:
    Memory("a", store=source).set("k", 1)
    base = Memory("base", store=source)
    base.set("k", 1)
    short = base.fork("short", ttl=10)
    base.drop()
    short.fork("one").set("k", 2)
    made = migrate(source, target, clock=clock, tell=lambda _: clock.advance(10))
    assert outcomes(made) == {"a": "copied", "short": "gone", "one": "copied"}
    assert Memory("one", store=target).get("k") == 2


def test_what_is_dropped_before_its_turn_is_gone_and_the_rest_comes(
    source: Any, target: Any, clock: ManualClock
) -> None:
    for name in ("a", "b", "c"):
        Memory(name, store=source).set("k", 1)

    def tell(carried: Carried) -> None:
        if carried.family == "a":
            Memory("b", store=source).drop()

    assert outcomes(migrate(source, target, tell=tell, clock=clock)) == {"a": "copied", "b": "gone", "c": "copied"}
    assert names(target) == ["a", "c"]


# --- cut off -----------------------------------------------------------------------------------------------------


def test_progress_is_told_of_reading_writing_and_checking(source: Any, target: Any, clock: ManualClock) -> None:
    Memory("small", store=source).set("k", 1)
    large = Memory("large", store=source)
    for start in range(0, 3500, 500):
        large.set_many({f"{number:05}": "x" * 50 for number in range(start, start + 500)})
    told: list[Progress] = []
    migrate(source, target, clock=clock, progress=told.append)
    for family, done, rows in (("large", 0, 3500), ("small", 1, 1)):
        for phase in ("reading", "writing", "checking"):
            mine = [one for one in told if (one.family, one.phase) == (family, phase)]
            counts = [one.rows for one in mine]
            assert counts == sorted(counts)
            assert counts[-1] == rows
            assert {(one.done, one.families) for one in mine} == {(done, 2)}
    assert len([one for one in told if one.family == "large"]) >= 12


class CutOff(DictStore):
    """A store whose line breaks in the middle of an import, after a number of parts."""

    left = 10**9

    def run(self, op: Op[Any]) -> Any:
        return super().run(replace(op, parts=self._broken(op.parts)) if isinstance(op, ImportFamily) else op)

    def _broken(self, parts: Any) -> Iterator[Any]:
        for part in parts:
            if self.left == 0:
                raise ConnectionError
            self.left -= 1
            yield part


def test_a_run_that_breaks_at_any_part_is_finished_by_the_next(source: Any, clock: ManualClock) -> None:
    for name in ("a", "b"):
        Memory(name, store=source).set_many({"x": 1, "y": 2})
        Memory(name, store=source).fork(f"{name}-fork").set("x", 2)
    for left in range(13):
        target = CutOff(clock=clock)
        target.left = left
        with pytest.raises(ConnectionError) if left < 12 else nullcontext():
            migrate(source, target, clock=clock)
        assert names(target) in ([], ["a", "a-fork"], ["a", "a-fork", "b", "b-fork"])
        target.left = 10**9
        made = migrate(source, target, clock=clock)
        assert outcomes(made)["b"] == ("copied" if left < 12 else "same")
        for name in names(source):
            assert whole(target, name) == whole(source, name)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_run_that_is_killed_leaves_whole_families_and_is_finished_by_the_next(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, scale: Callable[[int], int]
) -> None:
    here = f"sqlite:///{tmp_path / 'from.db'}"
    source = connect(here)
    for name in ("a", "b", "c"):
        memory = Memory(name, here)
        memory.set_many({f"{number:05}": "x" * 50 for number in range(2500)})
        memory.fork(f"{name}-fork").set("k", 1)
    code = """
import sys
from botwire_core.connect import connect
from botwire_core.migrating import migrate
left = int(sys.argv[3])
def progress(now):
    global left
    left -= 1
    if left == 0:
        print("ready", flush=True)
        sys.stdin.read()
migrate(connect(sys.argv[1]), connect(sys.argv[2]), progress=progress)
"""
    steps = range(1, 33)
    for step in [steps[number * len(steps) // scale(30)] for number in range(scale(30))]:
        file = f"sqlite:///{tmp_path / f'to-{step}.db'}"
        there = file if kind == "sqlite" else request.getfixturevalue("fresh_schema")()
        with subprocess.Popen(
            [sys.executable, "-c", code, here, there, str(step)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n", step
            child.send_signal(signal.SIGKILL)
        target = connect(there)
        left = names(target)
        assert left in ([], ["a", "a-fork"], ["a", "a-fork", "b", "b-fork"], names(source)), step
        made = migrate(source, target)
        assert outcomes(made) == {name: "same" if name in left else "copied" for name in "abc"}
        assert [whole(target, name) for name in "abc"] == [whole(source, name) for name in "abc"]
        if isinstance(target, SqliteStore):
            assert target.health().integrity == "ok"
        target.close()
    source.close()


# --- tokens ------------------------------------------------------------------------------------------------------


def test_tokens_come_with_what_they_grant_and_how_long(source: Any, target: Any, clock: ManualClock) -> None:
    grants = (Grant("a.*", frozenset({"read", "write"})), Grant("*", frozenset({"read"})))
    Memory("a", store=source).set("k", 1)
    good = source.run(CreateToken(b"1" * 32, grants, "good"))
    ends = source.run(CreateToken(b"2" * 32, grants, "ends", 100.0))
    ended = source.run(CreateToken(b"3" * 32, grants, "ended", 5.0))
    revoked = source.run(CreateToken(b"4" * 32, grants, "revoked"))
    source.run(RevokeToken(revoked.id))
    clock.advance(10)
    assert migrate(source, target, clock=clock).tokens == 4
    clock.advance(1)
    there = {token.id: token for token in target.run(ListTokens())}
    now = next(iter(target.run(ListTokens()))).created_at
    assert set(there) == {good.id, ends.id, ended.id, revoked.id}
    assert (there[good.id].grants, there[good.id].label, there[good.id].expires_at) == (grants, "good", None)
    assert there[ends.id].expires_at == ends.expires_at
    assert target.run(FindToken(b"4" * 32)).revoked_at is not None
    later = now.fromtimestamp(clock(), now.tzinfo)
    assert [there[one.id].is_valid(later) for one in (good, ends, ended, revoked)] == [True, True, False, False]
    assert migrate(source, target, clock=clock).tokens == 0


def test_a_token_that_is_revoked_later_is_revoked_there_and_never_the_other_way(
    source: Any, target: Any, clock: ManualClock
) -> None:
    grants = (Grant("*", frozenset({"read"})),)
    first = source.run(CreateToken(b"1" * 32, grants))
    second = source.run(CreateToken(b"2" * 32, grants))
    migrate(source, target, clock=clock)
    source.run(RevokeToken(first.id))
    target.run(RevokeToken(second.id))
    assert migrate(source, target, clock=clock).tokens == 1
    assert [token.revoked_at is None for token in target.run(ListTokens())] == [False, False]
    assert migrate(source, target, clock=clock).tokens == 0


def test_a_token_that_grants_something_else_there_is_refused(source: Any, target: Any, clock: ManualClock) -> None:
    Memory("a", store=source).set("k", 1)
    made = source.run(CreateToken(b"1" * 32, (Grant("a", frozenset({"read"})),)))
    target.run(CreateToken(b"1" * 32, (Grant("*", frozenset({"read"})),)))
    with pytest.raises(ConflictError, match=made.id):
        migrate(source, target, clock=clock)
    assert Memory("a", store=target).get("k") == 1
    assert migrate(source, target, prefix="a", clock=clock).tokens == 0


# --- experiments -------------------------------------------------------------------------------------------------


def remember(store: Store, variant: str, *, run: str = "r1", value: object = None) -> object:
    """What code in a scope finds, before it writes something there."""
    memory = Memory("support", store=store)
    with scope(variant=variant, run_id=run, datapoint_id="d1", experiment="e"), scope_policy(isolation="datapoint"):
        found = memory.get("k")
        if value is not None:
            memory.set("k", value)
    run_flow(store, memory.store.mover.written_down())
    return found


def test_an_experiment_goes_on_where_it_was(source: Any, target: Any, clock: ManualClock) -> None:
    memory = Memory("support", store=source)
    memory.set("k", "seed")
    assert remember(source, "v1", value="of v1") == "seed"
    memory.set("k", "later")
    places = source.run(ListScoped())
    assert len(places) == 1
    uses = source.run(ReadUses(places[0].name))
    assert uses != []
    assert migrate(source, target, dry_run=True, clock=clock).scopes == 1
    made = migrate(source, target, clock=clock)
    assert (made.scopes, outcomes(made)) == (1, {"support": "copied"})
    assert target.run(ListScoped()) == places
    assert target.run(ReadUses(places[0].name)) == uses
    assert migrate(source, target, clock=clock).scopes == 0
    for store in (source, target):
        assert remember(store, "v1") == "of v1"
        assert remember(store, "v2") == "seed"  # all of an experiment start equal
        assert remember(store, "v2", run="r2") == "seed"
    clock.advance(8 * DAY)
    assert target.run(ListScoped()) == []
    assert names(target) == ["support"]


def test_nothing_starts_from_a_base_that_was_made_anew(source: Any, target: Any, clock: ManualClock) -> None:
    Memory("support", store=source).set("k", "seed")
    remember(source, "v1", value="of v1")
    Memory("support", store=source).drop()
    Memory("support", store=source).set("k", "new")
    assert migrate(source, target, clock=clock).scopes == 1
    for store in (source, target):
        assert remember(store, "v1") == "of v1"
        with pytest.raises(ScopeError, match="was dropped since the experiment began"):
            remember(store, "v2")


def test_what_is_no_scope_of_a_family_that_differs_does_not_become_one(
    source: Any, target: Any, clock: ManualClock
) -> None:
    Memory("support", store=source).set("k", "seed")
    remember(source, "v1", value="of v1")
    (place,) = source.run(ListScoped())
    Memory(place.name, store=target).set("k", "mine")
    with pytest.raises(ConflictError, match="a name that is taken there"):
        migrate(source, target, clock=clock)
    assert target.run(ListScoped()) == []


def test_a_namespace_of_another_base_is_refused_and_none_is_adopted(source: Any, target: Any) -> None:
    for base in ("support", "other"):
        with scope(variant="v", run_id="r"):
            Memory(base, store=source).set("k", 1)
    places = tuple(source.run(ListScoped()))
    with pytest.raises(InvalidValueError, match="belongs to 'other', not to 'support'"):
        target.run(AdoptScoped("support", places))
    assert target.run(ListScoped()) == []
    mine = [place for place in places if place.base == "support"]
    uses = tuple(Use(mine[0].name, "k", "read", number, 1, 0, 1.0, 2.0) for number in (1, 2))
    assert target.run(AdoptScoped("support", tuple(mine), uses)) == 1
    assert target.run(AdoptScoped("support", tuple(mine), uses)) == 0
    assert target.run(ReadUses(mine[0].name)) == list(uses)
