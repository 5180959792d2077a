"""`GET /memory/{namespace}`: the keys of a namespace page by page, with the size and age of what stands there."""

from __future__ import annotations

from typing import Any, Final

from botwire_core.codec import encode
from botwire_core.errors import InvalidValueError
from botwire_core.protocol import GetEntry, ListKeys
from botwire_core.service import GetRow
from botwire_core.store import Store
from botwire_core.stores.threads import run_in_thread
from botwire_server.refusals import RefusedError
from botwire_server.replies import Reply, json_reply
from botwire_server.requests import Request, query_of
from botwire_server.service import Service

__all__ = ["MAX_PAGE", "list_keys"]

MAX_PAGE: Final = 1000
"""Keys in a page, and what a page has where no limit is given."""


async def list_keys(service: Service, request: Request, namespace: str) -> Reply:
    """A page of keys in byte order.

    `next` is the key to ask for more `after`, null on the last page. It is a key and no more: nothing is kept for it,
    and any other key does as well.
    """
    if request.method not in ("GET", "HEAD"):
        raise RefusedError(
            405, "method_not_allowed", f"{request.method} is not for a list", headers=((b"allow", b"GET, HEAD"),)
        )
    parameters = query_of(request, "prefix", "limit", "after")
    limit = _limit(parameters.get("limit"))
    op = ListKeys(namespace, parameters.get("prefix", ""), parameters.get("after"), limit + 1)
    await service.authorise(request, op)
    keys = await service.store.arun(op)
    page = keys[:limit]
    entries = await run_in_thread(_looked_up, (service.store, service.has_service, namespace, page))
    return json_reply(
        {
            "namespace": namespace,
            "count": len(entries),
            "keys": entries,
            "next": page[-1] if len(keys) > limit else None,
        }
    )


def _looked_up(asked: tuple[Store, bool, str, list[str]]) -> list[dict[str, Any]]:
    """What stands at each key, one at a time, so that a page of large values is never in memory at once."""
    store, has_rows, namespace, keys = asked
    found: list[dict[str, Any]] = []
    for key in keys:
        # Deleted or expired since it was listed: then it is not there, and not a gap either.
        if has_rows:
            if (row := store.run(GetRow(namespace, key))) is not None:
                found.append({"key": key, "bytes": len(row.data), "updated_at": row.updated / 1_000_000})
        elif (entry := store.run(GetEntry(namespace, key))) is not None:
            size = len(encode(entry.value).data)
            found.append({"key": key, "bytes": size, "updated_at": entry.updated_at.timestamp()})
    return found


def _limit(text: str | None) -> int:
    if text is None:
        return MAX_PAGE
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE:
        return int(text)
    raise InvalidValueError(f"limit: {ascii(text)[:40]} is not an integer from 1 to {MAX_PAGE:,}")
