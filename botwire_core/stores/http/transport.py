"""Ways to the servers in both colours: who sends, made when first needed, and made anew in a forked child."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import weakref
from typing import TYPE_CHECKING, TypeAlias
from urllib.request import getproxies

from botwire_core.errors import UnsupportedError
from botwire_core.stores.http.addresses import Endpoint
from botwire_core.stores.http.exchanges import Answer
from botwire_core.stores.http.incoming import AsyncIncoming, Incoming, no_answer
from botwire_core.stores.http.pools import Pool
from botwire_core.stores.http.pools_async import AsyncPool
from botwire_core.stores.http.requests import Requests
from botwire_core.stores.http.retrying import Send

if TYPE_CHECKING:
    import httpx

    from botwire_core.stores.http.clients import AsyncClient, Client

    HttpClient: TypeAlias = httpx.Client | httpx.AsyncClient | tuple[httpx.Client, httpx.AsyncClient]

__all__ = ["Transport", "split_clients"]


class Transport:
    """Sends the requests of one store, from any thread and any event loop."""

    def __init__(
        self,
        requests: Requests,
        endpoints: tuple[Endpoint, ...],
        clients: tuple[httpx.Client | None, httpx.AsyncClient | None],
        trust_env: bool,
    ) -> None:
        self._requests = requests
        self._clients = clients
        self._trust_env = trust_env
        self._by_environment = not any(clients) and trust_env and _has_proxy(endpoints)
        self._context: ssl.SSLContext | None = None
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._sender: Pool | Client | None = None
        self._made: dict[bool, Pool | Client] = {}
        # A plain dict, whose single operations are atomic: a lock that another thread holds at os.fork() would stay
        # locked in the child.
        self._loops: dict[int, tuple[weakref.ref[asyncio.AbstractEventLoop], AsyncPool | AsyncClient]] = {}

    # --- one request ------------------------------------------------------------------------------

    def send(self, send: Send) -> Answer | Incoming:
        """Send a request and give its answer; with `stream`, one of 200 as it begins.

        Raises:
            NotSent, NoAnswer: there is none.
        """
        sender = self._sender if self._pid == os.getpid() else None
        incoming = (sender or self._new_sender()).open(send.ask, send.endpoint, send.seconds)
        if send.stream and incoming.status == 200:
            return incoming
        return incoming.whole()

    async def asend(self, send: Send) -> Answer | AsyncIncoming:
        """Async twin of `send`."""
        started = time.monotonic()
        incoming = await self._sender_of_loop().open(send.ask, send.endpoint, send.seconds)
        if send.stream and incoming.status == 200:
            return incoming
        try:
            async with asyncio.timeout(send.seconds - (time.monotonic() - started)):
                return await incoming.whole()
        except TimeoutError as error:
            raise no_answer(error) from error

    # --- who sends ----------------------------------------------------------------------------------

    def _new_sender(self) -> Pool | Client:
        if self._pid != os.getpid():
            self._leave_to_parent()
        if not self._made:
            self._made.setdefault(True, self._make_sender())  # of two threads, both get what the first one made
        self._sender = self._made[True]
        return self._sender

    def _make_sender(self) -> Pool | Client:
        if not any(self._clients) and not self._by_environment:
            return Pool(self._requests, self._tls)
        from botwire_core.stores.http.clients import Client

        if self._clients[0] is None and not self._by_environment:
            raise UnsupportedError(
                "http_client is an httpx.AsyncClient, which serves only await",
                hint="pass http_client=(httpx.Client(...), httpx.AsyncClient(...)) to use both",
            )
        return Client(self._requests, self._clients[0])

    def _sender_of_loop(self) -> AsyncPool | AsyncClient:
        loop = asyncio.get_running_loop()
        if self._pid != os.getpid():
            self._leave_to_parent()
        known = self._loops.get(id(loop))
        if known is not None and known[0]() is loop:
            return known[1]
        self._forget_closed_loops()
        sender = self._make_async_sender()
        self._loops[id(loop)] = weakref.ref(loop), sender
        return sender

    def _make_async_sender(self) -> AsyncPool | AsyncClient:
        if not any(self._clients) and not self._by_environment:
            return AsyncPool(self._requests, self._tls)
        from botwire_core.stores.http.clients import AsyncClient

        if self._clients[1] is None and not self._by_environment:
            raise UnsupportedError(
                "http_client is an httpx.Client, which cannot be awaited",
                hint="pass http_client=(httpx.Client(...), httpx.AsyncClient(...)) to use both",
            )
        return AsyncClient(self._requests, self._clients[1])

    def _forget_closed_loops(self) -> None:
        for key, (known, sender) in list(self._loops.items()):
            loop = known()
            if loop is None or loop.is_closed():
                self._loops.pop(key, None)
                sender.close()

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            import httpx  # where SSL_CERT_FILE and the certificates of the system are looked for

            self._context = httpx.create_ssl_context(trust_env=self._trust_env)
        return self._context

    # --- the end --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close what is idle, in all threads and loops; what is in use is closed when it is done."""
        if self._pid != os.getpid():
            self._leave_to_parent()
        self._forget_closed_loops()
        if self._sender is not None:
            self._sender.close()
        for _, sender in list(self._loops.values()):
            sender.close()

    async def aclose(self) -> None:
        """Async twin of `close`; what an httpx client of this loop holds is closed too."""
        self.close()
        known = self._loops.get(id(asyncio.get_running_loop()))
        if known is not None and not isinstance(known[1], AsyncPool):
            await known[1].aclose()

    def _leave_to_parent(self) -> None:
        # To close a descriptor here does not end the connection that the parent has by another one.
        sender, loops = self._sender, self._loops
        self._start()
        for one in (sender, *(async_sender for _, async_sender in loops.values())):
            if isinstance(one, Pool | AsyncPool):
                one.close()


def split_clients(
    http_client: HttpClient | None,
) -> tuple[httpx.Client | None, httpx.AsyncClient | None]:
    """The client for each colour.

    Raises:
        TypeError: it is no httpx client, and no pair of one of each kind.
    """
    if http_client is None:
        return None, None
    import httpx

    pair = http_client if isinstance(http_client, tuple) else (http_client,)
    sync = [one for one in pair if isinstance(one, httpx.Client)]
    other = [one for one in pair if isinstance(one, httpx.AsyncClient)]
    if len(sync) + len(other) != len(pair) or not pair or len(sync) > 1 or len(other) > 1:
        raise TypeError("http_client is an httpx.Client, an httpx.AsyncClient, or a pair of one of each")
    return (sync[0] if sync else None), (other[0] if other else None)


def _has_proxy(endpoints: tuple[Endpoint, ...]) -> bool:
    """Whether the environment names a proxy; where it does, httpx decides which requests go through it."""
    proxies = getproxies()
    return any(one.scheme in proxies or "all" in proxies for one in endpoints)
