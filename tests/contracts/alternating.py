"""Two stores on one file or database, as two processes have them, with what each remembers of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol, TypeVar

from botwire_core.protocol import Op
from botwire_core.store import Store

R = TypeVar("R")


class Sweeping(Store, Protocol):
    """A store that takes off the disk what nobody can see any more."""

    def sweep(self) -> int: ...


class Alternating:
    """Runs every op on the other one of two stores than the op before."""

    def __init__(self, opened: Callable[[], Sweeping]) -> None:
        self.stores = [opened(), opened()]
        self.features, self.limits = self.stores[0].features, self.stores[0].limits
        self._turns = itertools.cycle(self.stores)

    def run(self, op: Op[R]) -> R:
        return next(self._turns).run(op)

    async def arun(self, op: Op[R]) -> R:
        return await next(self._turns).arun(op)

    def sweep(self) -> int:
        return next(self._turns).sweep()

    def close(self) -> None:
        next(self._turns).close()

    def close_both(self) -> None:
        for store in self.stores:
            store.close()

    async def aclose(self) -> None:
        await next(self._turns).aclose()
