"""The user's own httpx clients, with their proxies, certificates and event hooks, and those for a proxy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx

from botwire_core.errors import StoreUnavailableError
from botwire_core.stores.http.addresses import Endpoint
from botwire_core.stores.http.exchanges import Ask, Failed, NotSent
from botwire_core.stores.http.incoming import AsyncIncoming, Incoming, header_map, no_answer
from botwire_core.stores.http.pools_async import pieces_of
from botwire_core.stores.http.requests import Requests
from botwire_core.stores.http.spool import Spool

__all__ = ["AsyncClient", "Client"]

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_BROKEN = (httpx.HTTPError, httpx.StreamError, TimeoutError)


class Client:
    """Sends by an `httpx.Client`, as `Pool` does by connections of its own; without one by one that is made here.

    httpx bounds each single read, and the deadline is looked at between them.
    """

    def __init__(self, requests: Requests, client: httpx.Client | None) -> None:
        self._requests = requests
        self._is_ours = client is None
        self._client = client or httpx.Client(trust_env=True)

    def open(self, ask: Ask, endpoint: Endpoint, seconds: float) -> Incoming:
        """Send a request and give the answer as it begins, as `Pool.open`."""
        _check_open(self._client)
        deadline = time.monotonic() + seconds
        request = self._client.build_request(
            ask.method,
            f"{endpoint.shown}{ask.path}",
            headers=self._requests.headers(ask, endpoint),
            content=ask.body,
            timeout=seconds,
        )
        try:
            response = self._client.send(request, stream=True, follow_redirects=False)
        except (*_NOT_SENT, *_BROKEN) as error:
            raise _failed(error) from error

        def pieces() -> Iterator[bytes]:
            try:
                for piece in response.iter_raw():
                    yield piece
                    if time.monotonic() > deadline:
                        raise TimeoutError
            except _BROKEN as error:
                raise _failed(error) from error

        def extend(seconds: float) -> None:
            nonlocal deadline
            deadline = time.monotonic() + seconds

        return Incoming(response.status_code, header_map(response.headers.raw), pieces(), response.close, extend)

    def close(self) -> None:
        """Close a client that was made here, and take a new one for what comes."""
        if self._is_ours:
            self._client.close()
            self._client = httpx.Client(trust_env=True)


class AsyncClient:
    """Async twin of `Client`, by an `httpx.AsyncClient`; its deadline is strict."""

    def __init__(self, requests: Requests, client: httpx.AsyncClient | None) -> None:
        self._requests = requests
        self._is_ours = client is None
        self._client = client or httpx.AsyncClient(trust_env=True)

    async def open(self, ask: Ask, endpoint: Endpoint, seconds: float) -> AsyncIncoming:
        """Send a request and give the answer as it begins, as `AsyncPool.open`."""
        _check_open(self._client)
        request = self._client.build_request(
            ask.method,
            f"{endpoint.shown}{ask.path}",
            headers=self._requests.headers(ask, endpoint),
            content=pieces_of(ask.body) if isinstance(ask.body, Spool) else ask.body,
            timeout=seconds,
        )
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.send(request, stream=True, follow_redirects=False)
        except (*_NOT_SENT, *_BROKEN) as error:
            raise _failed(error) from error

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in response.aiter_raw():
                    yield piece
            except _BROKEN as error:
                raise _failed(error) from error

        return AsyncIncoming(response.status_code, header_map(response.headers.raw), pieces(), response.aclose)

    def close(self) -> None:
        """Nothing: only its own event loop can close it."""

    async def aclose(self) -> None:
        """Close a client that was made here, and take a new one for what comes."""
        if self._is_ours:
            await self._client.aclose()
            self._client = httpx.AsyncClient(trust_env=True)


def _check_open(client: httpx.Client | httpx.AsyncClient) -> None:
    if client.is_closed:
        raise StoreUnavailableError("the http_client was closed", hint="make a new one, and a new store with it")


def _failed(error: Exception) -> Failed:
    if isinstance(error, _NOT_SENT):
        return NotSent(f"cannot be reached: {error}")
    return no_answer(TimeoutError() if isinstance(error, httpx.TimeoutException) else error)
