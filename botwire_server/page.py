"""The page at /docs: the description of the wire as plain HTML. No script, and nothing from any other host."""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

__all__ = ["STYLE", "page_of"]

STYLE: Final = b"""\
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: 0.75rem; overflow-x: auto; border-radius: 6px; }
details { border: 1px solid var(--line); border-radius: 6px; margin: 0.5rem 0; padding: 0.5rem 0.75rem; }
summary { cursor: pointer; } summary b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 0.25rem 0.75rem 0.25rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; }
"""

_METHODS: Final = ("get", "head", "put", "post", "delete")


def page_of(described: dict[str, Any]) -> bytes:
    """The page of an OpenAPI description."""
    info = described["info"]
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(info['title'])}</title>",
        '<link rel="stylesheet" href="/docs/style.css">',
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        f"<p>{escape(info.get('description', ''))}</p>",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a>.</p>',
        "<h2>Routes</h2>",
    ]
    for path, operations in described["paths"].items():
        parts += [_operation(path, method, operations[method]) for method in _METHODS if method in operations]
    parts.append("<h2>Schemas</h2>")
    for name, schema in described.get("components", {}).get("schemas", {}).items():
        parts.append(
            f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>{_json(schema)}</details>"
        )
    parts.append("</html>")
    return "\n".join(parts).encode()


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    summary = escape(operation.get("summary", ""))
    rows = "".join(
        f"<tr><td><code>{escape(one.get('name', ''))}</code><td>{escape(one.get('in', ''))}"
        f"<td>{escape(one.get('description', ''))}"
        for one in operation.get("parameters", ())
    )
    table = f"<table><tr><th>parameter<th>in<th>{rows}</table>" if rows else ""
    body = operation.get("requestBody")
    replies = "".join(
        f"<tr><td>{escape(str(status))}<td>{escape(reply.get('description', ''))}"
        for status, reply in operation.get("responses", {}).items()
    )
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {summary}</summary>"
        f"<p>{escape(operation.get('description', ''))}</p>{table}"
        f"{'<p>Body</p>' + _json(body) if body else ''}"
        f"<table><tr><th>status<th>{replies}</table></details>"
    )


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=1))}</pre>"
