"""In what state each thing is that a plugin provides."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Literal, TypeAlias

from botwire_core.discovery import OWN_DISTRIBUTION, Plugin
from botwire_core.records import record
from botwire_core.specs import AdapterSpec, StoreSpec

__all__ = ["PluginStatus", "State", "conflict_text", "error_text", "pip_name", "statuses"]

State: TypeAlias = Literal["ready", "missing", "broken", "conflict"]


@record
class PluginStatus:
    """One thing that a plugin provides, or one broken plugin, as `botwire plugins` shows it."""

    name: str
    distribution: str
    provides: str
    """A kind of URL ("acme:") or adapters ("langchain: chat_history"); empty where the plugin is broken."""
    state: State
    install: str | None = None
    """What to pass to `pip install`, where the state is "missing"."""
    reason: str = ""
    """Why it cannot be used, where the state is not "ready"."""


def statuses(plugins: list[Plugin]) -> list[PluginStatus]:
    """The states of all plugins, in their order."""
    claimants: dict[str, list[Plugin]] = {}
    for plugin in plugins:
        for _, claims in _provided(plugin):
            for claim in claims:
                claimants.setdefault(claim, []).append(plugin)
    return [status for plugin in plugins for status in _statuses_of(plugin, claimants)]


def conflict_text(claim: str, plugins: list[Plugin]) -> str:
    """Who claims what only one can have."""
    names = " and ".join(f"{plugin.name} ({plugin.distribution})" for plugin in plugins)
    return f"{claim} is claimed by {names}"


def error_text(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {error}"


def pip_name(import_name: str) -> str:
    """The name that pip knows a top-level import name by.

    >>> pip_name("langchain_core")
    'langchain-core'
    """
    return import_name.replace("_", "-")


def _is_importable(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _provided(plugin: Plugin) -> Iterator[tuple[StoreSpec | AdapterSpec, list[str]]]:
    """What a plugin declares, each with what it claims thereby."""
    for store in plugin.stores:
        yield store, [f"{store.scheme}:"]
    for adapter in plugin.adapters:
        yield adapter, [f"{adapter.framework}: {kind}" for kind in adapter.provides]


def _statuses_of(plugin: Plugin, claimants: dict[str, list[Plugin]]) -> Iterator[PluginStatus]:
    if plugin.error is not None:
        yield PluginStatus(plugin.name, plugin.distribution, "", "broken", reason=error_text(plugin.error))
    for spec, claims in _provided(plugin):
        if isinstance(spec, StoreSpec):
            provides = f"{spec.scheme}:"
        else:
            provides = f"{spec.framework}: {', '.join(spec.provides)}"
        disputed = next((claim for claim in claims if len(claimants[claim]) > 1), None)
        state: State = "ready"
        install, reason = None, ""
        if disputed is not None and plugin.distribution != OWN_DISTRIBUTION:
            state, reason = "conflict", conflict_text(disputed, claimants[disputed])
        elif spec.needs is not None and not _is_importable(spec.needs):
            state, install, reason = "missing", spec.install, f"{pip_name(spec.needs)} is not installed"
        yield PluginStatus(plugin.name, plugin.distribution, provides, state, install, reason)
