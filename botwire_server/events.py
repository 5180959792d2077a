"""The stream of events that a watcher is sent, and when it ends."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from botwire_core.errors import BotWireError, InvalidValueError
from botwire_core.names import check_prefix
from botwire_core.protocol import ListChanges, Resolve
from botwire_core.wire.text import dump
from botwire_server.access import ANYBODY
from botwire_server.refusals import RefusedError
from botwire_server.replies import BASE_HEADERS, Streamed, problem_members
from botwire_server.requests import Receive, Request, Send, query_of
from botwire_server.service import Service
from botwire_server.watch import Watcher

__all__ = ["answer_watch"]

_CHECKED_EVERY: Final = 2.0
"""Seconds after which a token is looked at again: one that is revoked sees no more."""


async def answer_watch(service: Service, request: Request) -> Streamed:
    """The events of a namespace; whatever can be refused is refused before the first."""
    if request.method != "GET":
        raise RefusedError(405, "method_not_allowed", "watching is a GET", headers=((b"allow", b"GET"),))
    parameters = query_of(request, "namespace", "prefix", "since")
    namespace = request.namespace = parameters.get("namespace", "")
    prefix = check_prefix(parameters.get("prefix", ""))
    await service.authorise(request, ListChanges(namespace, 0, prefix))
    last_id = request.headers.get(b"last-event-id")
    since = _revision(parameters.get("since") if last_id is None else last_id.decode("latin-1"))
    if since is None:
        since = await service.store.arun(Resolve(namespace))
    await service.store.arun(ListChanges(namespace, since, prefix, 1))
    watcher = service.watchers.join(namespace, prefix)
    stream = _Stream(service, request, watcher, since)
    return Streamed([(b"content-type", b"text/event-stream"), *BASE_HEADERS], stream.run)


class _Stream:
    """One watcher's connection."""

    def __init__(self, service: Service, request: Request, watcher: Watcher, since: int) -> None:
        self._service = service
        self._request = request
        self._watcher = watcher
        self._revision = since
        self._sent = 0

    async def run(self, receive: Receive, send: Send) -> int:
        """Send events until the client goes, the server stops, or the token is no longer good."""
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(lambda _: self._watcher.woken.set())
        try:
            await self._send(send, b": watching\n\n")
            await self._follow(send, gone)
        except TimeoutError:
            pass  # it takes nothing any more; it can come back to where it was
        except BotWireError as error:
            problem = dump(problem_members(error, self._request.id))
            await self._send(send, b"event: problem\ndata: " + problem + b"\n\n")
        finally:
            gone.cancel()
            self._watcher.close()
        await send({"type": "http.response.body", "body": b""})
        return self._sent

    async def _follow(self, send: Send, gone: asyncio.Future[None]) -> None:
        service, watcher = self._service, self._watcher
        heartbeat = service.config.heartbeat_seconds
        quiet_since = checked = time.monotonic()
        while not gone.done() and not service.watchers.stopping:
            watcher.woken.clear()
            revision, page = await watcher.page_after(self._revision)
            if page:
                await self._send(send, b"id: %d\nevent: changes\ndata: %s\n\n" % (revision, page))
                quiet_since = time.monotonic()
            now = time.monotonic()
            if now - checked >= _CHECKED_EVERY:
                await self._check()
                checked = now
            if revision != self._revision:
                self._revision = revision
                continue
            if now - quiet_since >= heartbeat:
                await self._send(send, b": nothing new\n\n")
                quiet_since = now
            await watcher.wait(min(_CHECKED_EVERY, heartbeat))

    async def _check(self) -> None:
        service, request = self._service, self._request
        identity = await service.access.identify(request.headers, request.peer)
        if identity is not ANYBODY:
            await service.access.authorise(identity, ListChanges(request.namespace))

    async def _send(self, send: Send, data: bytes) -> None:
        async with asyncio.timeout(self._service.config.body_seconds):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        self._sent += len(data)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _revision(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    raise InvalidValueError(f"since: {ascii(text)[:40]} is not a revision")
