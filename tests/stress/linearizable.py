"""Whether what many clients saw of a register can have happened one after the other, and clients that see it.

Each call has a moment at which it began and one at which it came back, on one clock of the machine. The history is
linearizable where some order of the calls that keeps to those moments gives every call the result that it had
(Herlihy and Wing, 1990; searched just in time, as Lowe does in "Testing for linearizability", 2017).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

from botwire_core.errors import ConflictError
from botwire_core.memory import Memory


@dataclass(frozen=True)
class Call:
    key: str
    began: int
    ended: int
    what: str
    argument: Any
    result: Any
    """`UNKNOWN` where it never came back: it may have had its effect, at any moment since, or not."""


UNKNOWN: Any = object()


class Register(NamedTuple):
    """What stands at a key: nothing, where the value is None."""

    value: int | None = None
    version: int = 0

    def after(self, call: Call) -> Register | None:
        """The register after a call; None where the call cannot have had its result here."""
        current = 0 if self.value is None else self.version
        if call.result is UNKNOWN:
            return self._after_unknown(call, current)
        match call.what:
            case "entry":
                holds = call.result == (None if self.value is None else (self.value, self.version))
                return self if holds else None
            case "set":
                return Register(call.argument, self.version + 1) if call.result == self.version + 1 else None
            case "compare and set":
                value, expected = call.argument
                if call.result == ("conflict", current):
                    return self if expected != current else None
                after = Register(value, self.version + 1)
                return after if expected == current and call.result == after.version else None
            case "increment":
                total = (self.value or 0) + call.argument
                return Register(total, self.version + 1) if call.result == total else None
            case "delete":
                if self.value is None:
                    return self if call.result is False else None
                return Register(None, self.version + 1) if call.result is True else None
        raise ValueError(call.what)

    def _after_unknown(self, call: Call, current: int) -> Register | None:
        match call.what:
            case "set":
                return Register(call.argument, self.version + 1)
            case "compare and set":
                value, expected = call.argument
                return Register(value, self.version + 1) if expected == current else None
            case "increment":
                return Register((self.value or 0) + call.argument, self.version + 1)
            case "delete":
                return None if self.value is None else Register(None, self.version + 1)
        return None  # a read without a result tells nothing


def is_linearizable(calls: Iterable[Call]) -> bool:
    """Whether the calls to one key can have happened one after the other, the first on an empty register."""
    calls = list(calls)
    moments = sorted(
        [(call.began, 0, i) for i, call in enumerate(calls)]
        + [(call.ended, 1, i) for i, call in enumerate(calls) if call.result is not UNKNOWN]
    )
    under_way: set[int] = set()
    # What may stand now, with those of the calls under way that have had their effect.
    worlds: set[tuple[Register, frozenset[int]]] = {(Register(), frozenset())}
    for _, has_ended, i in moments:
        if not has_ended:
            under_way.add(i)
            continue
        after = set()
        found, waiting = set(worlds), list(worlds)
        while waiting:
            register, done = waiting.pop()
            if i in done:
                after.add((register, done - {i}))
                continue
            for j in under_way - done:
                changed = register.after(calls[j])
                world = None if changed is None else (changed, done | {j})
                if world is not None and world not in found:
                    found.add(world)
                    waiting.append(world)
        if not after:
            return False
        worlds = after
        under_way.remove(i)
    return True


def use_registers(barrier: Barrier, url: str, seed: int, count: int, keys: int, honest: bool) -> list[Call]:
    """Do random things to a few keys, and tell each call with its result.

    Who is not honest increments by a get and a set, which is what the check has to find.
    """
    dice = random.Random(seed)
    calls = []
    with Memory("registers", url) as memory:
        memory.get("ready")
        barrier.wait()
        for number in range(count):
            key = f"key {dice.randrange(keys)}"
            what = dice.choice(["entry", "entry", "set", "compare and set", "increment", "increment", "delete"])
            value = seed * 1_000_000 + number
            argument: Any = None
            began = time.monotonic_ns()
            match what:
                case "entry":
                    entry = memory.entry(key)
                    result: Any = None if entry is None else (entry.value, entry.version)
                case "set":
                    argument, result = value, memory.set(key, value)
                case "compare and set":
                    entry = memory.entry(key)
                    began = time.monotonic_ns()
                    argument = value, (entry.version if entry else 0)
                    try:
                        result = memory.set(key, value, if_version=argument[1])
                    except ConflictError as error:
                        result = "conflict", error.version
                case "increment" if honest:
                    argument, result = 1, memory.increment(key)
                case "increment":
                    argument, result = 1, memory.get(key, 0) + 1
                    memory.set(key, result)
                case "delete":
                    result = memory.delete(key)
            calls.append(Call(key, began, time.monotonic_ns(), what, argument, result))
    return calls
