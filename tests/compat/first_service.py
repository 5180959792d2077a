"""A server that speaks what the first BotWire service spoke: four routes, text values, nothing under /v1.

It is written from the description of that service and not from its code, which was never published.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

__all__ = ["MOST_KEYS", "MOST_VALUE_BYTES", "FirstService", "first_service"]

MOST_KEYS: Final = 1000
MOST_VALUE_BYTES: Final = 100 * 1024
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)


class FirstService:
    """What is kept, and what was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.kept: dict[str, dict[str, tuple[str, float]]] = {}
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request, in order."""
        self.tokens: list[str | None] = []
        """The Authorization header of every request."""
        self.lists_objects = True
        """Whether a list has an object for each key, or its name alone."""
        self.drops_answers = False
        """Whether it does what it is asked, and breaks the line before it says so."""
        self.knows_post = True
        """Whether POST is a method to it; else it answers 501, as the server of the standard library does."""
        self._lock = threading.Lock()
        self._clock = 1.7e9

    def put(self, namespace: str, key: str, text: str) -> float:
        with self._lock:
            self._clock += 1.0
            self.kept.setdefault(namespace, {})[key] = text, self._clock
            return self._clock

    def text(self, namespace: str, key: str) -> str | None:
        with self._lock:
            return self.kept.get(namespace, {}).get(key, (None, 0.0))[0]

    def remove(self, namespace: str, key: str) -> bool:
        with self._lock:
            return self.kept.get(namespace, {}).pop(key, None) is not None

    def newest(self, namespace: str) -> list[dict[str, Any]]:
        with self._lock:
            kept = self.kept.get(namespace, {})
            order = sorted(kept, key=lambda key: kept[key][1], reverse=True)
            return [
                {"key": key, "bytes": len(kept[key][0].encode()), "updated_at": kept[key][1]}
                for key in order[:MOST_KEYS]
            ]

    def note(self, method: str, path: str, token: str | None) -> None:
        with self._lock:
            self.requests.append((method, path))
            self.tokens.append(token)


@contextmanager
def first_service() -> Iterator[FirstService]:
    """A service of its own on a free port of this machine, empty at first."""
    service = FirstService()
    handler = type("Handler", (_Handler,), {"service": service})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


class _Refused(Exception):
    def __init__(self, status: int, detail: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class _Handler(BaseHTTPRequestHandler):
    service: FirstService
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    do_PUT = do_DELETE = do_GET

    def do_POST(self) -> None:
        if self.service.knows_post:
            self._answer()
        else:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_error(501, "Unsupported method ('POST')")

    def _answer(self) -> None:
        self.service.note(self.command, self.path, self.headers.get("Authorization"))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, reply = 200, self._reply(body)
        except _Refused as refusal:
            status, reply = refusal.status, {"detail": refusal.detail}
        if self.service.drops_answers:
            self.close_connection = True
            return
        data = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reply(self, body: bytes) -> dict[str, Any]:
        # As the frameworks of that time did, it splits the path after decoding it: a slash in a key is another route.
        parts = unquote(urlsplit(self.path).path).split("/")
        if parts[:2] != ["", "memory"] or len(parts) not in (3, 4):
            raise _Refused(404, "Not Found")
        if self.command not in (("GET",) if len(parts) == 3 else ("GET", "PUT", "DELETE")):
            raise _Refused(405, "Method Not Allowed")
        namespace = parts[2]
        if not _NAMESPACE.fullmatch(namespace):
            raise _Refused(400, "invalid namespace")
        if len(parts) == 3:
            keys = self.service.newest(namespace)
            listed = keys if self.service.lists_objects else [one["key"] for one in keys]
            return {"namespace": namespace, "count": len(keys), "keys": listed}
        return self._reply_for_key(namespace, parts[3], body)

    def _reply_for_key(self, namespace: str, key: str, body: bytes) -> dict[str, Any]:
        if not _KEY.fullmatch(key):
            raise _Refused(400, "invalid key")
        if self.command == "PUT":
            text = _text_in(body)
            if len(text.encode()) > MOST_VALUE_BYTES:
                raise _Refused(400, "value exceeds 100KB")
            return {"namespace": namespace, "key": key, "updated_at": self.service.put(namespace, key, text)}
        if self.command == "DELETE":
            if not self.service.remove(namespace, key):
                raise _Refused(404, "key not found")
            return {"namespace": namespace, "key": key, "deleted": True}
        kept = self.service.text(namespace, key)
        if kept is None:
            raise _Refused(404, "key not found")
        return {"namespace": namespace, "key": key, "value": kept}

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Keep quiet."""


def _text_in(body: bytes) -> str:
    try:
        members = json.loads(body)
    except ValueError:
        raise _Refused(422, [{"loc": ["body"], "msg": "JSON decode error", "type": "json_invalid"}]) from None
    if not isinstance(members, dict) or not isinstance(members.get("value"), str):
        raise _Refused(422, [{"loc": ["body", "value"], "msg": "Input should be text", "type": "string_type"}])
    return str(members["value"])
