"""`/memory/{namespace}/{key}`: one entry, as the first BotWire service had it, with versions."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, Final, cast

import orjson

from botwire_core.clock import to_microseconds
from botwire_core.codec import BYTES, encode, from_portable
from botwire_core.errors import BotWireError, ConflictError, InvalidValueError
from botwire_core.protocol import Delete, Get, GetHistory, Set
from botwire_core.stores.rows import Row
from botwire_server.access import ANYBODY
from botwire_server.bodies import members_of, read_json
from botwire_server.first_sdk import value_meant
from botwire_server.listing import list_keys
from botwire_server.paths import split_memory_path
from botwire_server.refusals import RefusedError
from botwire_server.replies import JSON_HEADERS, Reply, json_reply
from botwire_server.requests import Request
from botwire_server.service import Service

__all__ = ["answer_memory"]

_ETAG: Final = re.compile(rb'"([0-9]{1,18})"')
_CONDITIONS: Final = (b"if-match", b"if-none-match")
_ROUTE: Final = "/memory/{namespace}/{key}"


async def answer_memory(service: Service, request: Request) -> Reply:
    """The reply to a request whose path begins with `/memory/`."""
    namespace, key = split_memory_path(request.path)
    request.namespace = namespace
    if key is None:
        request.route = "/memory/{namespace}"
        return await list_keys(service, request, namespace)
    request.route = _ROUTE
    method = request.method
    if method in ("GET", "HEAD"):
        if request.identity is not ANYBODY:
            await service.authorise(request, Get(namespace, key))
        row = await service.row(namespace, key)
        if row is None:
            raise _absent()
        etag = b'"%d"' % row.version
        if b"if-none-match" in request.headers and _lists(request.headers[b"if-none-match"], etag):
            return 304, [*JSON_HEADERS, (b"etag", etag)], b""
        return 200, [*JSON_HEADERS, (b"etag", etag)], _body(namespace, key, row.codec, row.data, row)
    if method == "PUT":
        return await _put(service, request, namespace, key)
    if method == "DELETE":
        return await _delete(service, request, namespace, key)
    raise RefusedError(
        405, "method_not_allowed", f"{method} is not for an entry", headers=((b"allow", b"GET, HEAD, PUT, DELETE"),)
    )


async def _put(service: Service, request: Request, namespace: str, key: str) -> Reply:
    config = service.config
    body, value = await read_json(request, config.body_bytes, config.body_seconds)
    members = members_of(value, "value", "encoding", "ttl")
    payload = encode(value_meant(request.headers, members, from_portable(members)))
    op = Set(namespace, key, payload, _ttl(members.get("ttl")))
    await service.authorise(request, op)
    conditions, if_version = await _condition(service, request, namespace, key)
    if if_version is not None:
        op = Set(namespace, key, payload, op.ttl, if_version)
    reply, headers = await service.write(request, (op,), conditions + body)
    outcome = reply.outcomes[0]
    if outcome.error is not None:
        raise outcome.error
    version = outcome.result
    row = outcome.row or await _written(service, namespace, key, version)
    return (
        200,
        [*JSON_HEADERS, (b"etag", b'"%d"' % version), *headers],
        _body(namespace, key, payload.codec, payload.data, row, version),
    )


async def _delete(service: Service, request: Request, namespace: str, key: str) -> Reply:
    op = Delete(namespace, key)
    await service.authorise(request, op)
    conditions, if_version = await _condition(service, request, namespace, key)
    if if_version is not None:
        op = Delete(namespace, key, if_version)
    reply, headers = await service.write(request, (op,), conditions)
    outcome = reply.outcomes[0]
    if outcome.error is not None:
        raise outcome.error
    if not outcome.result:
        raise _absent()
    return json_reply({"namespace": namespace, "key": key, "deleted": True}, headers=headers)


async def _condition(service: Service, request: Request, namespace: str, key: str) -> tuple[bytes, int | None]:
    """The conditional headers as they came, and the version that they ask for; None where there are none."""
    headers = request.headers
    named = [name for name in _CONDITIONS if name in headers]
    if not named:
        return b"", None
    asked = b"".join(b"%s: %s\n" % (name, headers[name]) for name in named)
    if len(named) == 2:
        raise InvalidValueError("If-Match and If-None-Match contradict each other", hint="send one of them")
    if b"if-none-match" in headers:
        if headers[b"if-none-match"].strip() != b"*":
            raise InvalidValueError(
                "If-None-Match: only * has a meaning for a write", hint="send If-Match for a version"
            )
        return asked, 0
    wanted = headers[b"if-match"].strip()
    only = _ETAG.fullmatch(wanted)
    if only is not None:
        return asked, int(only[1])
    # One of several versions, or any: which one stands there is looked at now, and held to by the write.
    await service.authorise(request, Get(namespace, key))
    row = await service.row(namespace, key)
    if row is None or (wanted != b"*" and not _lists(wanted, b'"%d"' % row.version)):
        raise ConflictError(
            "what stands there is none of what If-Match names",
            hint="read it again",
            key=key,
            version=row.version if row else 0,
        )
    return asked, row.version


def _lists(header: bytes, etag: bytes) -> bool:
    """Whether a list of entity tags names one; a weak one never is the same bytes."""
    return header.strip() == b"*" or etag in [tag.strip() for tag in header.split(b",")]


async def _written(service: Service, namespace: str, key: str, version: int) -> Row | None:
    """The row of a version that was just written; None where it is kept no more, or cannot be looked at now."""
    try:
        return await _row_of_version(service, namespace, key, version)
    except BotWireError:
        return None  # the write is done, and that is what has to be told


async def _row_of_version(service: Service, namespace: str, key: str, version: int) -> Row | None:
    row = await service.row(namespace, key)
    if row is not None and row.version == version:
        return row
    if "history" not in service.store.features:
        return None
    # Somebody else wrote meanwhile, or this is the answer to a request that came before.
    for entry in await service.store.arun(GetHistory(namespace, key)):
        if entry.version == version and not entry.deleted:
            created, updated = to_microseconds(entry.created_at), to_microseconds(entry.updated_at)
            expires = None if entry.expires_at is None else to_microseconds(entry.expires_at)
            return Row(key, version, entry.revision, BYTES, b"", created, updated, expires)
    return None


def _body(namespace: str, key: str, codec: int, data: bytes, row: Row | None, version: int = 0) -> bytes:
    """An entry as JSON, around its value as it is stored."""
    value = data if codec != BYTES else b'"%s","encoding":"base64"' % b64encode(data)
    name = orjson.dumps(key)
    if row is None:
        times = b'"created_at":null,"updated_at":null,"expires_at":null'
    else:
        created, updated, expires = row.created, row.updated, row.expires
        times = b'"created_at":%d.%06d,"updated_at":%d.%06d,"expires_at":%s' % (
            created // 1_000_000,
            created % 1_000_000,
            updated // 1_000_000,
            updated % 1_000_000,
            b"null" if expires is None else b"%d.%06d" % divmod(expires, 1_000_000),
        )
        version = row.version
    return b'{"namespace":"%s","key":%s,"value":%s,"version":%d,%s}' % (namespace.encode(), name, value, version, times)


def _ttl(ttl: Any) -> float | None:
    if ttl is None or type(ttl) is int or type(ttl) is float:
        return cast("float | None", ttl)
    raise InvalidValueError("ttl: not a number", hint="use seconds, or leave it out for what never expires")


def _absent() -> RefusedError:
    return RefusedError(404, "not_found", "nothing is remembered at this key")
