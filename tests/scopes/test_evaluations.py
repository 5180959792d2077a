"""A call into a framework that evaluates: its threads know their place, and what it keeps to itself comes out."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from botwire_core.errors import ScopeError
from botwire_core.memory import Memory
from botwire_core.scopes import Scope
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.current import current_scope
from botwire_core.scopes.evaluations import Evaluation, id_of_inputs
from botwire_core.scopes.policy import current_policy, scope_policy
from botwire_core.scopes.runs import active_runs


def place_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope:
    return Scope("v", "r", id_of_inputs(args[0]))


def in_thread(function: Callable[[], Any]) -> Any:
    """As frameworks do: in a thread of their own, keeping to themselves what is raised."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


def test_a_bound_function_is_in_its_place_in_a_thread_of_the_framework(memory: Memory) -> None:
    with scope_policy(isolation="datapoint"), Evaluation(Scope("v", "r")) as evaluation:
        task = evaluation.bound(lambda number: memory.append("asked", number), place_of)
        for number in (1, 2):
            in_thread(lambda number=number: task(number))
    assert memory.read("asked") == []
    for number in (1, 2):
        with scope_policy(isolation="datapoint"), scope(place_of((number,), {})):
            assert memory.read("asked") == [number]


def test_a_bound_coroutine_function_stays_one_and_what_is_given_to_be_awaited_is_awaited_in_place() -> None:
    async def task(number: int) -> Scope | None:
        await asyncio.sleep(0)
        return current_scope()

    def gives(number: int) -> Coroutine[Any, Any, Scope | None]:
        return task(number)

    with Evaluation() as evaluation:
        bound = evaluation.bound(task, place_of)
        given = evaluation.bound(gives, place_of)
        assert inspect.iscoroutinefunction(bound)
        for one in (bound, given):
            found = in_thread(lambda one=one: asyncio.run(one(7)))
            assert found == Scope("v", "r", id_of_inputs(7))


def test_the_policy_of_the_caller_holds_in_the_threads() -> None:
    with scope_policy(seed="empty"), Evaluation() as evaluation:
        seed = in_thread(partial(evaluation.bound(lambda number: current_policy().seed, place_of), 1))
    assert seed == "empty"


def test_what_blocks_around_it_say_overrules_the_framework_except_for_the_datapoint() -> None:
    with scope(variant="mine", experiment="e", datapoint_id="d"), Evaluation() as evaluation:
        found = evaluation.bound(lambda number: current_scope(), place_of)(1)
    assert found == Scope("mine", "r", id_of_inputs(1), experiment="e")


def test_off_around_it_holds_in_the_threads(memory: Memory) -> None:
    with scope(off=True), Evaluation(Scope("v", "r")) as evaluation:
        in_thread(partial(evaluation.bound(lambda number: memory.set("k", number), place_of), 1))
        assert active_runs() == []
    assert memory.get("k") == 1


def test_the_run_is_under_way_until_the_end_so_that_a_lost_thread_never_writes_to_the_base(memory: Memory) -> None:
    refused = pytest.raises(ScopeError, match=r"refused during the run r, .*outside of every scope")
    with refused, Evaluation() as evaluation:
        evaluation.bound(lambda number: None, place_of)(1)
        assert isinstance(in_thread(lambda: memory.set("k", 1)), ScopeError)
    assert not memory.exists("k")


def test_a_refusal_that_the_framework_keeps_to_itself_is_raised_at_the_end(memory: Memory) -> None:
    refused = pytest.raises(ScopeError, match="the datapoint is not known")
    with refused as caught, scope_policy(isolation="datapoint"), Evaluation() as evaluation:
        task = evaluation.bound(lambda number: memory.set("k", number), lambda args, kwargs: Scope("v", "r"))
        in_thread(lambda: task(1))
    assert caught.value.hint is not None
    assert not memory.exists("k")


def test_an_error_of_the_framework_itself_comes_first() -> None:
    with pytest.raises(KeyError), Evaluation(Scope("v", "r")) as evaluation:
        in_thread(partial(evaluation.bound(lambda number: 1 / 0, place_of), 1))
        raise KeyError


def test_inputs_that_are_equal_have_one_id_and_others_have_others() -> None:
    inputs = [{"q": "a"}, {"q": "b"}, {"q": 1}, {"q": "1"}, {"q": True}, {"q": None}, {"p": "a"}, {}, [], "a"]
    assert len({id_of_inputs(one) for one in inputs}) == len(inputs)
    assert id_of_inputs({"a": 1, "b": 2}) == id_of_inputs({"b": 2, "a": 1})
    assert id_of_inputs({"what": "\ud800"}).startswith("in-")
