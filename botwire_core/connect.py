"""From a URL to a store: one shared store per URL and process."""

# ruff: noqa: PTH100, PTH109, PTH111, PTH117, PTH118  # pathlib and platformdirs cost more to import than the first get takes

from __future__ import annotations

import os
import sys

from botwire_core.errors import UnknownStoreError
from botwire_core.shipped import SHIPPED_STORES, load_target
from botwire_core.store import Store

__all__ = ["connect", "default_url", "scheme_of"]

_stores: dict[tuple[str, float | None, str | None, str], Store] = {}

_WITHOUT_TOKEN = frozenset({"memory", "sqlite"})
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-~")


def connect(url: str | None = None, *, timeout: float | None = None, token: str | None = None) -> Store:
    """Give the store that a URL names; the same store for the same arguments, in the whole process.

    It does no I/O: files and connections are opened at the first op. `url` defaults to `default_url()`,
    `timeout` (seconds) to the store's own, `token` to `BOTWIRE_TOKEN`; an empty one is none, whatever that says.

    Raises:
        UnknownStoreError: nothing opens this kind of URL.
        MissingExtraError: what the store needs is not installed.
        PluginError: the plugin for this kind of URL is broken, or two plugins claim it.

    >>> connect("memory:doctest") is connect("memory:doctest")
    True
    """
    if url is None:
        url = default_url()
    if token is None:
        token = os.environ.get("BOTWIRE_TOKEN")
    token = token or None
    scheme = scheme_of(url)
    # A relative file belongs to the folder that was current, so a later chdir must lead to another store.
    folder = os.getcwd() if scheme == "sqlite" and not url.startswith("sqlite:////") else ""
    key = (url, timeout, None if scheme in _WITHOUT_TOKEN else token, folder)
    store = _stores.get(key)
    if store is not None:
        return store
    opened = _open(scheme, url, timeout, token)
    # No lock: one held by another thread at os.fork() would stay locked in the child for ever. setdefault is atomic.
    store = _stores.setdefault(key, opened)
    if store is not opened:
        opened.close()
    return store


def default_url() -> str:
    """The URL that stands for no URL: `BOTWIRE_URL`, else the file `memory.db` in the user's data folder.

    `BOTWIRE_HOME` names another folder for that file.
    """
    url = os.environ.get("BOTWIRE_URL")
    if url:
        return url
    home = os.environ.get("BOTWIRE_HOME")
    if home:
        folder = os.path.expanduser(home)
        if not os.path.isabs(folder):  # else not: asking for the working folder counts as blocking in an event loop
            folder = os.path.abspath(folder)
    else:
        folder = _data_folder()
    path = os.path.join(folder, "memory.db")
    if not _PLAIN.issuperset(path):
        from urllib.parse import quote  # 3 ms, which most paths do not need

        path = quote(path)
    return "sqlite:///" + path


def scheme_of(url: str) -> str:
    """What stands before the colon of a URL, in lower case.

    Raises:
        UnknownStoreError: there is no colon.

    >>> scheme_of("sqlite:///memory.db")
    'sqlite'
    """
    if not isinstance(url, str):
        raise UnknownStoreError(
            f"a store is named by a URL, not by {type(url).__name__}", hint="write sqlite:///relative.db for a file"
        )
    scheme, colon, _ = url.partition(":")
    if not colon:
        # The text itself is not shown: a URL may hold a password.
        raise UnknownStoreError(
            "a store is named by a URL, and this text has no scheme",
            hint="write sqlite:///relative.db or sqlite:////absolute.db for a file",
        )
    return scheme.lower()


def _data_folder() -> str:
    home = os.environ.get("HOME", "")
    if sys.platform == "linux" and home.startswith("/") and "ANDROID_ROOT" not in os.environ:
        # What platformdirs answers here, without the 12 ms that importing it takes.
        data = os.environ.get("XDG_DATA_HOME", "")
        return os.path.join(data if data.startswith("/") else os.path.join(home, ".local", "share"), "botwire")
    from platformdirs import user_data_dir

    return user_data_dir("botwire", appauthor=False)


def _open(scheme: str, url: str, timeout: float | None, token: str | None) -> Store:
    target = SHIPPED_STORES.get(scheme)
    if target is not None:
        store: Store = load_target(target)(url, timeout=timeout, token=token)
        return store
    from botwire_core.plugins import registry

    return registry().open_store(scheme, url, timeout=timeout, token=token)
