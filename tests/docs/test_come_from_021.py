"""The page that brings memory along from SDK 0.2.1 works against a service of the first one's shape."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from house.tree import ROOT

from botwire import Memory
from docs import snippets

PAGE = ROOT / "docs" / "how-to" / "come-from-0.2.1.md"
# What SDK 0.2.1 put there for these values: text as it is, everything else as JSON text.
KEPT = {
    "name": "Marta",
    "likes": '["short answers", "tea"]',
    "address/home": '{"city": "Porto", "zip": "4000-001"}',
    "visits": "5",
    "note": "[not JSON",
    "naïve key?": "ça va",
}


class FirstService(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/")]
        reply: dict[str, object] | None = None
        if parts[:3] == ["", "memory", "customer-service"]:
            if len(parts) == 3:
                keys = [{"key": key, "bytes": len(value), "updated_at": 1.5e9} for key, value in KEPT.items()]
                reply = {"namespace": parts[2], "count": len(keys), "keys": keys}
            elif parts[3] in KEPT:
                reply = {"namespace": parts[2], "key": parts[3], "value": KEPT[parts[3]]}
        self.send_response(200 if reply else 404)
        self.end_headers()
        self.wfile.write(json.dumps(reply or {"detail": "not found"}).encode())

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Keep quiet."""


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), FirstService) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_namespace_of_the_first_service_comes_along(service: str, tmp_path: Path) -> None:
    script = tmp_path / "fetch_namespace.py"
    (block,) = (block for block in snippets.blocks(PAGE) if "by-itself" in block.marks)
    script.write_text(block.text, encoding="utf-8")
    command = [sys.executable, "-W", "error", str(script), service, "customer-service"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "6 keys" in result.stderr

    file = tmp_path / "customer-service.jsonl"
    file.write_text(result.stdout, encoding="utf-8")
    memory = Memory("customer-service")
    memory.import_(file)
    assert memory.get_many(memory.keys()) == {
        "name": "Marta",
        "likes": ["short answers", "tea"],
        "address/home": {"city": "Porto", "zip": "4000-001"},
        "visits": "5",
        "note": "[not JSON",
        "naïve key?": "ça va",
    }
