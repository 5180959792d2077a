"""Random lives of whole stores: several roots, forks of forks, what expires, what is dropped, purged and forgotten."""

from __future__ import annotations

import random
from collections.abc import Callable

from botwire_core.memory import Memory
from botwire_core.results import Retention
from botwire_core.store import Store
from botwire_core.testing.clock import ManualClock

__all__ = ["live"]


def live(
    store: Store,
    clock: ManualClock,
    seed: int,
    *,
    steps: int = 150,
    forgets: bool = True,
    sweep: Callable[[], object] | None = None,
) -> list[str]:
    """Let a store live for so many steps, and give the names of those that were not dropped; some may have expired.

    `forgets`: with so little retention that versions and keys are lost. `sweep` is called now and then.
    """
    dice = random.Random(seed)
    roots = ["base", "other", "third"]
    family = {root: root for root in roots}
    for root in roots:
        few = Retention(dice.choice([1, 2, 64]), dice.choice([0, 5, 1000]))
        Memory(root, store=store).set_retention(few if forgets else Retention())
    for step in range(steps):
        memory = Memory(dice.choice(list(family)), store=store)
        name, key = memory.namespace, dice.choice("abc")
        match dice.randrange(13):
            case 0 if len(family) < 12:
                fork = f"{dice.choice(['fork', 'x'])}-{step}"
                # Of what has expired too: that makes it anew.
                memory.set(key, step)
                memory.fork(fork, ttl=dice.choice([None, None, 40]))
                family[fork] = family[name]
            case 1:
                memory.set(key, step)
                memory.snapshot(ttl=dice.choice([None, 5]))
            case 2:
                memory.delete(key)
            case 3:
                memory.append("log", step, ttl=dice.choice([None, 7]))
            case 4:
                memory.set(key, {"step": step}, ttl=dice.choice([3, 30]))
            case 5:
                relatives = [one for one in family if family[one] == family[name]]
                memory.merge(Memory(dice.choice(relatives), store=store), strategy="theirs")
            case 6:
                clock.advance(dice.choice([0.5, 4]))
            case 7 if sweep is not None:
                sweep()
            case 8 if dice.random() < 0.2:
                memory.purge(dice.choice(["a", "log"]))
            case 9 if dice.random() < 0.25 and len(family) > 3:
                memory.drop()
                del family[name]
            case 10:
                memory.set("bytes", bytes([step]))
            case _:
                memory.set(key, step)
    return list(family)
