"""The runs of experiments that are under way in this process, and what becomes of code that lost its scope.

A bare thread does not inherit the scope of the code that started it. While a run is under way, such a thread would
quietly write to the memory that the experiment must not touch, so somebody has to decide.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from botwire_core.errors import ScopeError
from botwire_core.records import record, replace
from botwire_core.scopes.current import armed
from botwire_core.scopes.naming import effective_isolation
from botwire_core.scopes.policy import ScopePolicy
from botwire_core.scopes.scope import Scope

__all__ = ["ActiveRun", "UnscopedWarning", "active_runs", "policy_of", "run_under_way", "scope_of_unscoped"]


class UnscopedWarning(UserWarning):
    """Code that does not know its scope worked on a memory while a run was under way."""


@record(frozen=False)
class ActiveRun:
    """A run under way in this process; `scope` is the part of it that all its datapoints share."""

    scope: Scope
    policy: ScopePolicy
    threads_before: WeakSet[threading.Thread]
    """Who was there when it began, and so cannot belong to it."""
    blocks: int = 0
    """How many blocks of the process are inside of it."""
    unscoped: int = 0
    """How many operations of code without a scope there were meanwhile."""
    refused: ScopeError | None = None
    """The first refusal to such code: a thread may die of it unseen, and a framework swallow it."""


_runs: dict[Scope, ActiveRun] = {}
# Threads enter and leave runs by the hundred; the lock guards counters only and is never held across foreign code.
_lock = threading.Lock()


def active_runs() -> list[ActiveRun]:
    """The runs that are under way in this process."""
    return list(_runs.values())


@contextmanager
def run_under_way(scope: Scope, policy: ScopePolicy) -> Iterator[ActiveRun | None]:
    """Let a run be under way for the time of this block; a scope that isolates nothing yet is no run."""
    shared = replace(scope, datapoint_id=None, trial=None)
    if not _isolates(shared, policy):
        yield None
        return
    with _lock:
        run = _runs.get(shared)
        if run is None:
            # As objects: a number of a thread goes to another one when it has ended.
            run = _runs[shared] = ActiveRun(shared, policy, WeakSet(threading.enumerate()))
        run.blocks += 1
        armed.runs = len(_runs)
    try:
        yield run
    finally:
        with _lock:
            run.blocks -= 1
            if not run.blocks:
                _runs.pop(shared, None)
            armed.runs = len(_runs)


def _isolates(shared: Scope, policy: ScopePolicy) -> bool:
    try:
        return effective_isolation(shared, "run" if policy.isolation == "datapoint" else policy.isolation) != "off"
    except ScopeError:  # the run is still to be named, by a block inside of this one
        return False


def scope_of_unscoped() -> tuple[Scope, ScopePolicy] | None:
    """What code without a scope works in while runs are under way; None where it works on the base.

    Raises:
        ScopeError: the policy of a run refuses it, or it cannot be told to which run it belongs.
    """
    runs = active_runs()
    if not runs:
        return None
    with _lock:
        for run in runs:
            run.unscoped += 1
    try:
        return _decided(runs)
    except ScopeError as error:
        for run in runs:
            run.refused = run.refused or error
        raise


def policy_of(scope: Scope) -> ScopePolicy | None:
    """The policy of the run that a scope belongs to, if that run is under way in this process."""
    run = _runs.get(replace(scope, datapoint_id=None, trial=None))
    return None if run is None else run.policy


def _decided(runs: list[ActiveRun]) -> tuple[Scope, ScopePolicy] | None:
    policies = {run.policy.on_unscoped for run in runs}
    if "error" in policies:
        raise _lost("memory is used outside of every scope while a run is under way")
    if "adopt" in policies:
        return _adopted(runs)
    if "warn" in policies:
        warnings.warn(
            "memory is used outside of every scope while a run is under way, and works on the base",
            UnscopedWarning,
            stacklevel=6,
        )
    return None


def _adopted(runs: list[ActiveRun]) -> tuple[Scope, ScopePolicy]:
    if len(runs) > 1:
        raise _lost(f"{len(runs)} runs are under way, and this thread can belong to any of them")
    (run,) = runs
    if threading.current_thread() in run.threads_before:
        raise _lost("this thread was there before the run, and so cannot be taken for a part of it")
    if run.policy.isolation == "datapoint":
        raise _lost("memory is isolated by datapoint, and nothing tells which one this thread works for")
    return run.scope, run.policy


def _lost(what: str) -> ScopeError:
    return ScopeError(
        what,
        hint="wrap what the thread runs with botwire.bind(function), or say scope(off=True) where the base is meant",
    )
