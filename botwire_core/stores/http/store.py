"""`HttpStore`: a memory on a server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from botwire_core.protocol import ListChanges, Op
from botwire_core.results import ChangePage
from botwire_core.store import Limits
from botwire_core.stores.http.addresses import Endpoints, check_secrecy, parse_urls
from botwire_core.stores.http.means import Means

if TYPE_CHECKING:
    from botwire_core.stores.http.engine import Engine
    from botwire_core.stores.http.transport import HttpClient

__all__ = ["DEFAULT_TIMEOUT", "HttpStore", "open_url"]

R = TypeVar("R")

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds for one op, with all its attempts."""


class HttpStore:
    """Runs ops on a BotWire server, from any number of threads, event loops and forked processes.

    Making one does no I/O. A read, and a write too, is tried up to three times within `timeout` seconds: each write
    carries a key by which the server knows it again, so that it is done once however often it is sent. Redirects are
    not followed, and no more than 256 MiB are read of an answer.

    Args:
        urls: Where the server is: `https://host`, `http://127.0.0.1:8000`, with a path where there is one. Several,
            in a list or with commas between them, are servers of the same data: where one fails the next is used.
        token: What the server asks for.
        timeout: Seconds that an op may take in all. While a namespace is exported or watched it is how long the next
            piece may take; an import may take a second longer for each MiB.
        http_client: Your own `httpx.Client` or `httpx.AsyncClient`, or a pair of both, for proxies, certificates or
            event hooks; the other colour is then an UnsupportedError. It stays yours to close. Without one, the
            proxies and certificates of the environment are used, as httpx does.
        allow_http: Send the token over plain http to another machine.
        trust_env: Look at the environment for proxies and certificates.
        clock: Gives seconds, for a test to turn; so do `dice` with numbers from 0 to 1, `sleep` and `asleep`.

    Raises:
        UnknownStoreError: a URL is none of a server.
        ForbiddenError: a token would go over plain http to another machine.
    """

    limits = Limits()

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        token: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        http_client: HttpClient | None = None,
        allow_http: bool = False,
        trust_env: bool = True,
        clock: Callable[[], float] | None = None,
        dice: Callable[[], float] | None = None,
        sleep: Callable[[float], object] | None = None,
        asleep: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        endpoints, allowed_by_url = parse_urls(urls)
        check_secrecy(endpoints, token, allow_http or allowed_by_url)
        self._endpoints = Endpoints(endpoints)
        self._means = Means(timeout, token, http_client, trust_env, clock, dice, sleep, asleep)
        self._engine: Engine | None = None

    @property
    def timeout(self) -> float:
        """Seconds that an op may take in all."""
        return self._means.timeout

    @property
    def features(self) -> frozenset[str]:
        """What the server has beyond the core ops; before its first answer, what a BotWire server has."""
        return self._started().features

    def run(self, op: Op[R]) -> R:
        """Run an op and give its result; blocks for at most `timeout` seconds, all attempts included."""
        return (self._engine or self._started()).run(op)

    async def arun(self, op: Op[R]) -> R:
        """Async twin of `run`; a write that is cancelled waits for its outcome, then raises."""
        return await (self._engine or self._started()).arun(op)

    def changes(self, op: ListChanges, wait: float | None) -> Iterator[ChangePage]:
        """The pages of changes after `op.since` as they come, none of them empty.

        Ends after `wait` seconds without one; None never ends, 0 gives what is there.
        """
        return self._started().changes(op, wait)

    def achanges(self, op: ListChanges, wait: float | None) -> AsyncGenerator[ChangePage]:
        """Async twin of `changes`."""
        return self._started().achanges(op, wait)

    def close(self) -> None:
        """Close the connections that are idle; the next op makes new ones. Your own http_client stays open."""
        if self._engine is not None:
            self._engine.close()

    async def aclose(self) -> None:
        """Async twin of `close`."""
        if self._engine is not None:
            await self._engine.aclose()

    def __repr__(self) -> str:
        return f"HttpStore({', '.join(repr(one.shown) for one in self._endpoints.all)})"

    def _started(self) -> Engine:
        """What does the work, made at the first op, since it loads what HTTP takes."""
        if self._engine is None:
            from botwire_core.stores.http.engine import Engine

            # Of two threads that come here at once both get what the first one made; there is no lock to be forked.
            self.__dict__.setdefault("_made", Engine(self._endpoints, self._means))
            self._engine = self.__dict__["_made"]
        return self._engine


def open_url(url: str, *, timeout: float | None = None, token: str | None = None) -> HttpStore:
    """A store for the URL of a server, or for several with commas between them; does no I/O.

    `?allow_http=true` sends the token over plain http to another machine.

    Raises:
        UnknownStoreError: it is not the URL of a server.
        ForbiddenError: the token would go over plain http to another machine.
    """
    return HttpStore(url, token=token, timeout=DEFAULT_TIMEOUT if timeout is None else timeout)
