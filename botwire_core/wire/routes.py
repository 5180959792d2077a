"""Every route of the service, as the paths of an OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from botwire_core.arguments import MAX_TTL_SECONDS
from botwire_core.names import MAX_KEY_BYTES
from botwire_core.wire.structures import ENCODED

__all__ = ["paths"]

_PROBLEM: Final = {
    "description": "a problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def paths() -> dict[str, Any]:
    """The paths by route, each with its methods."""
    return {
        "/memory/{namespace}/{key}": _memory(),
        "/memory/{namespace}": {"parameters": [_NAMESPACE], "get": _listing()},
        "/v1/ops": {"post": _ops()},
        "/v1/watch": {"get": _watch()},
        "/v1/export": {"post": _export()},
        "/v1/import": {"post": _import()},
        "/healthz": {"get": _page("Whether it is up", _json(_HEALTH)) | {"security": []}},
        "/metrics": {"get": _page("Counters for Prometheus", _text("text/plain"))},
        "/openapi.json": {"get": _page("This document", _json({"type": "object"}))},
        "/docs": {"get": _page("This document, for people", _text("text/html"))},
    }


def _memory() -> dict[str, Any]:
    key = _parameter(
        "path", "key", {"type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES}, "percent-encoded UTF-8"
    )
    body = {
        "type": "object",
        "properties": {
            "value": {},
            "encoding": {"enum": ["base64", None]},
            "ttl": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": MAX_TTL_SECONDS},
        },
        "required": ["value"],
        "additionalProperties": False,
        **ENCODED,
    }
    entry = _json(_ENTRY) | {"headers": {"ETag": {"schema": {"type": "string"}, "description": "the version"}}}
    deleted = _object(namespace="string", key="string", deleted="boolean")
    not_modified = {"description": "it still has the version that If-None-Match names"}
    return {
        "parameters": [_NAMESPACE, key],
        "get": _operation("The entry at a key", {"200": entry, "304": not_modified}, [_header("If-None-Match")]),
        "put": _operation(
            "Write a value",
            {"200": entry},
            [_IDEMPOTENCY, _header("If-Match"), _header("If-None-Match")],
            _body(body),
        ),
        "delete": _operation("Delete a key", {"200": _json(deleted)}, [_IDEMPOTENCY, _header("If-Match")]),
    }


def _listing() -> dict[str, Any]:
    text = {"type": "string", "maxLength": MAX_KEY_BYTES}
    listed = _object(namespace="string", count="integer")
    listed["properties"] |= {
        "keys": {"type": "array", "items": _object(key="string", bytes="integer", updated_at="number")},
        "next": {"type": ["string", "null"], "description": "what to ask for after; null on the last page"},
    }
    listed["required"] += ["keys", "next"]
    return _operation(
        "The keys of a namespace, in byte order",
        {"200": _json(listed)},
        [
            _parameter("query", "prefix", text, "what they start with"),
            _parameter("query", "after", text, "only keys above this one"),
            _parameter("query", "limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "how many at most"),
        ],
    )


def _ops() -> dict[str, Any]:
    replayed = {
        "Idempotency-Replayed": {
            "schema": {"const": "true"},
            "description": "the answer to a request with this key that was done before",
        }
    }
    return _operation(
        "Run ops: all that the protocol has",
        {"200": _json({"$ref": "#/components/schemas/Outcomes"}) | {"headers": replayed}},
        [_IDEMPOTENCY],
        _body({"$ref": "#/components/schemas/Ops"}),
        description="With one op, or with atomic, an error is the answer itself; else there is an outcome for each op.",
    )


def _watch() -> dict[str, Any]:
    revision = {"type": "integer", "minimum": 0}
    return _operation(
        "Changes as they are committed",
        {"200": _text("text/event-stream")},
        [
            _NAMESPACE | {"in": "query"},
            _parameter("query", "prefix", {"type": "string", "maxLength": MAX_KEY_BYTES}, "only keys with it"),
            _parameter("query", "since", revision, "the last revision that is known; without it, from now on"),
            _header("Last-Event-ID"),
        ],
        description="Each event is a page of whole revisions; its id is the revision to go on from.",
    )


def _export() -> dict[str, Any]:
    return _operation(
        "A namespace as lines of JSON, from one moment",
        {"200": _text("application/x-ndjson")},
        [],
        _body({"$ref": "#/components/schemas/ExportOp"}),
        description='The last line is {"count": n}; without it the answer was cut off.',
    )


def _import() -> dict[str, Any]:
    names = {"type": "string", "enum": ["import", "import_family"], "default": "import"}
    return _operation(
        "Write lines of JSON, all or none",
        {"200": _json(_object(count="integer"))},
        [
            _IDEMPOTENCY,
            _NAMESPACE | {"in": "query"},
            _parameter("query", "op", names, "records, or a namespace with its past and forks"),
            _parameter("query", "author", {"type": "string"}, "of the records"),
        ],
        {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
    )


def _operation(
    summary: str,
    responses: dict[str, Any],
    parameters: list[dict[str, Any]],
    body: dict[str, Any] | None = None,
    *,
    description: str = "",
) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": summary, "responses": {**responses, "default": _PROBLEM}}
    if description:
        found["description"] = description
    if parameters:
        found["parameters"] = parameters
    if body:
        found["requestBody"] = body
    return found


def _page(summary: str, answer: dict[str, Any]) -> dict[str, Any]:
    return _operation(summary, {"200": answer}, [])


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "done", "content": {"application/json": {"schema": schema}}}


def _text(media_type: str) -> dict[str, Any]:
    return {"description": "done", "content": {media_type: {"schema": {"type": "string"}}}}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _object(**kinds: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in kinds.items()},
        "required": [*kinds],
    }


def _parameter(place: str, name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"in": place, "name": name, "schema": schema, "description": description, "required": place == "path"}


def _header(name: str) -> dict[str, Any]:
    return _parameter("header", name, {"type": "string"}, _HEADERS[name])


_HEADERS: Final = {
    "If-Match": "the version that must stand there, in quotes",
    "If-None-Match": "for a write only *: nothing may stand there; for a read the version that is known, in quotes",
    "Idempotency-Key": "1 to 255 visible characters: the same request with it is done once in 24 hours",
    "Last-Event-ID": "the id of the last event that was seen",
}
_NAMESPACE: Final = _parameter("path", "namespace", {"$ref": "#/components/schemas/Namespace"}, "whose memory") | {
    "required": True
}
_IDEMPOTENCY: Final = _header("Idempotency-Key") | {
    "schema": {"type": "string", "pattern": "^[!-~]+$", "maxLength": 255}
}
_TIME: Final = {"type": ["number", "null"], "description": "epoch seconds, UTC"}
_ENTRY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "namespace": {"type": "string"},
        "key": {"type": "string"},
        "value": {},
        "encoding": {"const": "base64"},
        "version": {"type": "integer"},
        "created_at": _TIME,
        "updated_at": _TIME,
        "expires_at": _TIME,
    },
    "required": ["namespace", "key", "value", "version", "created_at", "updated_at", "expires_at"],
}
_HEALTH: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "status": {"enum": ["ok", "stopping"]},
        "service": {"const": "botwire"},
        "version": {"type": "string"},
        "features": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["status", "service", "version", "features"],
}
