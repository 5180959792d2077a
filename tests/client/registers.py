"""A client of a few registers over a line that loses things, for the check of linearizability."""

from __future__ import annotations

import random
import time
from multiprocessing.synchronize import Barrier
from typing import Any

from stress.linearizable import UNKNOWN, Call

from botwire_core.errors import CommitUnknownError, ConflictError, StoreUnavailableError
from botwire_core.memory import Memory

KINDS = ["entry", "entry", "set", "compare and set", "increment", "increment", "delete"]


def use_registers(barrier: Barrier, url: str, seed: int, count: int, keys: int) -> list[Call]:
    """Do random things to a few keys, and tell each call with its result, which may be that it is unknown."""
    dice = random.Random(seed)
    calls = []
    with Memory("registers", url, 20) as memory:
        barrier.wait()
        for number in range(count):
            key, what = f"key {dice.randrange(keys)}", dice.choice(KINDS)
            argument: Any = {"increment": 1, "set": seed * 1_000_000 + number}.get(what)
            if what == "compare and set":
                argument = seed * 1_000_000 + number, dice.randrange(20)
            began = time.monotonic_ns()
            try:
                result = _done(memory, key, what, argument)
            except CommitUnknownError:
                result = UNKNOWN
            except StoreUnavailableError:
                continue  # nothing was done, and nothing was read
            calls.append(Call(key, began, time.monotonic_ns(), what, argument, result))
    return [call if call.result is not UNKNOWN else Call(*_whole(call), "unknown") for call in calls]


def understood(calls: list[Call]) -> list[Call]:
    """The calls as they came from another process, in which what is unknown is another object."""
    return [call if call.result != "unknown" else Call(*_whole(call), UNKNOWN) for call in calls]


def _whole(call: Call) -> tuple[str, int, int, str, Any]:
    return call.key, call.began, call.ended, call.what, call.argument


def _done(memory: Memory, key: str, what: str, argument: Any) -> Any:
    match what:
        case "entry":
            entry = memory.entry(key)
            return None if entry is None else (entry.value, entry.version)
        case "set":
            return memory.set(key, argument)
        case "increment":
            return memory.increment(key, argument)
        case "delete":
            return memory.delete(key)
    try:
        return memory.set(key, argument[0], if_version=argument[1])
    except ConflictError as error:
        return "conflict", error.version
