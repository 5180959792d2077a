"""What a plugin declares, as data that is checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping

from botwire_core.errors import PluginError
from botwire_core.records import record

__all__ = ["AdapterSpec", "StoreSpec"]


@record
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
        if not _is_scheme(self.scheme):
            raise PluginError(
                f"{self.scheme!r} is no URL scheme", hint='write it in lower case, without the colon: "acme"'
            )
        _check_target(self.opens)
        _check_needs(self.needs, self.install)


@record
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


def _is_scheme(scheme: object) -> bool:
    return (
        isinstance(scheme, str)
        and scheme.isascii()
        and scheme == scheme.lower()
        and scheme[:1].isalpha()
        and all(letter.isalnum() or letter in "+.-" for letter in scheme)
    )


def _check_target(target: object) -> None:
    if isinstance(target, str):
        module, colon, name = target.partition(":")
        if colon and name.isidentifier() and all(part.isidentifier() for part in module.split(".")):
            return
    raise PluginError(f"{target!r} names nothing that can be imported", hint='write "package.module:name"')


def _check_needs(needs: object, install: object) -> None:
    if needs is None:
        return
    if not isinstance(needs, str) or not needs.isidentifier():
        raise PluginError(f"needs={needs!r} is no top-level import name", hint='write it like "langchain_core"')
    if not isinstance(install, str) or not install:
        raise PluginError(
            f"{needs} is needed, and nothing says how to install it", hint='add install="what pip installs"'
        )
