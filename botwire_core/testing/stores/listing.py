"""Listing: byte order, literal prefixes, and pages that neither repeat nor skip."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import InvalidKeyError, InvalidValueError
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.keys import HOSTILE_KEYS
from botwire_core.testing.stores.space import Space

__all__ = ["ListingContract"]

_NOT_LIMITS: Final[list[Any]] = [-1, 1.0, True, "1", float("nan"), 10.5, [1]]
_LETTERS: Final = st.sampled_from(["a", "b", "A", "%", "_", "*", "[", "]", "\\", "/", "\ud7ff", "\ue000", "\U0010ffff"])


def _fill(space: Space, keys: list[str]) -> None:
    space.run(p.SetMany(space.name, tuple((key, encode(key)) for key in keys)))


class ListingContract(StoreBench):
    """Lists of keys and entries, whole and in pages."""

    def test_keys_are_in_byte_order(self, space: Space) -> None:
        _fill(space, HOSTILE_KEYS)
        in_order = sorted(HOSTILE_KEYS, key=lambda key: key.encode())
        assert space.keys() == in_order
        assert [entry.key for entry in space.entries()] == in_order
        assert [entry.key for entry in space.entries(reverse=True)] == in_order[::-1]

    def test_a_prefix_is_literal(self, space: Space) -> None:
        _fill(space, HOSTILE_KEYS)
        for prefix in ["", *HOSTILE_KEYS]:
            expected = sorted(key for key in HOSTILE_KEYS if key.startswith(prefix))
            assert space.keys(prefix) == expected
            assert [entry.key for entry in space.entries(prefix)] == expected
            assert [entry.key for entry in space.entries(prefix, reverse=True)] == expected[::-1]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
    @given(
        keys=st.sets(st.text(_LETTERS, min_size=1, max_size=4), max_size=12),
        prefix=st.text(_LETTERS, max_size=2),
        after=st.none() | st.text(_LETTERS, max_size=3),
        limit=st.none() | st.integers(0, 5),
    )
    def test_prefix_after_and_limit_mean_what_they_say(
        self, space: Space, keys: set[str], prefix: str, after: str | None, limit: int | None
    ) -> None:
        space.run(p.Clear(space.name))
        _fill(space, list(keys))
        having = sorted(key for key in keys if key.startswith(prefix))
        above = [key for key in having if after is None or key > after][:limit]
        below = [key for key in reversed(having) if after is None or key < after][:limit]
        assert space.keys(prefix, after, limit) == above
        assert [entry.key for entry in space.entries(prefix, after, limit)] == above
        assert [entry.key for entry in space.entries(prefix, after, limit, reverse=True)] == below

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
    def test_pages_put_together_are_the_whole(self, space: Space, size: int) -> None:
        _fill(space, HOSTILE_KEYS)
        in_order = sorted(HOSTILE_KEYS)
        keys: list[str] = []
        while page := space.keys(after=keys[-1] if keys else None, limit=size):
            assert len(page) <= size
            keys += page
        assert keys == in_order
        falling: list[str] = []
        while entries := space.entries(after=falling[-1] if falling else None, limit=size, reverse=True):
            falling += [entry.key for entry in entries]
        assert falling == in_order[::-1]

    def test_pages_never_repeat_nor_skip_a_key_that_stays_while_others_come_and_go(self, space: Space) -> None:
        stay = [f"stay:{number:03}" for number in range(60)]
        _fill(space, stay)
        seen: list[str] = []
        for turn in range(1000):
            page = space.keys(after=seen[-1] if seen else None, limit=5)
            if not page:
                break
            seen += page
            space.set(f"come:{turn}", turn)
            space.set(f"stay:{turn * 7 % 60:03}x", turn)
            space.delete(f"stay:{turn * 5 % 60:03}x")
        assert len(set(seen)) == len(seen)
        assert set(stay) <= set(seen)

    @pytest.mark.parametrize("limit", _NOT_LIMITS, ids=repr)
    def test_what_is_no_count_is_refused_as_a_limit(self, space: Space, limit: Any) -> None:
        space.set("k", 1)
        for op in (
            p.ListKeys(space.name, limit=limit),
            p.ListEntries(space.name, limit=limit),
            p.ReadLog(space.name, "log", last=limit),
            p.Search(space.name, limit=limit),
            p.Search(space.name, offset=limit),
        ):
            with pytest.raises(InvalidValueError):
                space.run(op)

    def test_a_limit_may_be_larger_than_any_store(self, space: Space) -> None:
        space.set("k", 1)
        space.append("log", 1)
        for limit in (2**31, 2**63, 10**30):
            assert space.keys(limit=limit) == ["k", "log/0000000000000000000"]
            assert len(space.entries(limit=limit)) == len(space.run(p.Search(space.name, limit=limit))) == 2
            assert space.run(p.Search(space.name, offset=limit)) == []
            assert space.read("log", limit) == [1]

    @pytest.mark.parametrize("after", ["a\ud800", 1, b"a", ["a"]], ids=ascii)
    def test_a_page_starts_after_text_or_is_refused(self, space: Space, after: Any) -> None:
        space.set("k", 1)
        for op in (p.ListKeys(space.name, after=after), p.ListEntries(space.name, after=after)):
            with pytest.raises(InvalidKeyError):
                space.run(op)

    def test_many_are_got_in_the_order_asked_without_those_that_are_not_there(self, space: Space) -> None:
        _fill(space, ["a", "b", "c", "d"])
        space.delete("b")
        found = space.run(p.GetMany(space.name, ("d", "nothing", "b", "a", "d")))
        assert list(found.items()) == [("d", "d"), ("a", "a")]

    def test_what_was_deleted_is_in_no_list(self, space: Space) -> None:
        _fill(space, ["a", "b", "c"])
        space.delete("b")
        assert space.keys() == ["a", "c"]
        assert space.keys(limit=2) == ["a", "c"]
        assert [entry.key for entry in space.entries(limit=2, reverse=True)] == ["c", "a"]

    def test_stats_count_what_is_visible(self, space: Space) -> None:
        before = space.revision
        space.set("a", "12345")
        space.set("b", b"123")
        space.set("b", b"1234")
        space.set("gone", "x")
        space.delete("gone")
        stats = space.stats()
        assert (stats.keys, stats.bytes) == (2, len(b'"12345"') + len(b"1234"))
        assert stats.revision == before + 5
