"""From an op to the method that runs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, ClassVar, TypeVar, cast

from botwire_core.errors import UnsupportedError
from botwire_core.protocol import Op
from botwire_core.stores.threads import run_in_thread

__all__ = ["OpRunners"]

R = TypeVar("R")


class OpRunners:
    """What runs each op of a store: a method, or a function of a module that is loaded when it is first asked for."""

    RUNNERS: ClassVar[dict[type, str]] = {}
    """By the class of an op, the name of the method that runs it."""
    LATE_RUNNERS: ClassVar[dict[str, str]] = {}
    """By the module of ops, the module whose `RUNNERS` has a function of the store and the op for each.

    Where it has them, `READS` are the ops that change nothing, and `POINT_READS` those of them that look at one key.
    """

    def __init__(self) -> None:
        self._runners: dict[type, Callable[[Any], Any]] = {op: getattr(self, name) for op, name in self.RUNNERS.items()}
        self._late_point_reads: frozenset[type] = frozenset()
        self._late_reads: frozenset[type] = frozenset()

    def run(self, op: Op[R]) -> R:
        """Run an op and give its result."""
        runner = self._runners.get(type(op)) or self._late_runner(op)
        return cast(R, runner(op))

    async def arun(self, op: Op[R]) -> R:
        """Run an op in a thread; a cancelled write waits for its outcome, then raises."""
        return await run_in_thread(self.run, op)

    def _late_runner(self, op: object) -> Callable[[Any], Any]:
        target = self.LATE_RUNNERS.get(type(op).__module__)
        if target is None:
            raise self._unsupported(op)
        module = import_module(target)
        self._late_point_reads |= getattr(module, "POINT_READS", frozenset())
        self._late_reads |= getattr(module, "READS", frozenset())
        derived: dict[type, Callable[[Any, Any], Any]] = module.RUNNERS
        for kind, run in derived.items():
            self._runners[kind] = partial(run, self)
        return self._runners[type(op)]

    def _unsupported(self, op: object) -> UnsupportedError:
        return UnsupportedError(
            f"{type(self).__name__} cannot run {type(op).__name__}",
            hint="use a store with the feature: the embedded one has them all",
        )
