"""How an op is moved from the memory that it names to the fork of its scope."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakSet

from botwire_core.errors import BotWireError, CommitUnknownError, ScopeError
from botwire_core.flows import Flow, ask, run_flow
from botwire_core.protocol import Compare, Drop, Fork, Merge, Op, Transact
from botwire_core.records import replace
from botwire_core.scopes.current import told_scope
from botwire_core.scopes.naming import Isolation, effective_isolation, scoped_name
from botwire_core.scopes.ops import (
    FindScoped,
    ForgetScoped,
    ForkScoped,
    ListScoped,
    OpenScoped,
    ReadUses,
    RecordUses,
    ScopedNamespace,
)
from botwire_core.scopes.policy import ScopePolicy
from botwire_core.scopes.runs import active_runs
from botwire_core.scopes.scope import Scope
from botwire_core.scopes.uses import UseCounter, touched
from botwire_core.service import Serve

if TYPE_CHECKING:
    from botwire_core.scopes.store import Place, ScopedStore

__all__ = ["OpMover"]

R = TypeVar("R")

_MOST_REMEMBERED: Final = 4096
_SURE_FOR: Final = 60.0
"""Seconds after which a namespace is looked for anew: it may have expired, or somebody may have forgotten it."""
_NAMES_TWO: Final = frozenset({Fork, Compare, Merge})
_OF_SCOPES: Final = frozenset({OpenScoped, ForkScoped, FindScoped, ListScoped, ForgetScoped, RecordUses, ReadUses})
"""Those that name a memory itself, and what belongs to it."""
# Those that have counts which are not written down: they stay until then, also when nobody uses their store.
_unwritten: Final[set[OpMover]] = set()
_movers: Final[WeakSet[OpMover]] = WeakSet()


class OpMover:
    """Moves ops of one store, and remembers which namespaces it has opened for which scopes."""

    def __init__(self, store: ScopedStore) -> None:
        self._store = store
        self._uses = UseCounter()
        _movers.add(self)
        self._opened: dict[tuple[str, Scope, str, str], tuple[str, float]] = {}
        # By identity, since a scope is hashed by all its members; the scope and the policy are kept, so that
        # their numbers go to no others.
        self._quick: dict[tuple[str, int, int], tuple[str, float, Scope, ScopePolicy]] = {}
        self._names: dict[str, float] = {}
        """Names with an @ that the registry knows, and until when that is sure: they are opened as they are."""

    def moved(self, op: Op[R], place: Place) -> Flow[R]:
        """Run an op in a place, counting what it touches."""
        base, kind = getattr(op, "namespace", None), type(op)
        if base is None or kind in _OF_SCOPES:
            if kind is Serve:
                raise ScopeError(
                    "what clients ask of a server belongs to no scope", hint="give the server the store itself"
                )
            return (yield from ask(op))
        scope, policy = place
        known = self._quick.get((base, id(scope), id(policy)))
        if known is not None and known[1] > monotonic():
            name = known[0]
        else:
            name = yield from self._open(base, place)
        moved: Op[R] = self._renamed(op, name) if kind not in _NAMES_TWO else (yield from self._both(op, name, place))
        result = yield from ask(moved)
        if name != base:
            if kind is Drop:
                self.forget(name)
            self._uses.count(base, name, scope, touched(op, result))
            _unwritten.add(self)
            if self._uses.is_due():
                with suppress(BotWireError):  # what was asked for is done; counts are no reason to say otherwise
                    yield from self.written_down()
        return result

    def count_unscoped(self, base: str) -> None:
        """Count an operation of code without a scope for every run that is under way, unless a plugin knows one."""
        if told_scope() is not None:
            return
        for run in active_runs():
            level: Isolation = "version" if run.policy.isolation == "version" else "run"
            name = scoped_name(base, run.scope, level)
            self._uses.count(base, name, run.scope, (("", "unscoped", True),))
            _unwritten.add(self)

    def written_down(self) -> Flow[None]:
        """Write down what was counted since the last time; what can be tried again is kept if it fails."""
        _unwritten.discard(self)
        failed: BotWireError | None = None
        for base, uses in self._uses.take().items():
            try:
                yield from ask(RecordUses(base, uses))
            except BotWireError as error:
                failed = failed or error
                if error.retryable and not isinstance(error, CommitUnknownError):
                    self._uses.put_back(base, uses)
                    _unwritten.add(self)
        if failed is not None:
            raise failed

    def forget(self, name: str) -> None:
        """Look for a namespace anew: it was dropped."""
        self._uses.forget(name)
        self._names.pop(name, None)
        for key in [key for key, value in list(self._opened.items()) if value[0] == name]:
            self._opened.pop(key, None)
        for number in [number for number, value in list(self._quick.items()) if value[0] == name]:
            self._quick.pop(number, None)

    def begin_in_child(self) -> None:
        """Begin anew in a process that was forked off: what was counted before belongs to the parent."""
        self._uses = UseCounter()

    def _open(self, base: str, place: Place) -> Flow[str]:
        scope, policy = place
        if "@" in base and (yield from self._is_scoped(base)):
            return base
        key = (base, scope, policy.isolation, policy.seed)
        name, until = self._opened.get(key, ("", 0.0))
        if until <= monotonic():
            name = scoped_name(base, scope, policy.isolation)
            level = effective_isolation(scope, policy.isolation)
            made = yield from ask(
                OpenScoped(
                    base, name, _part_that_counts(scope, level), level, _group(scope), policy.seed, policy.expires_after
                )
            )
            name, until = made.name, monotonic() + _sure_for(made)
            self._remember(self._opened, key, (name, until))
        self._remember(self._quick, (base, id(scope), id(policy)), (name, until, scope, policy))
        return name

    def _is_scoped(self, name: str) -> Flow[bool]:
        if self._names.get(name, 0.0) > monotonic():
            return True
        known = yield from ask(FindScoped(name))
        if known is None:  # and not remembered: it may come
            return False
        self._remember(self._names, name, monotonic() + _sure_for(known))
        return True

    def _both(self, op: Any, name: str, place: Place) -> Flow[Any]:
        """The op with the second namespace that it names moved too: inside of a scope all names belong to it."""
        if not isinstance(op, Fork):
            return replace(op, namespace=name, other=(yield from self._open(op.other, place)))
        scope, policy = place
        level = effective_isolation(scope, policy.isolation)
        made, ids = scoped_name(op.name, scope, level), _part_that_counts(scope, level)
        return ForkScoped(op.name, name, made, ids, level, op.at, op.ttl or policy.expires_after)

    @staticmethod
    def _renamed(op: Any, name: str) -> Any:
        if op.namespace == name:
            return op
        if type(op) is Transact:
            return replace(op, namespace=name, steps=tuple(replace(step, namespace=name) for step in op.steps))
        return replace(op, namespace=name)

    @staticmethod
    def _remember(remembered: dict[Any, Any], key: Any, value: Any) -> None:
        if len(remembered) >= _MOST_REMEMBERED:
            remembered.clear()
        remembered[key] = value


def _sure_for(place: ScopedNamespace) -> float:
    """Seconds for which a namespace need not be looked for again."""
    return _SURE_FOR if place.expires_at is None else min(_SURE_FOR, place.expires_at.timestamp() - time())


def _group(scope: Scope) -> str:
    """What starts from one seed: the experiment, else the run, else the variant."""
    if scope.experiment is not None:
        return f"experiment {scope.experiment}"
    return f"run {scope.run_id}" if scope.run_id is not None else f"variant {scope.variant}"


def _part_that_counts(scope: Scope, level: str) -> Scope:
    """The scope without what the namespace is shared by."""
    if level == "version":
        return replace(scope, run_id=None, datapoint_id=None, trial=None)
    return replace(scope, datapoint_id=None, trial=None) if level == "run" else scope


@atexit.register
def _write_down_all() -> None:
    for mover in list(_unwritten):
        try:
            run_flow(mover._store.inner, mover.written_down())  # noqa: SLF001 - of this module
        except (BotWireError, OSError):  # counts only; at the end of a process nobody could act on it
            continue


def _begin_in_child() -> None:
    _unwritten.clear()
    for mover in list(_movers):
        mover.begin_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no such processes
    os.register_at_fork(after_in_child=_begin_in_child)
