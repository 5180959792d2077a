"""The registry of plugins: who opens a URL, who serves a framework, and in what state each is.

What ships with BotWire is found without reading entry points and cannot be taken over by an installed plugin:
else an answer would depend on what was looked up before. `BOTWIRE_PLUGINS` can leave shipped plugins out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from botwire_core.discovery import Plugin, allow_list, core_plugin, installed_plugins, shipped_plugins
from botwire_core.errors import MissingExtraError, PluginError, UnknownStoreError
from botwire_core.plugin_status import PluginStatus, conflict_text, error_text, pip_name, statuses
from botwire_core.scopes import Scope
from botwire_core.shipped import SHIPPED_STORES, load_target
from botwire_core.specs import AdapterSpec, StoreSpec
from botwire_core.store import Store

__all__ = ["PluginStatus", "PluginWarning", "Registry", "registry"]


class PluginWarning(UserWarning):
    """A plugin is broken and was left out; everything else works."""


class Registry:
    """The plugins of one process. Nothing is looked for before it is needed, and then once.

    `allowed` holds the names of the plugins, or of the distributions, that may be loaded; None allows all.
    The stores of the core are always there.
    """

    # There is no lock: two threads that look at the same time find the same, and a lock that another thread
    # holds at os.fork() would stay locked in the child.

    def __init__(self, allowed: frozenset[str] | None = None) -> None:
        self._allowed = allowed
        self._shipped: list[Plugin] | None = None
        self._installed: list[Plugin] | None = None
        self._warned = False

    def open_store(self, scheme: str, url: str, *, timeout: float | None = None, token: str | None = None) -> Store:
        """Open the store of a URL whose scheme the core does not know; `timeout` in seconds.

        Raises:
            UnknownStoreError: no plugin opens this kind of URL.
            MissingExtraError: what the store needs is not installed.
            PluginError: the plugin is broken, or two plugins claim the scheme.
        """
        claims = _stores(self._shipped_plugins(), scheme) or _stores(self._usable(), scheme)
        if not claims:
            self._refuse_broken(scheme)
            raise _unknown_scheme(scheme, [*self._shipped_plugins(), *self._usable()], self._note_on_allowed())
        _refuse_conflict(f"{scheme}: URLs", [plugin for plugin, _ in claims])
        ((plugin, spec),) = claims
        with _naming_the_extra(f"a store for {scheme}: URLs", spec):
            store = load_target(spec.opens)(url, timeout=timeout, token=token)
        if not isinstance(store, Store):
            raise PluginError(
                f"the plugin {plugin.name} opened a {type(store).__name__}, which is no Store",
                hint=f"{spec.opens} has to be corrected",
            )
        return store

    def adapter(self, framework: str, kind: str) -> Any:
        """The class or function that serves a framework, such as ("langchain", "chat_history").

        Raises:
            MissingExtraError: the framework is not installed.
            PluginError: nothing provides it, its plugin is broken, or two plugins claim it.
        """
        claims = _adapters(self._shipped_plugins(), framework, kind)
        if not claims:
            claims = _adapters(self._usable(), framework, kind)
        if not claims:
            self._refuse_broken(framework)
            raise PluginError(
                f"no plugin provides {kind} for {framework}",
                hint="`botwire plugins` lists what there is" + self._note_on_allowed(),
            )
        _refuse_conflict(f"{framework}: {kind}", [plugin for plugin, _ in claims])
        ((_, spec),) = claims
        target = spec.provides[kind]
        with _naming_the_extra(target.partition(":")[2], spec):
            return load_target(target)

    def current_scope(self) -> Scope | None:
        """Where in an experiment the code runs, as the first plugin that knows tells; None where none knows."""
        for plugin in [*self._shipped_plugins(), *self._usable()]:
            if (scope := plugin.current_scope()) is not None:
                return scope
        return None

    def status(self) -> list[PluginStatus]:
        """What each plugin provides and whether it can be used.

        The core comes first, then what ships with it, then the rest by name.
        """
        return statuses([core_plugin(), *self._shipped_plugins(), *self._installed_plugins()])

    def _shipped_plugins(self) -> list[Plugin]:
        if self._shipped is None:
            self._shipped = shipped_plugins(self._allowed)
        return self._shipped

    def _installed_plugins(self) -> list[Plugin]:
        if self._installed is None:
            self._installed = installed_plugins(self._allowed)
        return self._installed

    def _usable(self) -> list[Plugin]:
        """The installed plugins that work; the first time, with a warning for each that does not."""
        installed = self._installed_plugins()
        if not self._warned:
            self._warned = True
            for plugin in installed:
                if plugin.error is not None:
                    warnings.warn(_broken(plugin), PluginWarning, stacklevel=4)
        return [plugin for plugin in installed if plugin.error is None]

    def _refuse_broken(self, name: str) -> None:
        """A broken plugin does not tell what it would provide, but its name does."""
        for plugin in [*self._shipped_plugins(), *self._installed_plugins()]:
            if plugin.error is not None and plugin.name == name:
                raise PluginError(
                    _broken(plugin), hint=f"update or uninstall {plugin.distribution or plugin.name}"
                ) from plugin.error

    def _note_on_allowed(self) -> str:
        return "" if self._allowed is None else "; BOTWIRE_PLUGINS allows only those that it names"


@cache
def registry() -> Registry:
    """The registry of this process; `BOTWIRE_PLUGINS` is read once."""
    return Registry(allow_list(os.environ))


def _stores(plugins: list[Plugin], scheme: str) -> list[tuple[Plugin, StoreSpec]]:
    return [(plugin, spec) for plugin in plugins for spec in plugin.stores if spec.scheme == scheme]


def _adapters(plugins: list[Plugin], framework: str, kind: str) -> list[tuple[Plugin, AdapterSpec]]:
    return [
        (plugin, spec)
        for plugin in plugins
        for spec in plugin.adapters
        if spec.framework == framework and kind in spec.provides
    ]


def _refuse_conflict(claim: str, plugins: list[Plugin]) -> None:
    if len(plugins) > 1:
        raise PluginError(
            conflict_text(claim, plugins), hint="uninstall one, or set BOTWIRE_PLUGINS to the names of those to use"
        )


def _broken(plugin: Plugin) -> str:
    assert plugin.error is not None
    return f"the plugin {plugin.name} ({plugin.distribution}) is broken: {error_text(plugin.error)}"


def _unknown_scheme(scheme: str, plugins: list[Plugin], note: str) -> UnknownStoreError:
    known = sorted({*SHIPPED_STORES, *(spec.scheme for plugin in plugins for spec in plugin.stores)})
    listed = ", ".join(f"{name}:" for name in known)
    return UnknownStoreError(f"nothing opens {scheme[:40]!r} URLs", hint=f"known are {listed}{note}")


@contextmanager
def _naming_the_extra(what: str, spec: StoreSpec | AdapterSpec) -> Iterator[None]:
    """Tell what to install where exactly what the spec needs is absent; any other failed import is a bug, and shown."""
    try:
        yield
    except ModuleNotFoundError as error:
        if spec.needs is None or error.name != spec.needs:
            raise
        raise MissingExtraError(f"{what} needs {pip_name(spec.needs)}: pip install '{spec.install}'") from error
