"""Agents that each work in a namespace of their own, and tell what they saw that was not theirs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from typing import Any

from botwire_core.memory import Memory

KEYS = 20


def canary(name: str) -> str:
    """What an agent puts into everything that it writes."""
    return f"<canary of {name}>"


def texts(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts(member)


def strange(value: Any, name: str) -> list[str]:
    """The texts of a value that another agent wrote."""
    return [text for text in texts(value) if "<canary of " in text and canary(name) not in text]


def work(memory: Memory, name: str, count: int) -> list[str]:
    """Run random ops as one agent, and give what it found that is neither its own nor of the base."""
    draw, own = random.Random(name), canary(name)
    model: dict[str, Any] = {entry.key: entry.value for entry in memory.entries()}
    leaks: list[str] = []

    def look(found: Any, expected: Any) -> None:
        leaks.extend(strange(found, name))
        if found != expected:
            leaks.append(f"{found!r} instead of {expected!r}")

    number = total = 0
    for number in range(count):
        key = f"key/{draw.randrange(KEYS)}"
        match draw.randrange(10):
            case 0 | 1 | 2:
                model[key] = {"by": own, "number": number}
                memory.set(key, model[key])
            case 3:
                look(memory.delete(key), model.pop(key, None) is not None)
            case 4:
                memory.append("log", [own, number])
            case 5:
                total += 1
                look(memory.increment("total"), model.get("base total", 0) + total)
            case 6:
                model[f"own/{own}"] = own
                memory.set_many({key: own, f"own/{own}": own})
                model[key] = own
            case 7 | 8:
                look(memory.get(key), model.get(key))
            case _:
                keys = sorted(k for k in model if k.startswith(("key/", "own/")))
                look([k for k in memory.list_keys() if k.startswith(("key/", "own/"))], keys)
    look([entry.key for entry in memory.search(words="canary", limit=1000) if strange(entry.value, name)], [])
    look(memory.read("log", last=10), [v for v in memory.read("log", last=10) if not strange(v, name)])
    for entry in memory.entries():
        leaks.extend(strange([entry.key, entry.value], name))
        for old in memory.history(entry.key) if entry.key.startswith("key/1") else ():
            leaks.extend(strange(old.value, name))
    return leaks


def work_in_a_fork(barrier: Barrier, url: str, name: str, count: int) -> list[str]:
    """Fork the base while others do too, and work there."""
    with Memory("base", url) as base:
        barrier.wait()
        return work(base.fork(f"base@{name}"), name, count)


def work_in_the_same(barrier: Barrier, url: str, name: str, count: int) -> list[str]:
    """The same in the base itself."""
    with Memory("base", url) as base:
        barrier.wait()
        return work(base, name, count)


def write_or_fork(barrier: Barrier, url: str, part: str, count: int) -> list[list[int]]:
    """Write two keys that are always the same, until others have forked or copied them so often.

    Who copies gives the pairs that it read, one key after the other.
    """
    seen = 0
    copies = []
    with Memory("parent", url) as memory:
        memory.get("left")
        barrier.wait()
        while part == "write" and memory.get("done") is None:
            seen += 1
            with memory.transaction() as tx:
                tx.set("left", seen)
                tx.append("log", seen)
                tx.set("right", seen)
        for number in range(count if part != "write" else 0):
            while number % 10 == 0 and memory.get("left") == seen:
                pass  # the other has to get on, or all forks show the same
            seen = memory.get("left")
            if part == "fork":
                memory.fork(f"fork-{number}")
            else:
                copies.append([memory.get("left"), memory.get("right")])
        memory.set("done", True)
    return copies
