"""The store of a `Memory`: it runs each op where the scope of the code that asks for it belongs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from botwire_core.errors import BotWireError, ScopeError
from botwire_core.flows import arun_flow, run_flow
from botwire_core.protocol import Op
from botwire_core.scopes.current import Off, armed, is_quiet, scope_here, told_scope
from botwire_core.scopes.scope import Scope
from botwire_core.store import Limits, Store

if TYPE_CHECKING:
    from botwire_core.scopes.moving import OpMover
    from botwire_core.scopes.policy import ScopePolicy

    Place: TypeAlias = tuple[Scope, ScopePolicy]

__all__ = ["PlacedStore", "ScopedStore", "find_place", "scoped"]

R = TypeVar("R")

_stores: Final[WeakValueDictionary[int, ScopedStore]] = WeakValueDictionary()


def scoped(store: Store) -> ScopedStore:
    """The one scoped store around a store; itself, if it is one already."""
    if isinstance(store, ScopedStore):
        return store
    known = _stores.get(id(store))
    if known is None:
        known = ScopedStore(store)
        known = _stores.setdefault(id(store), known)
    return known


class ScopedStore:
    """A store around a store: outside of every scope it hands ops on, inside of one it moves them to their fork.

    A `Memory` is often made when a module is loaded, long before an experiment begins: so the scope is asked for at
    each op.
    """

    __slots__ = ("__weakref__", "_made", "_mover", "inner")

    if TYPE_CHECKING:
        features: frozenset[str]
        limits: Limits

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self._mover: OpMover | None = None
        self._made: list[OpMover] = []

    def __repr__(self) -> str:
        return repr(self.inner)

    def __getattr__(self, name: str) -> Any:
        # What a store has beyond the protocol, such as a check of its health, has nothing to do with scopes.
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def run(self, op: Op[R]) -> R:
        """Run an op where the scope of the caller belongs."""
        here = scope_here.get()
        if here is None and is_quiet():
            return self.inner.run(op)
        place = self._place(here, getattr(op, "namespace", None))
        return self.inner.run(op) if place is None else run_flow(self.inner, self.mover.moved(op, place))

    async def arun(self, op: Op[R]) -> R:
        """Async twin of `run`."""
        here = scope_here.get()
        if here is None and is_quiet():
            return await self.inner.arun(op)
        place = self._place(here, getattr(op, "namespace", None))
        if place is None:
            return await self.inner.arun(op)
        return await arun_flow(self.inner, self.mover.moved(op, place))

    def _place(self, here: Scope | Off | None, namespace: str | None) -> Place | None:
        if here is not None or not armed.runs or namespace is None:
            return find_place(here)
        try:
            place = find_place(here)
        except ScopeError:
            self.mover.count_unscoped(namespace)
            raise
        if place is None:
            self.mover.count_unscoped(namespace)
        return place

    def here(self, namespace: str | None = None) -> Store:
        """This store as it is in the scope of this moment, for what goes on longer than one op.

        `namespace` is what it works on, for which code without a scope is counted.
        """
        here = scope_here.get()
        if here is None and is_quiet():
            return self.inner
        place = self._place(here, namespace)
        return self.inner if place is None else PlacedStore(self, place)

    def close(self) -> None:
        """Close the store inside; what was counted in scopes is written down first."""
        try:
            if self._mover is not None:
                with suppress(BotWireError):  # counts only, which are no reason to keep it open
                    run_flow(self.inner, self._mover.written_down())
        finally:
            self.inner.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        try:
            if self._mover is not None:
                with suppress(BotWireError):
                    await arun_flow(self.inner, self._mover.written_down())
        finally:
            await self.inner.aclose()

    @property
    def mover(self) -> OpMover:
        """What moves ops, made at the first that has to be."""
        if self._mover is None:
            from botwire_core.scopes.moving import OpMover

            # Threads may begin together: whatever each has made, all take the first, without a lock.
            self._made.append(OpMover(self))
            self._mover = self._made[0]
        return self._mover


class PlacedStore:
    """A store that stays in one scope, wherever it is used from."""

    __slots__ = ("_place", "_store")

    if TYPE_CHECKING:
        features: frozenset[str]
        limits: Limits

    def __init__(self, store: ScopedStore, place: Place) -> None:
        self._store = store
        self._place = place

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._store.inner, name)

    def run(self, op: Op[R]) -> R:
        """Run an op where the scope belongs in which this store was made."""
        return run_flow(self._store.inner, self._store.mover.moved(op, self._place))

    async def arun(self, op: Op[R]) -> R:
        """Async twin of `run`."""
        return await arun_flow(self._store.inner, self._store.mover.moved(op, self._place))

    def close(self) -> None:
        """Close the store inside."""
        self._store.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        await self._store.aclose()


def find_place(here: Scope | Off | None) -> Place | None:
    """The scope and the policy that an op is to be run in; None for the memory itself.

    Raises:
        ScopeError: code without a scope is refused while a run is under way.
    """
    if isinstance(here, Off):
        return None
    from botwire_core.scopes.policy import DEFAULT_POLICY, current_policy

    policy = current_policy()
    place = here if here is not None else told_scope()
    if place is not None:
        if here is None and armed.runs and policy is DEFAULT_POLICY:
            # A thread that a plugin knows to belong to a run has not inherited the policy of it either.
            from botwire_core.scopes.runs import policy_of

            policy = policy_of(place) or policy
        return None if policy.isolation == "off" else (place, policy)
    if not armed.runs:
        return None
    from botwire_core.scopes.runs import scope_of_unscoped

    return scope_of_unscoped()
