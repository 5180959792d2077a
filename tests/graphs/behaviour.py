"""What a store for LangGraph does, for LangGraph's own `InMemoryStore` first and then for ours.

`DIFFERENCES` are the tests that the one in memory fails, each with what it does instead: there ours differs on purpose,
and docs/reference/langgraph-store.md has the same rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, ListNamespacesOp, MatchCondition, PutOp, SearchOp

__all__ = ["DIFFERENCES", "StoreBehaviour"]

DIFFERENCES = {
    "test_overwriting_keeps_when_it_was_created": "`created_at` starts anew at each `put`",
    "test_what_is_given_back_belongs_to_the_caller": "nested values are the store's own objects",
    "test_what_was_put_belongs_to_the_caller": "nested values are the caller's objects",
    "test_a_namespace_may_be_a_list": "a namespace given as a list is never found",
    "test_a_batch_with_a_bad_op_writes_nothing": "labels are not checked in `batch`",
    "test_the_newest_come_first": "the order of search results is that of insertion",
    "test_words_are_searched_for": "`query` is ignored without an index",
    "test_a_namespace_without_items_is_not_listed": "a namespace stays listed when its last item is deleted",
    "test_values_that_are_no_json_are_refused": "any object is kept as it is",
    "test_a_value_is_an_object": "a list of pairs is made an object",
    "test_a_filter_meets[number above, absent]": "comparing an absent member raises `TypeError`",
    "test_a_filter_meets[number above, text]": "comparing a number with text raises or converts",
    "test_a_filter_meets[text above]": "comparing texts raises `ValueError`",
    "test_a_filter_meets[dotted path]": "dots do not lead inside objects",
    "test_a_filter_meets[true is not one]": "`True` equals 1",
    "test_names_that_are_no_names_are_refused": "any name is looked up",
}

VALUE = {"tags": ["a"], "d": {"x": 1, "y": {"z": "deep"}}, "v": 5, "t": "mm", "n": None, "ok": True, "a-b_c": 1.5}
FILTERS: dict[str, tuple[dict[str, Any], bool]] = {
    "equal": ({"v": 5}, True),
    "not equal": ({"v": 6}, False),
    "float and integer": ({"v": 5.0}, True),
    "two members": ({"v": 5, "t": "mm"}, True),
    "one of two fails": ({"v": 5, "t": "x"}, False),
    "$eq list": ({"tags": {"$eq": ["a"]}}, True),
    "list": ({"tags": ["a"]}, True),
    "longer list": ({"tags": ["a", "b"]}, False),
    "tuple": ({"tags": ("a",)}, True),
    "subset": ({"d": {"x": 1}}, True),
    "nested subset": ({"d": {"y": {"z": "deep"}}}, True),
    "no subset": ({"d": {"x": 2}}, False),
    "operator inside": ({"d": {"x": {"$gte": 1, "$lt": 2}}}, True),
    "operator inside fails": ({"d": {"x": {"$gt": 1}}}, False),
    "missing is null": ({"missing": None}, True),
    "null": ({"n": None}, True),
    "missing $ne": ({"missing": {"$ne": 1}}, True),
    "$ne": ({"v": {"$ne": 5}}, False),
    "$gt": ({"v": {"$gt": 4}}, True),
    "$gt equal": ({"v": {"$gt": 5}}, False),
    "$gte": ({"v": {"$gte": 5}}, True),
    "$lt": ({"v": {"$lt": 5.5}}, True),
    "$lte": ({"v": {"$lte": 4}}, False),
    "range": ({"v": {"$gt": 1, "$lt": 9}}, True),
    "number above, absent": ({"missing": {"$gt": 1}}, False),
    "number above, text": ({"t": {"$gt": 1}}, False),
    "text above": ({"t": {"$gt": "m"}}, True),
    "dotted path": ({"d.x": 1}, True),
    "true": ({"ok": True}, True),
    "true is not one": ({"ok": 1}, False),
    "name with signs": ({"a-b_c": 1.5}, True),
}
NAMESPACES = [("a",), ("a", "b"), ("a", "b", "c"), ("a", "x", "c"), ("ab",), ("b", "c"), ("z", "a", "b")]
LISTINGS: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {
    "all": ({}, NAMESPACES),
    "prefix": ({"prefix": ("a",)}, [("a",), ("a", "b"), ("a", "b", "c"), ("a", "x", "c")]),
    "suffix": ({"suffix": ("c",)}, [("a", "b", "c"), ("a", "x", "c"), ("b", "c")]),
    "both": ({"prefix": ("a",), "suffix": ("b",)}, [("a", "b")]),
    "any label": ({"prefix": ("a", "*", "c")}, [("a", "b", "c"), ("a", "x", "c")]),
    "any label first": ({"prefix": ("*", "b")}, [("a", "b"), ("a", "b", "c")]),
    "any label last": ({"suffix": ("b", "*")}, [("a", "b", "c"), ("b", "c")]),
    "depth": ({"max_depth": 2}, [("a",), ("a", "b"), ("a", "x"), ("ab",), ("b", "c"), ("z", "a")]),
    "depth and limit": ({"max_depth": 1, "limit": 2, "offset": 1}, [("ab",), ("b",)]),
    "limit": ({"limit": 2}, [("a",), ("a", "b")]),
    "offset": ({"offset": 5}, [("b", "c"), ("z", "a", "b")]),
    "nothing": ({"prefix": ("nowhere",)}, []),
    "longer than all": ({"prefix": ("a", "b", "c", "d")}, []),
}


class StoreBehaviour:
    """Takes fixtures `store`, an empty one, and `turn`, which lets time go on by some seconds."""

    @pytest.fixture(params=["sync", "async"])
    def do(self, request: pytest.FixtureRequest, store: Any) -> Callable[..., Any]:
        """Calls a method of the store in either colour."""

        def call(name: str, *args: Any, **kwargs: Any) -> Any:
            if request.param == "sync":
                return getattr(store, name)(*args, **kwargs)

            async def run() -> Any:
                return await getattr(store, f"a{name}")(*args, **kwargs)

            return asyncio.run(run())

        return call

    def test_what_was_put_is_got(self, do: Callable[..., Any]) -> None:
        before = datetime.now(UTC)
        do("put", ("users", "ada"), "likes", {"drink": "tea", "n": [1, 2.5, None, True]})
        item = do("get", ("users", "ada"), "likes")
        assert item.value == {"drink": "tea", "n": [1, 2.5, None, True]}
        assert (item.namespace, item.key) == (("users", "ada"), "likes")
        assert item.created_at.utcoffset() is not None
        assert item.created_at == item.updated_at or item.created_at <= item.updated_at
        assert abs((item.updated_at - before).total_seconds()) < 10**9

    def test_what_is_not_there_is_none(self, do: Callable[..., Any]) -> None:
        do("put", ("users", "ada"), "likes", {})
        assert do("get", ("users",), "likes") is None
        assert do("get", ("users", "ada"), "other") is None
        assert do("get", ("users", "ada", "likes"), "") is None

    def test_a_put_replaces_the_whole_value(self, do: Callable[..., Any]) -> None:
        do("put", ("a",), "k", {"x": 1, "y": 2})
        do("put", ("a",), "k", {"x": 3})
        assert do("get", ("a",), "k").value == {"x": 3}

    def test_overwriting_keeps_when_it_was_created(
        self, do: Callable[..., Any], turn: Callable[[float], None]
    ) -> None:
        do("put", ("a",), "k", {"x": 1})
        first = do("get", ("a",), "k")
        turn(10)
        do("put", ("a",), "k", {"x": 2})
        second = do("get", ("a",), "k")
        assert second.created_at == first.created_at < second.updated_at

    def test_a_deleted_item_is_gone_and_deleting_nothing_is_no_error(self, do: Callable[..., Any]) -> None:
        do("put", ("a",), "k", {"x": 1})
        do("delete", ("a",), "k")
        do("delete", ("a",), "k")
        assert do("get", ("a",), "k") is None
        assert do("search", ("a",)) == []

    def test_what_is_given_back_belongs_to_the_caller(self, do: Callable[..., Any]) -> None:
        do("put", ("a",), "k", {"x": {"y": [1]}})
        do("get", ("a",), "k").value["x"]["y"].append(2)
        do("search", ("a",))[0].value["x"]["y"].append(3)
        assert do("get", ("a",), "k").value == {"x": {"y": [1]}}

    def test_what_was_put_belongs_to_the_caller(self, do: Callable[..., Any]) -> None:
        value: dict[str, Any] = {"x": {"y": [1]}}
        do("put", ("a",), "k", value)
        value["x"]["y"].append(2)
        assert do("get", ("a",), "k").value == {"x": {"y": [1]}}

    @pytest.mark.parametrize("key", ["/", "a/b", "%2F", "a.b", "..", "käse", "日本語", "\n", "*", "'--", "x" * 800, ""])
    def test_a_key_is_any_text(self, do: Callable[..., Any], key: str) -> None:
        do("put", ("a",), key, {"key": key})
        do("put", ("a", "b"), key, {"key": "another"})
        assert do("get", ("a",), key).value == {"key": key}
        found = do("search", ("a",), filter={"key": key})
        assert [(item.namespace, item.key) for item in found] == [(("a",), key)]

    @pytest.mark.parametrize("label", ["/", "%", "a b", "käse", "日本語", "\n", "*", "'--", "a,b", "a:b", "langgraph"])
    def test_a_label_is_any_text_without_a_period(self, do: Callable[..., Any], label: str) -> None:
        do("put", ("root", label), "k", {"x": 1})
        do("put", ("root", label + "x"), "k", {"x": 2})
        do("put", ("root",), f"{label}/k", {"x": 3})
        assert [item.value["x"] for item in do("search", ("root", label))] == [1]
        assert sorted(do("list_namespaces")) == sorted([("root",), ("root", label), ("root", label + "x")])

    @pytest.mark.parametrize("namespace", [(), ("",), ("a.b",), ("a", 1), ("langgraph", "x"), ("a", "x\0")])
    def test_what_is_no_namespace_is_refused(self, do: Callable[..., Any], namespace: Any) -> None:
        with pytest.raises(InvalidNamespaceError):
            do("put", namespace, "k", {"x": 1})
        assert do("search", ()) == []

    def test_a_namespace_may_be_a_list(self, do: Callable[..., Any]) -> None:
        do("put", ("a", "b"), "k", {"x": 1})
        found = do("batch", [GetOp(["a", "b"], "k"), SearchOp(["a"])])  # type: ignore[arg-type]
        assert found[0].namespace == ("a", "b")
        assert [item.namespace for item in found[1]] == [("a", "b")]

    # --- batches ------------------------------------------------------------------------------------------------

    def test_reads_of_a_batch_see_what_was_before_its_writes(self, do: Callable[..., Any]) -> None:
        do("put", ("a",), "old", {"x": 0})
        ops = [
            PutOp(("a",), "new", {"x": 1}),
            GetOp(("a",), "new"),
            GetOp(("a",), "old"),
            PutOp(("a",), "old", None),
            SearchOp(("a",)),
            ListNamespacesOp(),
            PutOp(("a",), "new", {"x": 2}),
        ]
        results = do("batch", ops)
        assert [results[i] for i in (0, 1, 3, 6)] == [None] * 4
        assert results[2].value == {"x": 0}
        assert [item.key for item in results[4]] == ["old"]
        assert results[5] == [("a",)]
        assert do("get", ("a",), "new").value == {"x": 2}
        assert do("get", ("a",), "old") is None

    def test_an_empty_batch_gives_nothing(self, do: Callable[..., Any]) -> None:
        assert do("batch", []) == []

    def test_an_iterator_of_ops_will_do(self, do: Callable[..., Any]) -> None:
        assert do("batch", iter([PutOp(("a",), "k", {"x": 1}), GetOp(("a",), "k")])) == [None, None]

    def test_a_batch_with_a_bad_op_writes_nothing(self, do: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match="label"):
            do("batch", [PutOp(("a",), "k", {"x": 1}), PutOp(("a.b",), "k", {"x": 1})])
        assert do("search", ()) == []

    def test_what_is_no_op_is_refused(self, do: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match=r"Unknown|no op"):
            do("batch", [PutOp(("a",), "k", {"x": 1}), "no op"])
        assert do("search", ()) == []

    # --- search -------------------------------------------------------------------------------------------------

    def test_a_search_is_by_whole_labels(self, do: Callable[..., Any]) -> None:
        for namespace in (("foo",), ("foo", "bar"), ("foobar",), ("bar", "foo")):
            do("put", namespace, "k", {"x": 1})
        found = [item.namespace for item in do("search", ("foo",))]
        assert sorted(found) == [("foo",), ("foo", "bar")]
        assert len(do("search", ())) == 4

    @pytest.mark.parametrize("name", FILTERS)
    def test_a_filter_meets(self, do: Callable[..., Any], name: str) -> None:
        filter, right = FILTERS[name]
        do("put", ("a",), "k", VALUE)
        assert [item.key for item in do("search", ("a",), filter=filter)] == (["k"] if right else [])

    @pytest.mark.parametrize("operator", ["$regex", "$in", "$where", "$"])
    def test_an_unknown_operator_is_refused(self, do: Callable[..., Any], operator: str) -> None:
        do("put", ("a",), "k", VALUE)
        with pytest.raises(ValueError, match="perator"):
            do("search", ("a",), filter={"v": {operator: 5}})

    @pytest.mark.parametrize("name", ["v'", 'v"', "v; --", "v OR 1=1", "v)", "$v", ""])
    def test_names_that_are_no_names_are_refused(self, do: Callable[..., Any], name: str) -> None:
        with pytest.raises(ValueError, match="filter"):
            do("search", ("a",), filter={name: 5})

    def test_the_newest_come_first(self, do: Callable[..., Any], turn: Callable[[float], None]) -> None:
        for key in ("b", "c", "a"):
            do("put", ("a",), key, {"x": 1})
            turn(1)
        do("put", ("a",), "c", {"x": 2})
        assert [item.key for item in do("search", ("a",))] == ["c", "a", "b"]
        assert [item.key for item in do("search", ("a",), limit=1, offset=1)] == ["a"]

    def test_a_search_has_a_limit_of_ten_and_pages(self, do: Callable[..., Any]) -> None:
        for number in range(13):
            do("put", ("a",), f"k{number:02}", {"x": number})
        assert len(do("search", ("a",))) == 10
        pages = [do("search", ("a",), limit=5, offset=offset) for offset in (0, 5, 10, 15)]
        assert [len(page) for page in pages] == [5, 5, 3, 0]
        assert len({item.key for page in pages for item in page}) == 13
        assert all(item.score is None for page in pages for item in page)

    def test_words_are_searched_for(self, do: Callable[..., Any]) -> None:
        do("put", ("a",), "1", {"text": "the user likes green tea"})
        do("put", ("a",), "2", {"text": "the user dislikes coffee"})
        do("put", ("a",), "3", {"text": "nothing of that"})
        assert [item.key for item in do("search", ("a",), query="Tea or coffee?")] in (["1", "2"], ["2", "1"])
        assert [item.key for item in do("search", ("a",), query="coffee", filter={"text": {"$ne": "x"}})] == ["2"]

    # --- namespaces ---------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", LISTINGS)
    def test_namespaces_are_listed(self, do: Callable[..., Any], name: str) -> None:
        for namespace in reversed(NAMESPACES):
            do("put", namespace, "k", {"x": 1})
        arguments, right = LISTINGS[name]
        assert do("list_namespaces", **arguments) == right

    def test_a_namespace_without_items_is_not_listed(self, do: Callable[..., Any]) -> None:
        do("put", ("a", "b"), "k", {"x": 1})
        do("delete", ("a", "b"), "k")
        assert do("list_namespaces") == []

    def test_an_empty_condition_is_none(self, do: Callable[..., Any]) -> None:
        do("put", ("a",), "k", {"x": 1})
        op = ListNamespacesOp((MatchCondition("prefix", ()), MatchCondition("suffix", ())))
        assert do("batch", [op]) == [[("a",)]]

    # --- values -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "value", [{"x": float("nan")}, {"x": {1, 2}}, {"x": datetime.now(UTC)}, {1: "x"}, {"x": object()}, {"x": (1,)}]
    )
    def test_values_that_are_no_json_are_refused(self, do: Callable[..., Any], value: Any) -> None:
        with pytest.raises(ValueError, match="value"):
            do("batch", [PutOp(("a",), "fine", {"x": 1}), PutOp(("a",), "k", value)])
        assert do("search", ()) == []

    @pytest.mark.parametrize("value", [["x"], "text", 7, [("x", 1)]])
    def test_a_value_is_an_object(self, do: Callable[..., Any], value: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            do("put", ("a",), "k", value)

    def test_what_an_index_would_be_told_is_ignored(self, do: Callable[..., Any]) -> None:
        do("put", ("a",), "k", {"x": "text"}, index=["x"])
        do("put", ("a",), "l", {"x": "text"}, index=False)
        assert len(do("search", ("a",), filter={"x": "text"})) == 2
