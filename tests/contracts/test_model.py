"""`DictStore` beside `SqliteStore` or `PostgresStore`: whatever is asked, by whatever clock, they answer alike."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.alternating import Alternating
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from botwire_core import protocol as p
from botwire_core.clock import SteadyClock
from botwire_core.codec import encode
from botwire_core.errors import BotWireError
from botwire_core.records import replace
from botwire_core.results import Record
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_postgres.url import open_url

NAMES = st.sampled_from(["a", "b", "a@1", "fork", "other"])
LOGS = st.sampled_from(["log", "k", "k/x"])
KEYS = st.sampled_from(["k", "K", "k/x", "k:1", "k%", "k_", "é", "e\u0301", "😀", "\ue000", "log/0000000000000000002"])
PREFIXES = st.sampled_from(["", "k", "k/", "%", "e", "log/", "😀", "zz"])
PAYLOADS = st.sampled_from(
    [
        None,
        0,
        -0.0,
        1,
        1.0,
        2**64,
        10**40,
        "",
        "tea",
        "tea tea",
        b"",
        b"tea",
        [],
        {},
        [1, "tea"],
        {"a": 1},
        {"a": {"b": 2}},
    ]
).map(encode)
TTLS = st.none() | st.sampled_from([1.0, 2.5, 60.0, 3600.0])
COUNTS = st.none() | st.integers(0, 4)
VERSIONS = st.none() | st.integers(0, 4)
MOMENTS = st.none() | st.integers(0, 6)
AUTHORS = st.none() | st.just("ann")
WHERES = st.none() | st.sampled_from([{}, {"a": 1}, {"a": {"$gte": 1}}, {"a.b": 2}, {"a": {"$exists": False}}])

STEPS = {
    p.Set: (KEYS, PAYLOADS, TTLS, VERSIONS, AUTHORS),
    p.Delete: (KEYS, VERSIONS, AUTHORS),
    p.Append: (LOGS, st.lists(PAYLOADS, max_size=3).map(tuple), TTLS, AUTHORS),
    p.Increment: (KEYS, st.sampled_from([1, -2, 0.5, 2**70])),
    p.Expire: (KEYS, TTLS),
    p.Check: (KEYS, st.integers(0, 3)),
}
WRITES = {
    p.SetMany: (st.lists(st.tuples(KEYS, PAYLOADS), max_size=4).map(tuple), TTLS),
    p.DeleteMany: (st.lists(KEYS, max_size=4).map(tuple),),
    p.Clear: (PREFIXES,),
    p.Drop: (),
    p.Fork: (NAMES, MOMENTS, TTLS),
    p.Snapshot: (st.none() | st.sampled_from(["x", "y"]), TTLS),
    p.DeleteSnapshot: (st.sampled_from(["x", "y", "r1"]),),
    p.Restore: (KEYS, st.integers(0, 5)),
    p.Merge: (NAMES, MOMENTS, st.sampled_from(["fail", "ours", "theirs"]), st.sampled_from(["*", "k*"]), st.booleans()),
    p.Import: (
        st.lists(st.builds(Record, KEYS, st.sampled_from([1, "x", b"y"])), max_size=3, unique_by=lambda r: r.key),
    ),
    p.Purge: (st.sampled_from(["k", "k:", "log", "é", "zz"]),),
}
READS = {
    p.Get: (KEYS, MOMENTS),
    p.GetEntry: (KEYS, MOMENTS),
    p.TimeLeft: (KEYS, MOMENTS),
    p.GetMany: (st.lists(KEYS, max_size=4).map(tuple), MOMENTS),
    p.ListKeys: (PREFIXES, st.none() | KEYS, COUNTS, MOMENTS),
    p.ListEntries: (PREFIXES, st.none() | KEYS, COUNTS, st.booleans(), MOMENTS),
    p.ReadLog: (LOGS, COUNTS, MOMENTS),
    p.Search: (PREFIXES, WHERES, st.none() | st.sampled_from(["tea", "x tea"]), st.integers(0, 5), st.integers(0, 2)),
    p.GetStats: (),
    p.ListSnapshots: (),
    p.Resolve: (st.integers(0, 6) | st.sampled_from(["x", "r2"]),),
    p.GetHistory: (KEYS, COUNTS, MOMENTS),
    p.Compare: (NAMES, MOMENTS, MOMENTS, PREFIXES),
    p.ListChanges: (st.integers(0, 5), PREFIXES, st.integers(1, 5)),
    p.Export: (st.none() | KEYS, st.integers(0, 5), MOMENTS),
    p.ListNamespaces: (),
}


def ops(
    kinds: dict[type, tuple[st.SearchStrategy[Any], ...]], *first: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    return st.one_of(*(st.builds(kind, *first, *members) for kind, members in kinds.items()))


def in_one_namespace(name: str) -> st.SearchStrategy[p.Transact]:
    return st.lists(ops(STEPS, st.just(name)), max_size=5).map(lambda steps: p.Transact(name, tuple(steps)))


class SideBySide(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="botwire-model-"))
        self.wall, self.monotonic = ManualClock(), ManualClock(1000.0)
        self.dict = DictStore(clock=self.wall)
        self.other = self.open()
        # One clock for both, that goes on by hand also while the wall clock is behind: else the two would drift
        # apart by the microseconds that really pass.
        self.dict._now = SteadyClock(self.wall, self.monotonic)
        for store in self.other.stores:
            store._now = self.dict._now

    def open(self) -> Alternating:
        """The store that has to answer as a `DictStore` does, opened twice."""
        path = self.folder / "memory.db"
        return Alternating(lambda: SqliteStore(path, durability="normal", monotonic=self.monotonic))

    def teardown(self) -> None:
        for name in ("a", "b", "a@1", "fork", "other"):
            self.ask(p.ListEntries(name))
        self.other.close_both()
        shutil.rmtree(self.folder)

    def ask(self, op: p.Op[Any]) -> None:
        answers = []
        for store in (self.dict, self.other):
            try:
                answers.append(self.comparable(op, store.run(op)))
            except BotWireError as error:
                answers.append((type(error).__name__, getattr(error, "key", None), getattr(error, "version", None)))
        assert answers[0] == answers[1], f"{op!r}:\nDictStore  {answers[0]}\nthe other  {answers[1]}"

    def comparable(self, op: p.Op[Any], answer: Any) -> str:
        if isinstance(op, p.ListChanges):  # the order inside of a revision is free
            changes = sorted(answer.changes, key=lambda change: (change.revision, change.key))
            return repr((changes, answer.revision))
        if isinstance(op, p.Purge):
            return repr(replace(answer, not_reached=[]))
        return repr(answer)

    @rule(op=ops(STEPS, NAMES))
    def write_one(self, op: p.Op[Any]) -> None:
        if not isinstance(op, p.Check):
            self.ask(op)

    @rule(op=ops(WRITES, NAMES))
    def write_many(self, op: p.Op[Any]) -> None:
        self.ask(op)

    @rule(op=NAMES.flatmap(in_one_namespace))
    def transact(self, op: p.Op[Any]) -> None:
        self.ask(op)

    @rule(op=ops(READS, NAMES))
    def read(self, op: p.Op[Any]) -> None:
        self.ask(op)

    @rule(name=NAMES)
    def look_at_all_of_it(self, name: str) -> None:
        for op in (p.ListEntries(name), p.ListKeys(name), p.Export(name), p.GetStats(name), p.ListChanges(name)):
            self.ask(op)

    @rule(seconds=st.sampled_from([0.000001, 0.5, 1.0, 59.0, 3600.0, 90000.0]))
    def time_passes(self, seconds: float) -> None:
        self.wall.advance(seconds)
        self.monotonic.advance(seconds)

    @rule(seconds=st.sampled_from([-7200.0, -60.0, -0.5, 0.5, 60.0, 400000.0]))
    def the_wall_clock_jumps(self, seconds: float) -> None:
        self.wall.advance(seconds)

    @rule()
    def sweep(self) -> None:
        """What is taken off the disk is missed by nobody."""
        self.other.sweep()

    @rule()
    def close(self) -> None:
        self.other.close()


_SETTINGS = settings(stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

TestSideBySide = SideBySide.TestCase
TestSideBySide.settings = _SETTINGS


def test_postgres_answers_alike(fresh_schema: Callable[..., str], scale: Callable[[int], int]) -> None:
    class WithPostgres(SideBySide):
        def open(self) -> Alternating:
            url = fresh_schema(pool=2)
            return Alternating(lambda: open_url(url))

    # To shrink takes a new schema each time, for minutes; what fails can be reproduced as it is.
    few = settings(_SETTINGS, max_examples=scale(200), phases=[Phase.generate])
    run_state_machine_as_test(WithPostgres, settings=few)  # type: ignore[no-untyped-call]
