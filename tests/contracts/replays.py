"""Random histories of a whole store as a list of what is done, so that it can be done to several stores alike."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.results import Record, Retention

__all__ = ["NAMES", "Step", "history"]

Step = p.Op[Any] | float | str
"""An op to run; seconds that pass; or the name of a store that is to sweep, "all" for each of them."""

NAMES = ["base", "other", "loose", "fork", "deep", "x"]
_STAYS = ["base", "other", "fork", "deep", "x"]
_KEYS = ["a", "b", "b/c", "B", "é", "e\u0301", "\ue000", "😀", "it's; --", "chat/0000000000000000003"]
_LOGS = ["chat", "b"]
_VALUES = [None, 0, -0.0, 1.0, 2**70, "", "tea\0", b"", b"\0\xff", [], {"n": 1}, {"m": {"x": 2}, "n": [1]}, True]
_TTLS = [None, None, None, 3, 40]
_PASSING = [0.5, 0.5, 4.0, 100.0]


def history(seed: int, steps: int, *, alike: bool, sweepers: tuple[str, ...] = ("all",)) -> Iterator[Step]:
    """So many steps, the same for each seed.

    `alike`: nobody sweeps apart from the others, so that they lose the same of their pasts, and everything may be asked
    of a past. Else what tells of a past that one has lost and another has not is left out, and keys are forgotten in
    "loose" alone, from which nobody merges.
    """
    dice = random.Random(seed)
    one = dice.choice
    yield p.SetRetention("loose", Retention(2, 5))
    yield p.SetRetention("base", Retention(one([1, 2, 64]), one([5, 100]) if alike else 10_000_000))
    for _ in range(steps):
        moment = one([None, None, 1, 2, 5, 9]) if alike else None
        match dice.randrange(24):
            case 0:
                yield p.Fork(one(NAMES), one(_STAYS), moment, one(_TTLS))
            case 1:
                yield p.Snapshot(one(NAMES), one([None, "x", "y"]), one(_TTLS))
            case 2:
                strategy, keys = one(["fail", "ours", "theirs", "theirs"]), one(["*", "*", "b*"])
                names = NAMES if alike else _STAYS
                yield p.Merge(one(names), one(names), moment, strategy, keys, author=one([None, "ann"]))
            case 3:
                yield from (one(sweepers) for _ in range(2))  # what the first pass lets go, others needed
            case 4 if dice.random() < 0.4:
                yield p.Drop(one(NAMES))
            case 5 if dice.random() < 0.4:
                yield p.Purge(one(NAMES), one(["a", "b", "chat", "é"]))
            case 6 if dice.random() < 0.5:
                yield from (
                    p.Set(name, key, encode(i)) for name in [one(NAMES)] for key in _KEYS[:1] for i in range(33)
                )
            case 7 if alike:
                yield one([p.Restore(one(NAMES), one(_KEYS), dice.randrange(9)), p.DeleteSnapshot(one(NAMES), "x")])
            case 8:
                yield p.Clear(one(NAMES), one(["b", "chat/", "a", "zz"]))
            case 9:
                ends = (
                    1_800_000_000 + dice.random() * 1e9
                )  # seconds since the epoch: now, by a clock for tests, or later
                records = [Record("a", one(_VALUES)), Record("imported", 1, one([None, ends])), Record("past", 1, 5.0)]
                yield p.Import(one(NAMES), records[: dice.randrange(4)])
            case 10:
                items = tuple((key, encode(one(_VALUES))) for key in dice.sample(_KEYS, 4))
                yield one([p.SetMany(one(NAMES), items, one(_TTLS)), p.DeleteMany(one(NAMES), ("a", "b", "zz"))])
            case 11 | 12:
                yield one(_PASSING)
            case 13:
                name = one(NAMES)
                yield p.Transact(name, tuple(_write(dice, name, alike) for _ in range(dice.randrange(1, 5))))
            case _:
                yield _write(dice, one(NAMES), alike)
    yield "all"
    yield "all"


def _write(dice: random.Random, name: str, alike: bool) -> Any:
    one = dice.choice
    key, author = one(_KEYS), one([None, None, "ann"])
    guess = one([None, None, None, 0, 1, 2]) if alike else None
    match dice.randrange(8):
        case 0:
            return p.Delete(name, key, guess, author)
        case 1 | 2:
            return p.Append(name, one(_LOGS), tuple(encode(one(_VALUES)) for _ in range(2)), one(_TTLS), author)
        case 3:
            return p.Increment(name, one(["n", *_KEYS]), one([1, -2, 0.5, 2**64]))
        case 4:
            return p.Expire(name, key, one(_TTLS))
        case _:
            return p.Set(name, key, encode(one(_VALUES)), one(_TTLS), guess, author)
