"""Search: conditions on fields, words by rank, newest first; and nothing that is asked for is ever code."""

from __future__ import annotations

from typing import Any, Final

import pytest

from botwire_core import protocol as p
from botwire_core.errors import InvalidValueError
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.keys import HOSTILE_KEYS
from botwire_core.testing.stores.space import Space

__all__ = ["SearchContract"]

_PEOPLE: Final[dict[str, Any]] = {
    "ann": {"age": 30, "city": "Oslo", "tags": ["vip"], "profile": {"plan": "pro", "seats": 5}, "a.b": 1},
    "bob": {"age": 40.0, "city": "oslo", "tags": [], "profile": {"plan": "free"}, "a": {"b": 1}},
    "eve": {"age": "30", "city": None, "profile": None, "active": True},
    "joe": {"age": 10**30, "city": "Bergen", "active": 1, "profile": {"plan": "pro", "seats": 9}},
    "list": [1, 2],
    "text": "age",
    "bytes": b"{}",
    "null": None,
}

_CONDITIONS: Final[list[tuple[Any, str]]] = [
    ({}, "ann bob eve joe"),
    ({"age": 30}, "ann"),
    ({"age": 30.0}, "ann"),
    ({"age": 40}, "bob"),
    ({"age": "30"}, "eve"),
    ({"age": {"$eq": 30}}, "ann"),
    ({"age": {"$ne": 30}}, "bob eve joe"),
    ({"age": {"$gt": 30}}, "bob joe"),
    ({"age": {"$gte": 30}}, "ann bob joe"),
    ({"age": {"$lt": 40}}, "ann"),
    ({"age": {"$lte": 40}}, "ann bob"),
    ({"age": {"$gt": 10**30 - 1}}, "joe"),
    ({"age": {"$gt": ""}}, "eve"),
    ({"age": {"$gte": 30, "$lt": 40}}, "ann"),
    ({"age": {"$in": [30, "30"]}}, "ann eve"),
    ({"age": {"$in": []}}, ""),
    ({"city": "Oslo"}, "ann"),
    ({"city": None}, "eve"),
    ({"active": None}, "ann bob"),
    ({"active": {"$exists": True}}, "eve joe"),
    ({"city": {"$exists": False}}, ""),
    ({"active": True}, "eve"),
    ({"active": 1}, "joe"),
    ({"tags": ["vip"]}, "ann"),
    ({"tags": []}, "bob"),
    ({"profile.plan": "pro"}, "ann joe"),
    ({"profile": {"plan": "pro"}}, "ann joe"),
    ({"profile": {"plan": "pro", "seats": 5}}, "ann"),
    ({"profile.seats": {"$gt": 5}}, "joe"),
    ({"a.b": 1}, "ann bob"),
    ({"age": {"$gte": 30}, "city": "Bergen"}, "joe"),
    ({"nothing": {"$gt": 0}}, ""),
    ({"nothing.at.all": 1}, ""),
]

_NOT_CONDITIONS: Final[list[Any]] = [
    {"age": {"$regex": "3"}},
    {"age": {"$gt": None}},
    {"age": {"$gt": [1]}},
    {"age": {"$gt": True}},
    {"age": {"$in": 30}},
    {"age": {"$in": "30"}},
    {"age": {"$exists": 1}},
    {"age": {"$gt": 1, "plain": 2}},
    {"$or": [{"age": 30}]},
    {1: 2},
    [("age", 30)],
    "age",
]


class SearchContract(StoreBench):
    """Searches by field, by word, and by neither."""

    @pytest.fixture
    def people(self, space: Space, clock: ManualClock) -> Space:
        for key, value in _PEOPLE.items():
            space.set(key, value)
            clock.advance(1)
        return space

    @pytest.mark.parametrize(("where", "expected"), _CONDITIONS, ids=repr)
    def test_a_condition_finds_exactly_what_meets_it(self, people: Space, where: Any, expected: str) -> None:
        found = people.run(p.Search(people.name, where=where, limit=100))
        assert sorted(entry.key for entry in found) == expected.split()
        assert all(repr(entry.value) == repr(_PEOPLE[entry.key]) for entry in found)

    @pytest.mark.parametrize("where", _NOT_CONDITIONS, ids=repr)
    def test_what_is_no_condition_is_refused_even_where_there_is_nothing(self, space: Space, where: Any) -> None:
        with pytest.raises(InvalidValueError):
            space.run(p.Search(space.name, where=where))
        space.set("k", {"age": 30})
        with pytest.raises(InvalidValueError):
            space.run(p.Search(space.name, where=where))

    def test_without_words_the_newest_come_first(self, people: Space, clock: ManualClock) -> None:
        newest_first = list(_PEOPLE)[::-1]
        assert [entry.key for entry in people.run(p.Search(people.name, limit=100))] == newest_first
        clock.advance(1)
        people.set("ann", {"age": 31})
        found = people.run(p.Search(people.name, limit=3))
        assert [entry.key for entry in found] == ["ann", *newest_first[:2]]

    def test_offset_and_limit_cut_a_page_out(self, people: Space) -> None:
        whole = [entry.key for entry in people.run(p.Search(people.name, limit=100))]
        for offset in range(0, 12, 3):
            page = people.run(p.Search(people.name, limit=3, offset=offset))
            assert [entry.key for entry in page] == whole[offset : offset + 3]
        assert people.run(p.Search(people.name, limit=0)) == []
        assert len(people.run(p.Search(people.name))) == len(_PEOPLE)
        for where in (None, {"age": {"$gt": 0}}):
            assert people.run(p.Search(people.name, where=where, limit=10**40, offset=10**40)) == []

    def test_ten_are_found_where_no_limit_is_said(self, space: Space) -> None:
        for number in range(12):
            space.set(f"k{number:02}", number)
        assert len(space.run(p.Search(space.name))) == 10

    def test_equally_new_entries_come_in_the_order_of_their_keys(self, space: Space) -> None:
        space.append("log", *range(5))
        assert [entry.value for entry in space.run(p.Search(space.name))] == [0, 1, 2, 3, 4]

    def test_a_prefix_keeps_others_out(self, people: Space) -> None:
        people.set("ann:2", {"age": 30})
        found = people.run(p.Search(people.name, "ann:", where={"age": 30}))
        assert [entry.key for entry in found] == ["ann:2"]

    def test_more_rarer_and_closer_words_rank_higher(self, space: Space) -> None:
        space.set("both", "the customer likes green tea")
        space.set("one", {"note": "the customer likes coffee", "more": ["the", "customer", "again"]})
        space.set("long", "tea " + "and many other words about something else entirely " * 20)
        space.set("none", "nothing of the kind")
        space.set("bytes", b"green tea")
        ranked = [entry.key for entry in space.run(p.Search(space.name, words="green TEA"))]
        assert ranked == ["both", "long"]
        assert [entry.key for entry in space.run(p.Search(space.name, words="coffee"))] == ["one"]
        assert [entry.key for entry in space.run(p.Search(space.name, words="tea", limit=1, offset=1))] == ["long"]
        assert space.run(p.Search(space.name, words="absent")) == []

    def test_words_are_found_in_names_numbers_and_any_script(self, space: Space) -> None:
        space.set("a", {"größe": [42, {"Farbe": "ROT"}]})
        space.set("b", "日本語 текст")
        for key, known_by in (("a", ("GRÖSSE", "rot", "42", "farbe")), ("b", ("ТЕКСТ", "日本語"))):
            for words in known_by:
                assert [entry.key for entry in space.run(p.Search(space.name, words=words))] == [key], words

    def test_words_and_conditions_hold_together(self, space: Space) -> None:
        space.set("a", {"kind": "fact", "text": "likes tea"})
        space.set("b", {"kind": "guess", "text": "likes tea"})
        found = space.run(p.Search(space.name, where={"kind": "fact"}, words="tea"))
        assert [entry.key for entry in found] == ["a"]

    def test_hostile_names_and_words_are_plain_data(self, space: Space) -> None:
        hostile = [key for key in HOSTILE_KEYS if not key.startswith("$")]
        space.set("k", {key: number for number, key in enumerate(hostile)})
        space.set("other", {"x": 1})
        for number, key in enumerate(hostile):
            found = space.run(p.Search(space.name, where={key: number}))
            assert [entry.key for entry in found] == ["k"], key
            assert space.run(p.Search(space.name, where={f"{key}' OR '1'='1": number})) == []
            space.run(p.Search(space.name, words=f'{key} AND NOT x* "NEAR" ('))
        assert space.keys() == ["k", "other"]

    def test_deleted_and_expired_entries_are_not_found(self, space: Space, clock: ManualClock) -> None:
        space.set("a", {"x": "tea"})
        space.set("b", {"x": "tea"}, ttl=60)
        space.set("c", {"x": "tea"})
        space.delete("a")
        clock.advance(61)
        for op in (p.Search(space.name), p.Search(space.name, where={"x": "tea"}), p.Search(space.name, words="tea")):
            assert [entry.key for entry in space.run(op)] == ["c"]
