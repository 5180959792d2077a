"""C4: whatever processes do to the same keys at once, it is as if they had done it one after the other."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from stress.crowd import run_in_processes
from stress.linearizable import Call, Register, is_linearizable, use_registers

CLIENTS = 4


def by_key(told: list[list[Call]]) -> dict[str, list[Call]]:
    """All calls of all clients, put apart by key."""
    calls = defaultdict(list)
    for call in (call for calls in told for call in calls):
        calls[call.key].append(call)
    return calls


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_c4_what_four_processes_do_to_the_same_keys_is_linearizable(
    tmp_path: Path, durability: str, scale: Callable[[int], int]
) -> None:
    url = f"sqlite:///{tmp_path}/memory.db?durability={durability}"
    clients = [(url, seed, scale(5000), 8, True) for seed in range(CLIENTS)]
    told = by_key(run_in_processes(use_registers, clients))
    assert sum(map(len, told.values())) == CLIENTS * scale(5000)
    assert [key for key, calls in sorted(told.items()) if not is_linearizable(calls)] == []


def test_c4_control_an_increment_of_two_steps_is_seen_not_to_be_linearizable(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/memory.db?durability=normal"
    told = by_key(run_in_processes(use_registers, [(url, seed, 300, 2, False) for seed in range(CLIENTS)]))
    assert [key for key, calls in told.items() if not is_linearizable(calls)] != []


# --- the check itself ----------------------------------------------------------------------------------------------


def history(dice: random.Random, length: int) -> list[Call]:
    """Calls that overlap, each with an effect at one moment within, and so linearizable."""
    moments = sorted(dice.sample(range(1, length * 10), length))
    register, calls = Register(), []
    for number, moment in enumerate(moments):
        current = 0 if register.value is None else register.version
        what = dice.choice(["entry", "set", "compare and set", "increment", "delete"])
        argument: object = None
        if what == "entry":
            result: object = None if register.value is None else tuple(register)
        elif what == "delete":
            result = register.value is not None
        elif what == "increment":
            argument, result = 1, (register.value or 0) + 1
        elif what == "set":
            argument, result = number, register.version + 1
        else:
            expected = dice.choice([current, current + 1])
            argument = number, expected
            result = register.version + 1 if expected == current else ("conflict", current)
        call = Call("key", moment - dice.randrange(30), moment + dice.randrange(30), what, argument, result)
        after = register.after(call)
        assert after is not None
        register = after
        calls.append(call)
    dice.shuffle(calls)
    return calls


@pytest.mark.parametrize("seed", range(20))
def test_a_history_that_is_linearizable_is_taken_for_one(seed: int) -> None:
    assert is_linearizable(history(random.Random(seed), 200))


def test_a_history_with_a_lost_or_a_stale_result_is_not() -> None:
    found = 0
    for seed in range(100):
        dice = random.Random(seed)
        calls = history(dice, 60)
        wrong = dice.randrange(len(calls))
        told = calls[wrong]
        match told.what:
            case "entry":
                calls[wrong] = replace(told, result=(-1, 1))
            case "delete":
                calls[wrong] = replace(told, result=not told.result)
            case "set" | "increment":
                calls[wrong] = replace(told, result=told.result - 1)
            case _:
                calls[wrong] = replace(told, result=999)
        found += not is_linearizable(calls)
    # Now and then another order of calls that overlap explains the wrong result as well.
    assert found >= 70
