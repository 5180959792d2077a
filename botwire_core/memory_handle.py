"""What a `Memory` is before it does anything: a name, a way to a store, and a moment to look at."""

from __future__ import annotations

import re
from contextlib import suppress
from math import isfinite
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from botwire_core.building import OpBuilder
from botwire_core.errors import InvalidValueError, UnsupportedError
from botwire_core.names import MAX_NAMESPACE_CHARACTERS, check_namespace
from botwire_core.scopes.store import ScopedStore, scoped
from botwire_core.store import Store

__all__ = ["MemoryHandle", "without_secrets"]

# Which memories use a store that is shared by its URL; `connect` keeps such a store for good, and so its id.
_users: dict[int, WeakSet[MemoryHandle]] = {}


class MemoryHandle:
    """A handle on one namespace of a store; copies of it are handles on the same memory.

    `namespace` is its name, `author` who is named as the writer, and `as_of` the revision that it shows where `at`
    made it; None for the present.
    """

    __slots__ = ("__weakref__", "_lent", "_ops", "_timeout", "_token", "_url", "as_of", "author", "namespace", "store")

    store: ScopedStore
    """The store that runs the ops, each where the scope of its caller belongs; `store.inner` is the one inside.

    It is found at the first use, and shared by all memories of one URL in this process.
    """

    def __init__(
        self,
        namespace: str,
        url: str | None = None,
        timeout: float | None = None,
        *,
        base_url: str | None = None,
        token: str | None = None,
        author: str | None = None,
        store: Store | None = None,
    ) -> None:
        if url is not None and base_url is not None and url != base_url:
            raise InvalidValueError("url and base_url name two stores", hint="pass one of them")
        if store is not None and (url is not None or base_url is not None):
            raise InvalidValueError("url and store name two stores", hint="pass one of them")
        self.namespace = check_namespace(namespace)
        self.author = _check_author(author)
        self._url = url if url is not None else base_url
        self._timeout = _check_timeout(timeout)
        self._token = token
        self._lent = store is not None
        if store is not None:
            self._use(store)
        self._look_at(None)

    if not TYPE_CHECKING:  # or a misspelt method would pass for Any

        def __getattr__(self, name: str) -> Any:
            # Only asked for what is not there: the store before its first use. A property would be asked at every get.
            if name != "store":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            from botwire_core.connect import connect

            self._use(connect(self._url, timeout=self._timeout, token=self._token))
            return self.store

    @property
    def _found_store(self) -> ScopedStore | None:
        """The store, if one was found already."""
        try:
            return object.__getattribute__(self, "store")  # type: ignore[no-any-return]
        except AttributeError:
            return None

    def close(self) -> None:
        """Let go of the files and connections of the store, for all memories of this process that share it.

        The store opens itself again when it is next used. At the end of `with Memory(...)` it is closed only where
        no other memory that still exists uses it, and never where it was passed in as `store=`.
        """
        if (store := self._found_store) is not None:
            store.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        if (store := self._found_store) is not None:
            await store.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if (store := self._left()) is not None:
            store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if (store := self._left()) is not None:
            await store.aclose()

    def __bool__(self) -> bool:
        return True  # also when it is empty: `memory or default` must never pick the default

    def __repr__(self) -> str:
        parts = [repr(self.namespace)]
        if self._lent:
            parts.append(f"store={type(self.store.inner).__name__}")
        elif self._url is not None:
            parts.append(repr(without_secrets(self._url)))
        if self.author is not None:
            parts.append(f"author={self.author!r}")
        if self.as_of is not None:
            parts.append(f"at={self.as_of}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def __copy__(self) -> Self:
        return self._moved(self.namespace, self.as_of)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._moved(self.namespace, self.as_of)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._lent:
            raise UnsupportedError(
                f"{self!r} was made from a store object, which stays in its process",
                hint="make it from a URL to send it to another process",
            )
        known = (self.namespace, self._url, self._timeout, self._token, self.author, self.as_of)
        return type(self)._rebuilt, known  # noqa: SLF001 - its own class

    @classmethod
    def _rebuilt(
        cls,
        namespace: str,
        url: str | None,
        timeout: float | None,
        token: str | None,
        author: str | None,
        as_of: int | None,
    ) -> Self:
        return cls(namespace, url, timeout, token=token, author=author)._moved(namespace, as_of)  # noqa: SLF001 - its own class

    def _moved(self, namespace: str, as_of: int | None) -> Self:
        """A handle on another namespace or moment of the same store."""
        other = object.__new__(type(self))
        other.namespace = namespace
        other.author = self.author
        other._url, other._timeout, other._token = self._url, self._timeout, self._token
        other._lent = self._lent
        if (store := self._found_store) is not None:
            other._use(store)
        other._look_at(as_of)
        return other

    def _use(self, store: Store) -> None:
        self.store = scoped(store)
        if not self._lent:
            _users.setdefault(id(self.store.inner), WeakSet()).add(self)

    def _left(self) -> ScopedStore | None:
        """Stop using the store until the next op, and give it if nobody else uses it, to be closed."""
        store = self._found_store
        if store is None or self._lent:
            return None
        with suppress(AttributeError):  # another thread may leave by the same memory at the same time
            del self.store
        users = _users[id(store.inner)]
        users.discard(self)
        return None if users else store

    def _look_at(self, as_of: int | None) -> None:
        self.as_of = as_of
        self._ops = OpBuilder(self.namespace, self.author, as_of)


def _check_timeout(timeout: object) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not isfinite(timeout) or timeout <= 0:
        raise InvalidValueError(f"timeout: {timeout!r} is not a number of seconds above 0", hint="leave it out")
    return timeout


def _check_author(author: object) -> str | None:
    if author is None:
        return None
    if isinstance(author, str) and 0 < len(author) <= MAX_NAMESPACE_CHARACTERS and author.isprintable():
        return author
    raise InvalidValueError(
        f"author: {ascii(author)[:80]} is not a name", hint=f"use 1 to {MAX_NAMESPACE_CHARACTERS} printable characters"
    )


def without_secrets(url: str) -> str:
    """A URL to show: who logs in with which password, and all parameters, are left out."""
    url = re.sub(r"://[^/?#]*@", "://***@", url)
    return re.sub(r"[?#].*", "?...", url, flags=re.DOTALL)
