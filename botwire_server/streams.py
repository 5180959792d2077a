"""`POST /v1/export` and `/v1/import`: whole namespaces as lines of JSON, through a file on disk in both directions.

A client that reads slowly must not hold a moment of the store open, and one that sends slowly must not hold its lock.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from functools import partial
from typing import IO, Any, Final

from botwire_core.errors import InvalidValueError
from botwire_core.exchange import record_to_line
from botwire_core.exchange_files import read_family, read_records
from botwire_core.line_files import LineReader
from botwire_core.protocol import ExportFamily, Import, ImportFamily, Op
from botwire_core.wire.ops import stream_from_json
from botwire_core.wire.text import dump
from botwire_server.bodies import check_content, read_json, spool_body
from botwire_server.plans import records_within
from botwire_server.refusals import RefusedError
from botwire_server.replies import BASE_HEADERS, Reply, Streamed, json_reply, problem_reply
from botwire_server.requests import Receive, Request, Send, query_of
from botwire_server.service import Service

__all__ = ["LINES", "answer_export", "answer_import"]

LINES: Final = b"application/x-ndjson"
_CHUNK: Final = 64 * 1024
_MOST_EXPORT_MEMBERS: Final = 64 * 1024


async def answer_export(service: Service, request: Request) -> Streamed:
    """All records of a namespace, or its whole family, from one moment; the last line is how many there were.

    A reply that is cut off has no such line.
    """
    _only_post(request)
    _, members = await read_json(request, _MOST_EXPORT_MEMBERS, service.config.body_seconds)
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it is sent
    try:
        op = stream_from_json(members, partial(_write, spool))
        if isinstance(op, Import | ImportFamily):
            raise InvalidValueError("op: an import is not an export", hint="send it to /v1/import")
        request.namespace = getattr(op, "namespace", "")
        await service.authorise(request, op)
        if isinstance(op, ExportFamily):
            from botwire_core.family_lines import FAMILY_HEADER

            spool.write(FAMILY_HEADER)
        count = await service.store.arun(op)
        spool.write(dump({"count": count}) + b"\n")
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return Streamed([(b"content-type", LINES), *BASE_HEADERS], partial(_send_file, spool, service.config.body_seconds))


async def answer_import(service: Service, request: Request) -> Reply:
    """Write the lines of the body, all or none, and tell how many records or versions there were."""
    _only_post(request)
    check_content(request, LINES)
    parameters: dict[str, Any] = {"op": "import", **query_of(request, "op", "namespace", "author")}
    config = service.config
    op: Op[int] = stream_from_json(parameters, ())
    if not isinstance(op, Import | ImportFamily):
        raise InvalidValueError("op: an export is not an import", hint="send it to /v1/export")
    request.namespace = op.namespace
    await service.authorise(request, op)
    spool, digest = await spool_body(request, config.import_bytes, config.body_seconds)
    try:
        reader = LineReader(spool)  # type: ignore[arg-type]  # any file of bytes will do
        await asyncio.to_thread(reader.open)
        lines = iter(reader)
        if isinstance(op, ImportFamily):
            from botwire_core.family_lines import is_family_header

            if not is_family_header(reader.first):
                raise InvalidValueError("line 1: not the first line of a family", hint="send op=import for records")
            next(lines)
            op = ImportFamily(op.namespace, read_family(reader, lines, None))
        else:
            op = Import(op.namespace, records_within(config.plan, read_records(reader, None)), op.author)
        reply, headers = await service.write(request, (op,), request.query + digest)
    finally:
        spool.close()
    outcome = reply.outcomes[0]
    if outcome.error is not None:
        return problem_reply(outcome.error, request.id)
    return json_reply({"count": outcome.result}, headers=headers)


def _write(spool: IO[bytes], parts: Sequence[Any]) -> None:
    from botwire_core.results import Record

    if parts and not isinstance(parts[0], Record):
        from botwire_core.family_lines import part_to_line

        spool.write(b"".join(map(part_to_line, parts)))
    else:
        spool.write(b"".join(map(record_to_line, parts)))


async def _send_file(spool: IO[bytes], seconds: float, receive: Receive, send: Send) -> int:
    size = 0
    try:
        while chunk := await asyncio.to_thread(spool.read, _CHUNK):
            async with asyncio.timeout(seconds):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            size += len(chunk)
        await send({"type": "http.response.body", "body": b""})
    finally:
        spool.close()
    return size


def _only_post(request: Request) -> None:
    if request.method != "POST":
        raise RefusedError(405, "method_not_allowed", "this is a POST", headers=((b"allow", b"POST"),))
