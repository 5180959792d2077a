"""Time: an entry is gone at the instant at which it expires, for everybody and for good."""

from __future__ import annotations

from typing import Any, Final

import pytest

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import InvalidValueError
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Space

__all__ = ["NOT_TTLS", "ExpiryContract"]

_TEN_YEARS: Final = 10 * 366 * 86400.0
NOT_TTLS: Final[list[Any]] = [
    *(0, 0.0, -0.0, -1, -0.5, float("nan"), float("inf"), float("-inf"), 1e300, 10**400, -(10**400), _TEN_YEARS + 1),
    *(True, False, "5", b"5", [5], {}),
]


class ExpiryContract(StoreBench):
    """Expiry of entries, judged by the clock of the test."""

    def test_what_has_expired_is_nowhere(self, space: Space, clock: ManualClock) -> None:
        space.set("k", "tea", ttl=60)
        space.set("stays", "coffee")
        space.append("log", 1, ttl=60)
        clock.advance(60)
        assert space.get("k") is p.MISSING
        assert space.run(p.GetEntry(space.name, "k")) is None
        assert space.run(p.GetMany(space.name, ("k", "stays"))) == {"stays": "coffee"}
        assert space.keys() == ["stays"]
        assert space.keys("k") == []
        assert [entry.key for entry in space.entries(reverse=True)] == ["stays"]
        assert space.read("log") == space.read("log", 1) == []
        assert [entry.key for entry in space.run(p.Search(space.name))] == ["stays"]
        assert space.run(p.Search(space.name, words="tea")) == []
        assert (space.stats().keys, space.stats().bytes) == (1, len(b'"coffee"'))
        assert space.delete("k") is False
        assert space.run(p.DeleteMany(space.name, ("k",))) == 0
        assert space.expire("k", 60) is False
        assert space.run(p.Clear(space.name, "k")) == 0

    def test_an_entry_lives_to_the_microsecond(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1, ttl=0.25)
        clock.advance(0.249999)
        assert space.get("k") == 1
        assert space.keys() == ["k"]
        clock.advance(0.000001)
        assert space.get("k") is p.MISSING
        assert space.keys() == []

    def test_the_shortest_and_the_longest_time_to_live(self, space: Space, clock: ManualClock) -> None:
        space.set("short", 1, ttl=1e-9)
        space.set("long", 1, ttl=_TEN_YEARS)
        assert space.keys() == ["long", "short"]
        clock.advance(0.000001)
        assert space.keys() == ["long"]
        clock.advance(_TEN_YEARS - 1)
        assert space.keys() == ["long"]
        clock.advance(1)
        assert space.keys() == []

    def test_an_entry_tells_when_it_expires(self, space: Space, clock: ManualClock) -> None:
        space.set("k", 1, ttl=90)
        expires_at = space.entry("k").expires_at
        assert expires_at is not None
        assert str(expires_at.tzinfo) == "UTC"
        assert expires_at.timestamp() == pytest.approx(clock() + 90, abs=2)

    def test_a_key_tells_how_long_it_has_left(self, space: Space, clock: ManualClock) -> None:
        def left(key: str) -> float | None:
            return space.run(p.TimeLeft(space.name, key))

        space.set("k", 1, ttl=90)
        space.set("stays", 1)
        assert left("k") == pytest.approx(90, abs=2)
        clock.advance(60)
        assert left("k") == pytest.approx(30, abs=2)
        clock.advance(30)
        assert [left(key) for key in ("k", "stays", "nothing")] == [None, None, None]

    def test_a_write_without_ttl_takes_the_expiry_away(self, space: Space, clock: ManualClock) -> None:
        space.set("a", 1, ttl=60)
        space.set("b", 1, ttl=60)
        space.set("a", 2)
        space.run(p.SetMany(space.name, (("b", encode(2)),)))
        assert space.entry("a").expires_at is None
        clock.advance(61)
        assert space.contents() == {"a": 2, "b": 2}

    def test_many_and_rows_can_expire(self, space: Space, clock: ManualClock) -> None:
        space.run(p.SetMany(space.name, (("a", encode(1)), ("b", encode(2))), ttl=60))
        space.append("log", 1, 2, ttl=60)
        space.append("log", 3)
        clock.advance(59)
        assert len(space.keys()) == 5
        clock.advance(1)
        assert space.contents() == {"log/0000000000000000002": 3}

    def test_an_increment_keeps_the_expiry(self, space: Space, clock: ManualClock) -> None:
        space.set("n", 1, ttl=60)
        clock.advance(30)
        assert space.increment("n") == 2
        clock.advance(30)
        assert space.get("n") is p.MISSING
        assert space.increment("n") == 1
        assert space.entry("n").expires_at is None

    def test_expire_is_a_write(self, space: Space, clock: ManualClock) -> None:
        space.set("k", [1, 2])
        before, revision = space.entry("k"), space.revision
        assert space.expire("k", 60) is True
        after = space.entry("k")
        assert (after.value, after.version, after.revision) == ([1, 2], 2, revision + 1)
        assert (before.expires_at, after.created_at) == (None, before.created_at)
        assert after.expires_at is not None
        clock.advance(59)
        assert space.expire("k", None) is True
        clock.advance(10)
        assert (space.entry("k").expires_at, space.entry("k").version) == (None, 3)
        assert space.expire("other", 60) is False

    def test_a_key_that_expired_is_absent_to_conditions_and_goes_on_from_its_version(
        self, space: Space, clock: ManualClock
    ) -> None:
        space.set("k", 1)
        space.set("k", 2, ttl=60)
        before = space.entry("k")
        clock.advance(60)
        assert space.run(p.Transact(space.name, (p.Check(space.name, "k", 0),))) == [None]
        assert space.set("k", 3, if_version=0) == 3
        assert space.entry("k").created_at > before.created_at

    def test_what_was_seen_as_expired_stays_so_when_the_clock_jumps_back(
        self, space: Space, clock: ManualClock
    ) -> None:
        space.set("k", 1, ttl=60)
        clock.advance(60)
        assert space.get("k") is p.MISSING
        clock.advance(-3600)
        assert space.get("k") is p.MISSING
        assert space.keys() == []
        space.set("new", 1, ttl=60)
        assert space.get("new") == 1

    @pytest.mark.parametrize("ttl", NOT_TTLS, ids=lambda ttl: repr(ttl)[:12])
    def test_what_is_no_time_to_live_is_refused_by_every_op(self, space: Space, ttl: Any) -> None:
        name, one = space.name, encode(1)
        space.set("k", 1)
        for op in (
            p.Set(name, "k", one, ttl),
            p.SetMany(name, (("k", one),), ttl),
            p.Append(name, "log", (one,), ttl),
            p.Expire(name, "k", ttl),
            p.Expire(name, "absent", ttl),
            p.Transact(name, (p.Set(name, "l", one), p.Set(name, "k", one, ttl))),
        ):
            with pytest.raises(InvalidValueError):
                space.run(op)
        assert space.contents() == {"k": 1}
        assert space.entry("k").version == 1

    def test_writes_of_today_are_counted_until_midnight_in_utc(self, space: Space, clock: ManualClock) -> None:
        space.set("a", 1)
        space.append("log", 1, 2)
        space.delete("a")
        assert space.stats().writes_today >= 2
        clock.advance(86400)
        assert space.stats().writes_today == 0
        space.set("b", 1)
        assert space.stats().writes_today == 1
