"""Which code is in a scope, and what becomes of code that lost it: threads, tasks, pools, policies, providers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ways import copied_context, coroutine, executor_of_loop, new_pool, same_thread, task, to_thread

from botwire_core.errors import InvalidValueError, ScopeError
from botwire_core.memory import Memory
from botwire_core.scopes import Scope
from botwire_core.scopes.blocks import bind, scope
from botwire_core.scopes.current import OFF, arm, current_scope, disarm, scope_here
from botwire_core.scopes.policy import ScopePolicy, current_policy, policy_here, policy_with, scope_policy
from botwire_core.scopes.runs import UnscopedWarning, active_runs


@pytest.fixture
def read(memory: Memory) -> Callable[[], str]:
    """Tell on which memory the code works: each has its own name written into it."""
    memory.set("name", "base")
    with scope(variant="v", run_id="r"):
        memory.set("name", "scoped")
    return lambda: memory.get("name")


@pytest.fixture
def pool_from_before() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        yield pool


def in_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


INHERITS = [same_thread, coroutine, task, to_thread, copied_context]
LOSES = [in_thread, new_pool, executor_of_loop]


@pytest.mark.parametrize("way", INHERITS)
def test_these_ways_keep_the_scope(read: Callable[[], str], way: Callable[[Callable[[], Any]], Any]) -> None:
    with scope(variant="v", run_id="r"):
        assert way(read) == "scoped"


@pytest.mark.parametrize("way", LOSES)
def test_these_ways_lose_the_scope_and_are_refused(
    read: Callable[[], str], way: Callable[[Callable[[], Any]], Any]
) -> None:
    with scope(variant="v", run_id="r"), pytest.raises(ScopeError, match="outside of every scope"):
        way(read)


@pytest.mark.parametrize("way", [*INHERITS, *LOSES])
def test_a_bound_function_keeps_the_scope_anywhere(
    read: Callable[[], str], way: Callable[[Callable[[], Any]], Any]
) -> None:
    with scope(variant="v", run_id="r"):
        bound = bind(read)
        assert way(bound) == "scoped"
    assert way(bound) == "scoped"
    assert read() == "base"


def test_a_pool_from_before_the_run_keeps_a_bound_function_too(
    read: Callable[[], str], pool_from_before: ThreadPoolExecutor
) -> None:
    with scope(variant="v", run_id="r"):
        assert pool_from_before.submit(bind(read)).result() == "scoped"
        with pytest.raises(ScopeError):
            pool_from_before.submit(read).result()


async def test_a_bound_coroutine_function_stays_one(memory: Memory) -> None:
    memory.set("name", "base")
    with scope(variant="v", run_id="r"):
        await memory.aset("name", "scoped")

        async def read() -> Any:
            return await memory.aget("name")

        bound = bind(read)
    assert await bound() == "scoped"
    assert await read() == "base"


@pytest.mark.parametrize("way", LOSES)
def test_adoption_takes_a_thread_that_began_in_the_run_for_a_part_of_it(
    read: Callable[[], str], way: Callable[[Callable[[], Any]], Any]
) -> None:
    with scope_policy(on_unscoped="adopt"), scope(variant="v", run_id="r"):
        assert way(read) == "scoped"


def test_adoption_is_refused_to_who_was_there_before_and_where_it_is_ambiguous(
    read: Callable[[], str], pool_from_before: ThreadPoolExecutor
) -> None:
    with scope_policy(on_unscoped="adopt"):
        with scope(variant="v", run_id="r"), pytest.raises(ScopeError, match="was there before the run"):
            pool_from_before.submit(read).result()
        with scope(variant="v", run_id="r"), scope(variant="other"), pytest.raises(ScopeError, match="2 runs"):
            in_thread(read)
        refused = pytest.raises(ScopeError, match="isolated by datapoint")
        with scope_policy(isolation="datapoint"), scope(variant="v", run_id="r", datapoint_id="d"), refused:
            in_thread(read)


def test_the_base_is_used_only_where_the_policy_says_so(read: Callable[[], str]) -> None:
    with scope_policy(on_unscoped="base"), scope(variant="v", run_id="r"):
        assert in_thread(read) == "base"
    with scope_policy(on_unscoped="warn"), scope(variant="v", run_id="r"), pytest.warns(UnscopedWarning):
        assert in_thread(read) == "base"


def test_a_block_can_switch_scopes_off(read: Callable[[], str]) -> None:
    with scope(variant="v", run_id="r"):
        with scope(off=True):
            assert read() == "base"
            assert current_scope() is None
            assert scope_here.get() is OFF
            assert in_thread(bind(read)) == "base"
        assert read() == "scoped"


def test_an_inner_scope_takes_what_it_does_not_say_from_the_outer_one() -> None:
    with scope(variant="v", run_id="r", experiment="e"), scope(datapoint_id="d", trial=2) as inner:
        assert inner == Scope("v", "r", "d", 2, experiment="e")
        with scope(Scope(variant="w"), run_id="s") as whole:
            assert whole == Scope("w", "s")
    assert current_scope() is None


def test_a_run_is_under_way_for_as_long_as_somebody_is_in_it() -> None:
    with scope(variant="v", run_id="r", datapoint_id="d1"):
        with scope(datapoint_id="d2"):
            (run,) = active_runs()
            assert (run.scope, run.blocks) == (Scope("v", "r"), 2)
        assert active_runs()
    assert not active_runs()
    with scope(variant="v"):
        assert not active_runs()  # nobody could tell yet what is isolated
    with scope_policy(isolation="off"), scope(variant="v", run_id="r"):
        assert not active_runs()


@pytest.mark.parametrize(
    "wrong",
    [{"variant": ""}, {"run_id": 3}, {"trial": -1}, {"trial": True}, {"colour": "red"}, {}],
)
def test_a_scope_that_says_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError), scope(**wrong):
        pass


@pytest.mark.parametrize("wrong", [{"isolation": "run "}, {"on_unscoped": "ask"}, {"expires_after": -1}])
def test_a_policy_that_says_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    before = current_policy()
    with pytest.raises(InvalidValueError), scope_policy(**wrong):
        pass
    assert current_policy() is before


def test_a_provider_is_asked_where_no_block_says_anything(read: Callable[[], str]) -> None:
    told: list[Scope | None] = [Scope("v", "r")]

    def provider() -> Scope | None:
        return told[0]

    arm(provider)
    try:
        assert read() == "scoped"
        with scope(off=True):
            assert read() == "base"
        with scope(variant="other", run_id="r2"):
            assert read() == "base"  # a fork of it, made now
        told[0] = None
        assert read() == "base"
    finally:
        disarm(provider)
    told[0] = Scope("v", "r")
    assert read() == "base"


def test_a_provider_that_is_armed_as_the_last_is_asked_after_later_ones() -> None:
    def last() -> Scope | None:
        return Scope("last", "r")

    def later() -> Scope | None:
        return Scope("later", "r")

    arm(last, last=True)
    arm(later)
    try:
        assert current_scope() == Scope("later", "r")
        disarm(later)
        assert current_scope() == Scope("last", "r")
    finally:
        disarm(later)
        disarm(last)
    arm(last)  # it was disarmed, so what it was armed as is forgotten
    arm(later)
    try:
        assert current_scope() == Scope("last", "r")
    finally:
        disarm(later)
        disarm(last)
    assert current_scope() is None


def test_a_provider_that_fails_never_lets_the_base_be_used(memory: Memory) -> None:
    def provider() -> Scope | None:
        raise RuntimeError("its framework has changed")

    arm(provider)
    try:
        with pytest.raises(ScopeError, match="its framework has changed"):
            memory.set("k", 1)
    finally:
        disarm(provider)
    assert not memory.exists("k")


def test_an_unknown_run_is_never_the_base(memory: Memory) -> None:
    with scope(variant="v"), pytest.raises(ScopeError, match="the run is not known"):
        memory.set("k", 1)
    assert not memory.exists("k")


def test_no_scope_needs_no_module_of_scopes_beyond_what_asks_for_one() -> None:
    import subprocess

    code = (
        "import sys; from botwire import Memory; Memory('a', 'memory:').set('k', 1);"
        "print(sorted(name for name in sys.modules if name.startswith('botwire_core.scopes')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == str(
        ["botwire_core.scopes", "botwire_core.scopes.current", "botwire_core.scopes.scope", "botwire_core.scopes.store"]
    )


def test_a_framework_has_defaults_only_where_no_block_has_said_otherwise() -> None:
    assert policy_with(on_unscoped="adopt").on_unscoped == "adopt"
    with scope_policy(isolation="datapoint"):
        assert policy_with(on_unscoped="adopt", isolation="version") == ScopePolicy("datapoint", on_unscoped="adopt")
        with scope_policy(on_unscoped="error"):
            assert policy_with(on_unscoped="adopt").on_unscoped == "error"
        assert policy_with(on_unscoped="adopt").on_unscoped == "adopt"
    with policy_here(ScopePolicy(on_unscoped="warn")):
        assert policy_with(on_unscoped="adopt", isolation="version") == ScopePolicy(on_unscoped="warn")


def test_the_first_refusal_of_a_run_is_kept_for_who_runs_it(read: Callable[[], str]) -> None:
    with scope(variant="v", run_id="r"):
        for _ in range(2):
            with pytest.raises(ScopeError) as caught:
                in_thread(read)
            first = active_runs()[0].refused
        assert isinstance(first, ScopeError)
        assert first is not caught.value
        assert str(first) == str(caught.value)


def test_a_thread_that_a_provider_knows_has_the_policy_of_its_run(memory: Memory) -> None:
    def provider() -> Scope | None:
        return Scope("v", "r", "d") if threading.current_thread() is not threading.main_thread() else None

    arm(provider)
    try:
        with scope_policy(isolation="datapoint"), scope(variant="v", run_id="r", datapoint_id="d"):
            in_thread(lambda: memory.set("k", "the datapoint's"))
            assert memory.get("k") == "the datapoint's"
    finally:
        disarm(provider)
    assert not memory.exists("k")
