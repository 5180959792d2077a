"""The ASGI application: every request on its way in and out.

The order is fixed: what is wrong as HTTP, from which site it comes, who sends it, and only then what it asks. The hot
routes are answered here from the raw path; the rest is left to Starlette.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO, Final

from botwire_core.errors import BotWireError
from botwire_core.store import Store
from botwire_server.access import Access
from botwire_server.access_log import AccessLog
from botwire_server.bodies import Disconnected
from botwire_server.config import ServerConfig
from botwire_server.events import answer_watch
from botwire_server.guard import Guard
from botwire_server.memory_routes import answer_memory
from botwire_server.ops_routes import answer_ops
from botwire_server.paths import MEMORY
from botwire_server.refusals import RefusedError
from botwire_server.replies import BASE_HEADERS, Reply, Streamed, problem_reply
from botwire_server.requests import Pairs, Receive, Request, Scope, Send, id_of, read_headers
from botwire_server.service import Service
from botwire_server.site import OPEN_PATHS, make_site
from botwire_server.streams import answer_export, answer_import

__all__ = ["Application", "make_app"]

_log: Final = logging.getLogger("botwire.server")
_CLIENT_GONE: Final = 499
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"})

_Handler = Callable[[Service, Request], Awaitable[Reply | Streamed]]
_HANDLERS: Final[dict[bytes, _Handler]] = {
    b"/v1/ops": answer_ops,
    b"/v1/watch": answer_watch,
    b"/v1/export": answer_export,
    b"/v1/import": answer_import,
}


def make_app(store: Store, config: ServerConfig, *, log: BinaryIO | None = None) -> Application:
    """The ASGI application that serves a store; `log` is where the line of each request goes, if one is wanted."""
    return Application(store, config, log)


class Application:
    """Serves a store; it belongs to the event loop on which the first request comes."""

    def __init__(self, store: Store, config: ServerConfig, log: BinaryIO | None) -> None:
        self._store = store
        self._config = config
        self._guard = Guard(config)
        self._log = AccessLog(log, namespaces=config.log_namespaces) if log is not None else None
        self._service: Service | None = None
        self._site: Any = None

    @property
    def service(self) -> Service:
        """What the routes stand on; made at the first use, since it belongs to the loop that runs."""
        if self._service is None:
            self._service = Service(self._store, self._config, Access(self._store, self._config))
            self._site = make_site(self._service)
        return self._service

    def stop(self) -> None:
        """Send away those who only wait; everybody else is answered."""
        if self._service is not None:
            self._service.watchers.stop()

    def cut_off(self) -> None:
        """Tell those whose bodies are still coming that they were too slow."""
        if self._service is not None:
            for clock in tuple(self._service.clocks):
                if not clock.expired():
                    clock.reschedule(0.0)

    async def close(self) -> None:
        """Wait for the last commit, and write the last lines of the log."""
        if self._service is not None:
            await self._service.commits.drained()
        if self._log is not None:
            self._log.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] != "http":
            await _other(scope, receive, send)
            return
        started = time.perf_counter()
        service = self.service
        metrics = service.metrics
        metrics.in_flight += 1
        request = Request(scope, receive, service.clocks)
        status, size = 500, 0
        try:
            reply: Reply | Streamed | None
            try:
                reply = await self._answer(service, request, scope, receive, send)
            except BotWireError as error:
                reply = self._problem(error, request)
            except Disconnected:
                status = _CLIENT_GONE
                return
            except Exception as error:  # noqa: BLE001 - the client is told that, and nothing of what it is
                reply = self._unexpected(error, request)
            if reply is None:
                status, size = request.answered
            elif isinstance(reply, Streamed):
                status = 200
                headers = [*reply.headers, (b"x-request-id", request.id), *self._shared(request)]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                size = await reply.send(receive, send)
            else:
                status, headers, body = reply
                size = len(body)
                headers += ((b"content-length", b"%d" % size), (b"x-request-id", request.id))
                headers += self._shared(request)
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})
        finally:
            metrics.in_flight -= 1
            seconds = time.perf_counter() - started
            # A client may make up methods; a counter for each of them would never go away.
            method = request.method if request.method in _METHODS else "(other)"
            metrics.count(request.route, method, status, seconds)
            if self._log is not None:
                self._log.add(request, method, status, size, seconds)

    async def _answer(
        self, service: Service, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> Reply | Streamed | None:
        headers = request.headers = read_headers(request.pairs)
        request.id = id_of(headers)
        self._guard.check_host_and_origin(headers)
        most = self._config.requests
        # Who watches is under way for hours and costs next to nothing; there is a limit of their own for them.
        if service.metrics.in_flight > most and service.metrics.in_flight - len(service.watchers) > most:
            raise RefusedError(
                503,
                "overloaded",
                "there are too many requests at once",
                hint="come back after Retry-After seconds",
                headers=((b"retry-after", b"1"),),
                retryable=True,
            )
        path = request.path
        if request.method == "OPTIONS" and self._config.cors_origins:
            answer = self._guard.preflight("OPTIONS", headers)
            if answer is not None:
                request.route = "(preflight)"
                return 204, [*BASE_HEADERS, *answer], b""
        if path in OPEN_PATHS:
            await self._site_answer(request, scope, receive, send)
            return None
        request.identity = await service.access.identify(headers, request.peer)
        if path.startswith(MEMORY):
            return await answer_memory(service, request)
        handler = _HANDLERS.get(path)
        if handler is not None:
            request.route = path.decode()
            return await handler(service, request)
        if path == b"/metrics":
            service.access.check_admin(request.identity)
        await self._site_answer(request, scope, receive, send)
        return None

    async def _site_answer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Starlette answer, with our headers on what it sends."""
        status = size = 0

        async def sent(message: Any) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                ours = [pair for pair in BASE_HEADERS if pair not in message["headers"]]
                extra = [*ours, (b"x-request-id", request.id), *self._shared(request)]
                message = {**message, "headers": [*message["headers"], *extra]}
                if status != 404:
                    request.route = scope["path"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        await self._site({**scope, "botwire.request_id": request.id}, receive, sent)
        request.answered = status, size

    def _shared(self, request: Request) -> Pairs:
        return self._guard.cross_origin(request.headers) if self._config.cors_origins else []

    def _problem(self, error: BotWireError, request: Request) -> Reply:
        request.id = request.id or id_of({})
        path = getattr(self._store, "path", None)
        if isinstance(path, str) and path in error.message:
            error.message = error.message.replace(path, "the file of the store")  # where it is, is nobody's business
        return problem_reply(error, request.id)

    def _unexpected(self, error: Exception, request: Request) -> Reply:
        """A reply that says nothing but where to look; the log has the places in the code, and no text of the error.

        The text may hold a value or a key.
        """
        request.id = request.id or id_of({})
        places = " < ".join(
            f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"
            for frame in reversed(traceback.extract_tb(error.__traceback__)[-8:])
        )
        _log.error("request %s failed: %s in %s", request.id.decode(), type(error).__qualname__, places)
        hint = "the log of the server has more under this request_id"
        return problem_reply(RefusedError(500, "error", "something went wrong in the server", hint=hint), request.id)


async def _other(scope: Scope, receive: Receive, send: Send) -> None:
    """Web sockets are refused; a server that tells about its life is listened to."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
