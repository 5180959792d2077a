"""HTTP around the offline API: requests in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

__all__ = ["Answer", "Refusal", "handler_of"]

Answer: TypeAlias = Callable[[str, str, dict[str, str], Any], Any]
"""Answers a method, a path, a query and a body with JSON."""


class Refusal(Exception):
    """An answer with another status than 200."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def handler_of(answer: Answer) -> type[BaseHTTPRequestHandler]:
    """Make the handler of a server that gives these answers."""

    class Handler(_Handler):
        give_answer = staticmethod(answer)

    return Handler


class _Handler(BaseHTTPRequestHandler):
    give_answer: Answer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is its own."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        status = 200
        try:
            body = json.loads(data) if data else None
            answer = self.give_answer(self.command, url.path.removeprefix("/v5"), query, body)
        except Refusal as error:
            status, answer = error.status, {"detail": str(error)}
        except (KeyError, StopIteration) as error:
            status, answer = 404, {"detail": f"there is no {error}"}
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
