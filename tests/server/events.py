"""Server-sent events as a client reads them, one after the other."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx

__all__ = ["Events", "watching"]


class Events:
    """The events of one connection, one after the other."""

    def __init__(self, reply: httpx.Response) -> None:
        self.reply = reply
        self._lines = reply.iter_lines()

    def block(self) -> dict[str, str]:
        """The fields of the next event; a comment is the field ""."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        raise EOFError

    def changes(self) -> tuple[int, list[tuple[str, Any]]]:
        """The revision and the changes of the next page."""
        while "data" not in (fields := self.block()):
            pass
        assert fields["event"] == "changes", fields
        page = json.loads(fields["data"])
        assert page["revision"] == int(fields["id"])
        return page["revision"], [(one["entry"]["key"], one["entry"].get("value")) for one in page["changes"]]


@contextlib.contextmanager
def watching(url: str, space: str, *, last_id: int | None = None, **parameters: Any) -> Iterator[Events]:
    headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
    with httpx.stream(
        "GET", f"{url}/v1/watch", params={"namespace": space, **parameters}, headers=headers, timeout=20
    ) as reply:
        if reply.status_code == 200:
            assert reply.headers["content-type"] == "text/event-stream"
        else:
            reply.read()
        yield Events(reply)
