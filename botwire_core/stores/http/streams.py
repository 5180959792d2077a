"""Whole namespaces over HTTP, line by line: exports are handed on in pages, imports are spooled first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from botwire_core.errors import InvalidValueError, StoreUnavailableError
from botwire_core.exchange import line_to_record, record_to_line
from botwire_core.family_lines import FAMILY_HEADER, is_family_header, line_to_part, part_to_line
from botwire_core.flows import Work
from botwire_core.names import check_key
from botwire_core.protocol import ExportAll, ExportFamily, Import, ImportFamily
from botwire_core.results import Record
from botwire_core.stores.http.driving import Close, HttpFlow, Receive
from botwire_core.stores.http.exchanges import Answer, Ask, NoAnswer
from botwire_core.stores.http.lines import LineSplitter
from botwire_core.stores.http.native import new_key, refused
from botwire_core.stores.http.retrying import Attempts
from botwire_core.stores.http.spool import Spool
from botwire_core.wire.ops import stream_to_json
from botwire_core.wire.text import dump, parse

__all__ = ["exported", "imported", "is_importing"]

_PAGE: Final = 1000
_PIECE: Final = 256 * 1024
_BYTES_PER_SECOND: Final = 1024 * 1024
"""How quickly a server reads and writes at least; so much longer than the timeout an import may take."""

Exporting: TypeAlias = ExportAll | ExportFamily
Importing: TypeAlias = Import | ImportFamily

_reading = threading.local()


def is_importing() -> bool:
    """Whether this thread is in the middle of an import: in what is read to be imported."""
    return getattr(_reading, "depth", 0) > 0


def exported(attempts: Attempts, op: Exporting, timeout: float) -> HttpFlow[int]:
    """Hand on what a server exports, and give how much it was; nothing may take longer than `timeout` to come.

    Raises:
        StoreUnavailableError: it broke off.
    """
    ask = Ask("POST", "/v1/export", dump(stream_to_json(op)), reads=True)
    incoming = yield from attempts.ask(ask, attempts.clock() + timeout, stream=True)
    if isinstance(incoming, Answer):
        raise refused(incoming, True)
    read: Callable[[bytes], Any] = line_to_record if isinstance(op, ExportAll) else line_to_part
    splitter = LineSplitter()
    held: bytes | None = None  # the last line is the count, and is known by nothing following it
    page: list[Any] = []
    try:
        while piece := (yield Receive(incoming, timeout)):
            for line in splitter.feed(piece):
                if held is not None and not is_family_header(held):
                    page.append(read(held))
                held = line
                if len(page) >= _PAGE:
                    yield Work(partial(op.write, page))
                    page = []
        count = _count(held, splitter.rest())
    except NoAnswer as error:
        raise StoreUnavailableError(f"the export broke off: {error}", hint="start it again") from error
    finally:
        yield Close(incoming)
    if page:
        yield Work(partial(op.write, page))
    return count


def _count(last: bytes | None, rest: bytes) -> int:
    members = parse(last) if last else None
    if isinstance(members, dict) and type(members.get("count")) is int and not rest:
        return int(members["count"])
    raise StoreUnavailableError("the export broke off before its end", hint="start it again")


def imported(attempts: Attempts, op: Importing, timeout: float) -> HttpFlow[int]:
    """Send what is to be imported, once all of it is read, and give how much it was."""
    spool = Spool()
    try:
        yield Work(partial(_fill, spool, op))
        query = urlencode({name: value for name, value in stream_to_json(op).items() if value is not None})
        ask = Ask("POST", f"/v1/import?{query}", spool, key=new_key(), parse=parse, content_type="application/x-ndjson")
        deadline = attempts.clock() + timeout + spool.size / _BYTES_PER_SECOND
        answer = yield from attempts.ask(ask, deadline)
        if answer.status != 200:
            raise refused(answer, False)
        return int(answer.parsed["count"])
    finally:
        yield Work(spool.close)


def _fill(spool: Spool, op: Importing) -> None:
    lines = map(_record_line, op.records) if isinstance(op, Import) else _family_lines(op.parts)
    pending = bytearray()
    _reading.depth = getattr(_reading, "depth", 0) + 1
    try:
        for line in lines:
            pending += line
            if len(pending) >= _PIECE:
                spool.write(bytes(pending))
                pending.clear()
    finally:
        _reading.depth -= 1
    spool.write(bytes(pending))


def _record_line(record: Record) -> bytes:
    if record.expires_at is not None and type(record.expires_at) not in (int, float):
        raise InvalidValueError(
            f"expires_at: {record.expires_at!r} is not a time", hint="use seconds since 1970 in UTC"
        )
    check_key(record.key)
    return record_to_line(record)


def _family_lines(parts: Iterable[Any]) -> Iterator[bytes]:
    yield FAMILY_HEADER
    yield from map(part_to_line, parts)
