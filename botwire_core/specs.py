"""What a plugin declares, as data, and the table of what ships with BotWire.

Kept apart from the hooks, so that opening a store that ships with BotWire loads no plugin machinery
and reads no entry points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from botwire_core.errors import PluginError

__all__ = ["LATER_SCHEMES", "SHIPPED_PLUGINS", "SHIPPED_STORES", "AdapterSpec", "StoreSpec", "load_target"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*", re.ASCII)
_TARGET = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """A kind of store: the URLs it opens and the function that opens them.

    `opens` names a function as "module:function"; it is imported at first use and called as
    `open_url(url, *, timeout=None, token=None)`, with `timeout` in seconds, and gives a `Store` without doing I/O.
    """

    scheme: str
    """What stands before the colon of a URL, in lower case."""
    opens: str
    needs: str | None = None
    """The top-level import name without which it cannot work; None where it needs nothing."""
    install: str | None = None
    """What to pass to `pip install` to get what it needs."""

    def __post_init__(self) -> None:
        if not isinstance(self.scheme, str) or not _SCHEME.fullmatch(self.scheme):
            raise PluginError(
                f"{self.scheme!r} is no URL scheme", hint='write it in lower case, without the colon: "acme"'
            )
        _check_target(self.opens)
        _check_needs(self.needs, self.install)


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """What a plugin offers to one framework.

    `provides` maps a kind ("chat_history", "tools", "store", ...) to a class or function as "module:name",
    imported at first use.
    """

    framework: str
    provides: Mapping[str, str]
    needs: str | None = None
    """The top-level import name without which it cannot work; None where it needs nothing."""
    install: str | None = None
    """What to pass to `pip install` to get what it needs."""

    def __post_init__(self) -> None:
        if not isinstance(self.framework, str) or not self.framework:
            raise PluginError(f"{self.framework!r} is no name of a framework", hint='write it like "langchain"')
        if not isinstance(self.provides, Mapping) or not self.provides:
            raise PluginError(
                f"the adapter for {self.framework} provides nothing",
                hint='give a mapping like {"chat_history": "module:Class"}',
            )
        for kind, target in self.provides.items():
            if not isinstance(kind, str) or not kind:
                raise PluginError(f"{kind!r} is no kind of adapter", hint='write it like "chat_history"')
            _check_target(target)
        _check_needs(self.needs, self.install)


def load_target(target: str) -> Any:
    """The object that "module:name" names.

    Raises:
        PluginError: the module has no such name. What its import raises is passed on as it is.
    """
    module_name, _, name = target.partition(":")
    module = import_module(module_name)
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise PluginError(
            f"{module_name} has no {name}", hint=f'the plugin that names "{target}" has to be corrected'
        ) from error


def _check_target(target: object) -> None:
    if not isinstance(target, str) or not _TARGET.fullmatch(target):
        raise PluginError(f"{target!r} names nothing that can be imported", hint='write "package.module:name"')


def _check_needs(needs: object, install: object) -> None:
    if needs is None:
        return
    if not isinstance(needs, str) or not _NAME.fullmatch(needs):
        raise PluginError(f"needs={needs!r} is no top-level import name", hint='write it like "langchain_core"')
    if not isinstance(install, str) or not install:
        raise PluginError(
            f"{needs} is needed, and nothing says how to install it", hint='add install="what pip installs"'
        )


SHIPPED_STORES: Final = {
    spec.scheme: spec
    for spec in (
        StoreSpec("memory", opens="botwire_core.stores.dict:open_url"),
        StoreSpec("sqlite", opens="botwire_core.stores.sqlite:open_url"),
    )
}
"""The stores of the core, by scheme. No plugin can take one of these schemes over."""

SHIPPED_PLUGINS: Final = {"langchain": "botwire_langchain.plugin"}
"""The plugin modules that come with this distribution, by name; `pyproject.toml` declares them as entry points too."""

LATER_SCHEMES: Final = frozenset({"http", "https", "postgresql"})
"""Schemes that are reserved for stores which this version does not have; until then a plugin may open them."""
