"""The scope that code runs in: set by a block, carried by hand into a bare thread, or told by a plugin.

Everything an operation asks stands here, since it is asked at every operation: without a scope it costs one look at
a context variable and one at the number of loaded modules.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

from botwire_core.errors import ScopeError
from botwire_core.scopes.scope import Scope
from botwire_core.shipped import SCOPE_PROVIDERS, load_target

__all__ = [
    "OFF",
    "Off",
    "Provider",
    "arm",
    "armed",
    "current_scope",
    "disarm",
    "is_quiet",
    "scope_here",
    "told_scope",
]

Provider: TypeAlias = Callable[[], Scope | None]


class Off:
    """What stands in the context where scopes are switched off on purpose."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "OFF"


OFF: Final = Off()
scope_here: Final[ContextVar[Scope | Off | None]] = ContextVar("botwire_scope", default=None)


class _Armed:
    """Who is asked for the scope where no block has set one."""

    __slots__ = ("asked_last", "modules", "providers", "runs", "shipped")

    def __init__(self) -> None:
        self.providers: list[Provider] = []
        self.asked_last: list[Provider] = []
        self.shipped: set[str] = set()
        self.modules = 0
        """How many modules were loaded when a shipped provider's framework was last looked for."""
        self.runs = 0
        """How many runs are under way in this process, so that code without a scope has to be asked about."""


armed: Final = _Armed()


def current_scope() -> Scope | None:
    """Give the scope that the code runs in, or None.

    A `scope()` block decides; outside of one the plugins that know an experiment's framework are asked.
    """
    here = scope_here.get()
    if here is None:
        return told_scope()
    return here if isinstance(here, Scope) else None


def told_scope() -> Scope | None:
    """What the first armed provider that knows tells; a provider that fails is a `ScopeError`."""
    if len(sys.modules) != armed.modules:
        _look_for_frameworks()
    for provider in armed.providers:
        try:
            told = provider()
        except ScopeError:
            raise
        except Exception as error:  # foreign code; the base must not be written because it failed
            raise ScopeError(
                f"{provider.__module__} failed to tell the scope: {error}", hint="set it with scope(...), or disarm it"
            ) from error
        if told is not None:
            return told
    return None


def is_quiet() -> bool:
    """Whether code outside of a block has no scope for certain: no provider is armed, and no run is under way."""
    if len(sys.modules) != armed.modules:
        _look_for_frameworks()
    return not armed.providers and not armed.runs


def arm(provider: Provider | None = None, *, last: bool = False) -> None:
    """Ask a provider for the scope from now on, after those that are asked already; without one, all plugins.

    A provider is a function without arguments that gives a `Scope` or None; it is asked at each operation, so it has
    to be quick. The providers that ship with BotWire arm themselves when their framework is loaded. One that is armed
    as `last` is asked after those that are armed later, too.
    """
    if provider is None:
        from botwire_core.plugins import registry

        provider = registry().current_scope
    if provider not in armed.providers:
        if last:
            armed.asked_last.append(provider)
        # A new list in one step: other threads may be asking, and a list that is being sorted is empty to them.
        armed.providers = sorted([*armed.providers, provider], key=lambda one: one in armed.asked_last)


def disarm(provider: Provider) -> None:
    """Do not ask a provider any more; one that is not asked is no error."""
    armed.providers = [one for one in armed.providers if one != provider]
    armed.asked_last = [one for one in armed.asked_last if one != provider]


def _look_for_frameworks() -> None:
    modules = len(sys.modules)
    for framework, target in SCOPE_PROVIDERS.items():
        if framework in sys.modules and framework not in armed.shipped:
            provider: Any = load_target(target)
            arm(provider)
            armed.shipped.add(framework)
    # Only now: until then other threads have to look for themselves, or would miss a provider that is being loaded.
    armed.modules = modules
