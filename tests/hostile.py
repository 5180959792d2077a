"""Data that somebody may have planted in a store, and an audit of what reading it sets off."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botwire_core.testing.chat_history import LC_PAYLOADS

__all__ = ["BYTES", "GADGETS", "HOSTILE_TEXTS", "SECRET", "audited", "plain"]

SECRET = "sk-not-to-be-seen"
"""What the tests put into BOTWIRE_TESTING_SECRET, which some of the payloads name."""

GADGETS: list[Any] = [
    *LC_PAYLOADS,
    {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain_core", "prompts", "PromptTemplate"],
        "kwargs": {"template": "x"},
    },
    {"__reduce__": ["os.system", ["true"]]},
    {"py/object": "subprocess.Popen", "args": ["true"]},
    {"!!python/object/apply:os.system": ["true"]},
    {"__class__": "colorsys.Missing", "__init__": "x", "__dict__": {"content": "y"}, "__pydantic_extra__": {"a": 1}},
    {"$ref": "file:///etc/passwd"},
    "${BOTWIRE_TESTING_SECRET}",
    "{{ self.__init__.__globals__ }}",
    "__import__('os').system('true')",
]
BYTES = [b"cos\nsystem\n(S'true'\ntR.", b"\x80\x04\x95\x1d\x00\x00\x00", b"\xc7\x03\x05abc"]
"""A pickle that calls, one that is cut off, and a msgpack extension type."""

_FRAGMENTS = (
    "'", '"', "`", "\\", "%", "_", "*", "?", "[a]", ";", "--", "/*", "$", "{", "..", "\n", "\u0130", "\uffff",
)  # fmt: skip
_ATTACKS = (
    "' OR '1'='1", "'; DROP TABLE versions; --", '" OR 1=1 --', "x' UNION SELECT sql FROM sqlite_master --",
    "$.a') OR 1=1 --", "a'||(SELECT 1)||'", "%' ESCAPE '\\", "1); ATTACH DATABASE 'x' AS y; --", "$where", "__proto__",
)  # fmt: skip
HOSTILE_TEXTS = [
    *_FRAGMENTS,
    *_ATTACKS,
    *(f"{fragment}{attack}{fragment}" for fragment in _FRAGMENTS for attack in _ATTACKS),
]
"""208 texts that would do harm in SQL, in LIKE or GLOB patterns, or in paths, if they ever became a part of one."""

WATCHED = {
    "import",
    "exec",
    "compile",
    "os.system",
    "os.exec",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
}

_seen: dict[int, list[tuple[str, str]]] = {}


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in WATCHED and (found := _seen.get(threading.get_ident())) is not None:
        found.append((event, str(args[:1])))


sys.addaudithook(_hook)  # for good: a hook cannot be taken away


@contextmanager
def audited() -> Iterator[list[tuple[str, str]]]:
    """Collects what this thread imports, executes or connects to."""
    found: list[tuple[str, str]] = []
    _seen[threading.get_ident()] = found
    try:
        yield found
    finally:
        del _seen[threading.get_ident()]


def plain(value: object) -> bool:
    """Whether a value is made of what JSON has, and of nothing else."""
    if isinstance(value, dict):
        return all(plain(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return all(plain(one) for one in value)
    return value is None or type(value) in (str, int, float, bool)
