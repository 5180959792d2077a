"""Finding plugins and loading each on its own, so that a broken one is left out and no other notices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, Final, TypeVar

import pluggy

from botwire_core import hookspecs
from botwire_core.errors import PluginError
from botwire_core.hookspecs import ENTRY_POINT_GROUP, AdapterSpec, Scope, StoreSpec, hookimpl
from botwire_core.records import record
from botwire_core.shipped import SHIPPED_PLUGINS, SHIPPED_STORES

__all__ = [
    "OWN_DISTRIBUTION",
    "Plugin",
    "allow_list",
    "core_plugin",
    "installed_plugins",
    "load_plugin",
    "shipped_plugins",
]

S = TypeVar("S", StoreSpec, AdapterSpec)

OWN_DISTRIBUTION: Final = "botwire"


@record
class Plugin:
    """A plugin and what it declares; where it is broken, `error` is the cause and it declares nothing."""

    name: str
    distribution: str
    """Which installed distribution it comes from."""
    hooks: pluggy.HookRelay
    stores: tuple[StoreSpec, ...] = ()
    adapters: tuple[AdapterSpec, ...] = ()
    error: BaseException | None = None

    def current_scope(self) -> Scope | None:
        """What the plugin answers to `botwire_current_scope`."""
        scope: Scope | None = self.hooks.botwire_current_scope()
        return scope


class _Core:
    @hookimpl
    def botwire_stores(self) -> Iterable[StoreSpec]:
        return [StoreSpec(scheme, opens) for scheme, opens in SHIPPED_STORES.items()]


def core_plugin() -> Plugin:
    """The stores of the core, through the hook that everybody uses."""
    return load_plugin("core", OWN_DISTRIBUTION, _Core)


def shipped_plugins(allowed: frozenset[str] | None) -> list[Plugin]:
    """The plugins that come with this distribution, without a look at any entry point."""
    return [
        load_plugin(name, OWN_DISTRIBUTION, metadata.EntryPoint(name, module, ENTRY_POINT_GROUP).load)
        for name, module in SHIPPED_PLUGINS.items()
        if _is_allowed(name, OWN_DISTRIBUTION, allowed)
    ]


def installed_plugins(allowed: frozenset[str] | None) -> list[Plugin]:
    """The plugins of other distributions, in the order of their names.

    `allowed` holds names of plugins or distributions; None allows all.

    Raises:
        PluginError: the metadata of the installed distributions cannot be read.
    """
    try:
        found = metadata.entry_points(group=ENTRY_POINT_GROUP)
    except Exception as error:
        raise PluginError(
            "what is installed here cannot be read", hint="`pip check` may tell which distribution is damaged"
        ) from error
    plugins = []
    for point in sorted(found, key=lambda point: (point.name, point.value)):
        distribution = point.dist.name if point.dist else ""
        shipped = SHIPPED_PLUGINS.get(point.name) == point.value
        if not shipped and _is_allowed(point.name, distribution, allowed):
            plugins.append(load_plugin(point.name, distribution, point.load))
    return plugins


def load_plugin(name: str, distribution: str, load: Any) -> Plugin:
    """Load what `load()` gives as a plugin of its own; never raises, `Plugin.error` tells what went wrong."""
    # One manager for each plugin: an error names its plugin, and pluggy's own loader would stop at the first.
    manager = pluggy.PluginManager("botwire")
    manager.add_hookspecs(hookspecs)
    try:
        implementation = load()
        if isinstance(implementation, type):
            implementation = implementation()
        manager.register(implementation, name)
        manager.check_pending()  # a misspelt hook is an error, not silence
        if not manager.get_hookcallers(implementation):
            raise PluginError("it implements no hook", hint="mark its functions with @hookimpl")
        stores = _declared(manager.hook.botwire_stores(), StoreSpec)
        adapters = _declared(manager.hook.botwire_adapters(), AdapterSpec)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it must not reach the other plugins
        return Plugin(name, distribution, manager.hook, error=error)
    return Plugin(name, distribution, manager.hook, stores, adapters)


def allow_list(environ: Mapping[str, str]) -> frozenset[str] | None:
    """The plugins that `BOTWIRE_PLUGINS` allows: names separated by commas, none if it is empty, all (None) if unset.

    >>> sorted(allow_list({"BOTWIRE_PLUGINS": "langchain, acme"}))
    ['acme', 'langchain']
    """
    text = environ.get("BOTWIRE_PLUGINS")
    if text is None:
        return None
    return frozenset(_normalised(name) for name in text.split(",") if name.strip())


def _is_allowed(name: str, distribution: str, allowed: frozenset[str] | None) -> bool:
    return allowed is None or _normalised(name) in allowed or _normalised(distribution) in allowed


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _declared(results: list[Iterable[S]], kind: type[S]) -> tuple[S, ...]:
    specs = tuple(spec for result in results for spec in result)
    for spec in specs:
        if not isinstance(spec, kind):
            raise PluginError(f"it declares a {type(spec).__name__} where a {kind.__name__} is expected")
    return specs
