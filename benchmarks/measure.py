"""Rounds, and what is taken from them.

The speed of a shared machine wanders by a factor of two within minutes. So everything that is compared runs in one
process, in rounds: each contender a little, in shuffled order, then each again. A ratio is taken inside of a round,
where both sides saw the same machine, and the median over the rounds is what counts. Trust the ratio, not the
microseconds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["SYNCED", "Round", "Series", "call_each", "clock", "interleave", "keys", "make_value", "method_of", "say"]

clock = time.perf_counter_ns
SYNCED = 0.25  # share of the rounds that counts where commits wait for the disk, see `Case.quickest`
_LONGEST = 200_000_000  # nanoseconds: who is slow gives fewer samples, and does not hold up the others


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of one contender took: the median and the 99th percentile of its samples."""

    median: float
    p99: float


Series = list[Round]


def _overhead() -> int:
    """Nanoseconds that a look at the clock takes."""
    medians = []
    for _ in range(5):
        samples = []
        for _ in range(2000):
            start = clock()
            samples.append(clock() - start)
        medians.append(statistics.median(samples))
    return int(min(medians))


OVERHEAD = _overhead()


def call_each(function: Callable[..., Any], arguments: Iterable[Sequence[Any]]) -> list[int]:
    """Call a function with each of the arguments; gives the nanoseconds of each call."""
    samples = []
    stop = clock() + _LONGEST
    for one in arguments:
        start = clock()
        function(*one)
        end = clock()
        samples.append(end - start)
        if end > stop:
            break
    return samples


def method_of(contender: Any, name: str, loop: asyncio.AbstractEventLoop) -> Callable[..., list[int]]:
    """A function that times a method of a contender, whichever colour it has, on each of some arguments."""
    method = getattr(contender, name)
    if not getattr(contender, "is_async", False):
        return lambda arguments: call_each(method, arguments)

    async def run(arguments: Iterable[Sequence[Any]]) -> list[int]:
        samples = []
        for one in arguments:
            start = clock()
            await method(*one)
            samples.append(clock() - start)
        return samples

    return lambda arguments: loop.run_until_complete(run(arguments))


def interleave(
    functions: Mapping[str, Callable[[], list[int]]], rounds: int, missing: dict[str, str]
) -> dict[str, Series]:
    """Run each function once a round, in shuffled order; a function gives nanoseconds, a `Round` has microseconds.

    Who cannot do it is left out and named in `missing` with the reason.
    """
    series: dict[str, Series] = {name: [] for name in functions}
    shuffled = random.Random(7)
    for number in range(-1, rounds):  # round -1 warms up
        order = [name for name in functions if name not in missing]
        shuffled.shuffle(order)
        for name in order:
            gc.collect(0)
            try:
                samples = sorted(max(1, sample - OVERHEAD) for sample in functions[name]())
            except NotImplementedError:
                missing[name] = "has no such call"
                continue
            if number >= 0:
                p99 = samples[min(len(samples) - 1, int(len(samples) * 0.99))]
                series[name].append(Round(statistics.median(samples) / 1000, p99 / 1000))
    return {name: found for name, found in series.items() if name not in missing}


def keys(count: int) -> list[str]:
    """So many keys, 100 under each prefix."""
    return [f"user{number // 100:05d}:fact-{number % 100:03d}" for number in range(count)]


_templates: dict[int, dict[str, Any]] = {}


def make_value(size: int, number: int = 0) -> dict[str, Any]:
    """A JSON object of about `size` bytes that looks like what an agent remembers."""
    template = _templates.get(size)
    if template is None:
        template = {"id": 0, "kind": "fact", "score": 0.87, "tags": ["user", "prefs"], "ok": True, "source": None}
        if size > 1000:  # a large value is a list of small records, not one long string
            template["items"] = items = []
            while len(json.dumps(template)) < size - 120:
                role = "user" if len(items) % 2 else "assistant"
                items.append({"role": role, "n": len(items), "content": "remember that the meeting moved to thursday"})
        padding = max(0, size - len(json.dumps(template)) - len(', "text": ""'))
        template["text"] = ("the user prefers short answers and metric units; " * (padding // 50 + 1))[:padding]
        _templates[size] = template
    return {**template, "id": number}


def say(text: str) -> None:
    """Tell how far it is; results alone go to standard output."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
