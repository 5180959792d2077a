"""The hooks that a plugin may implement: the whole extension surface, on one page.

A plugin is a module with functions of these names, marked `@hookimpl`, that an entry point of the
group `botwire` names. Hooks declare; behaviour is added by a store around a store, never by a hook.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pluggy

from botwire_core.scopes import Scope
from botwire_core.specs import AdapterSpec, StoreSpec

__all__ = [
    "ENTRY_POINT_GROUP",
    "AdapterSpec",
    "Scope",
    "StoreSpec",
    "botwire_adapters",
    "botwire_current_scope",
    "botwire_stores",
    "hookimpl",
    "hookspec",
]

ENTRY_POINT_GROUP: Final = "botwire"

hookspec: Final = pluggy.HookspecMarker("botwire")
"""Marks a hook that plugins may implement."""
hookimpl: Final = pluggy.HookimplMarker("botwire")
"""Marks a plugin's function as the implementation of the hook of the same name."""


@hookspec
def botwire_stores() -> Iterable[StoreSpec]:  # type: ignore[empty-body]  # a hook has no body
    """The kinds of store that the plugin opens.

    Called once, when a URL has a scheme that does not ship with BotWire, and to list plugins.
    It may return any number of `StoreSpec`, each with a scheme that nobody else claims.
    It must not import a driver, read a file or reach for the network: `opens` names what does, and is called later.
    """


@hookspec
def botwire_adapters() -> Iterable[AdapterSpec]:  # type: ignore[empty-body]  # a hook has no body
    """The objects that the plugin offers to frameworks.

    Called once, when an adapter is asked for by framework and kind, and to list plugins.
    It may return any number of `AdapterSpec`, each kind of a framework claimed by nobody else.
    It must not import the framework, which may be absent: `provides` names what does, and is imported later.
    """


@hookspec(firstresult=True)
def botwire_current_scope() -> Scope | None:
    """Where in an experiment the code runs.

    Called by `registry().current_scope()`, as often as somebody asks and on the thread that asks: it must be quick.
    It may return a `Scope`, or None to leave the answer to the next plugin; the first answer wins.
    It must not import anything: an experiment's framework that is not in `sys.modules` is not running one.
    """
