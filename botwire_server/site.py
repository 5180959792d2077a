"""The routes that are no memory: health, metrics, and the description of the wire for programs and for people."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import Route

from botwire_core.wire.text import dump
from botwire_server.refusals import RefusedError
from botwire_server.replies import problem_reply
from botwire_server.service import Service

__all__ = ["OPEN_PATHS", "health_of", "make_site"]

OPEN_PATHS: Final = frozenset({b"/healthz"})
"""What may be asked without a token."""

_PAGE_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
}


def make_site(service: Service) -> Starlette:
    """The application of these routes; who may ask for them is judged before it."""
    routes = [
        _route("/healthz", "application/json", lambda: dump(health_of(service))),
        _route("/metrics", "text/plain; version=0.0.4", service.metrics.text),
        _route("/openapi.json", "application/json", _document),
        _route("/docs", "text/html", _page, _PAGE_HEADERS),
        _route("/docs/style.css", "text/css", _style),
    ]
    site = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    site.router.redirect_slashes = False
    return site


def health_of(service: Service) -> dict[str, Any]:
    """What a server says about itself to anybody: nothing about what it holds."""
    return {
        "status": "stopping" if service.watchers.stopping else "ok",
        "service": "botwire",
        "version": version("botwire"),
        "features": sorted(service.store.features),
    }


def _route(path: str, media_type: str, body: Callable[[], bytes], headers: dict[str, str] | None = None) -> Route:
    async def answer(request: StarletteRequest) -> Response:
        return Response(body(), media_type=media_type, headers=headers)

    return Route(path, answer, methods=["GET"])


@cache
def _document() -> bytes:
    from botwire_core.wire.schema import openapi

    return dump(openapi())


@cache
def _page() -> bytes:
    from botwire_core.wire.schema import openapi
    from botwire_server.page import page_of

    return page_of(openapi())


def _style() -> bytes:
    from botwire_server.page import STYLE

    return STYLE


async def _refused(request: StarletteRequest, error: Exception) -> Response:
    """Unknown routes and methods, told as every other error is."""
    assert isinstance(error, HTTPException), error
    if error.status_code == 405:
        allowed = (b"allow", b"GET, HEAD")
        ours = RefusedError(405, "method_not_allowed", "this route has no such method", headers=(allowed,))
    else:
        ours = RefusedError(404, "not_found", "there is no such route", hint="GET /openapi.json lists them")
    status, headers, body = problem_reply(ours, request.scope["botwire.request_id"])
    reply = Response(body, status)
    reply.raw_headers = [(b"content-length", b"%d" % len(body)), *headers]
    return reply
