"""Parts of a key: any text becomes one part, and comes back from it.

Parts are joined by slashes, so slashes inside of them are written as `%2F`, percent signs as `%25`, and what no key
can hold, NUL and half surrogate pairs, likewise. All else stays as it is, and so readable.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["quoted", "short", "unquoted"]

_RESERVED = re.compile("[%/\0\ud800-\udfff]")
_ESCAPE = re.compile("%(25|2F|00|u[0-9A-F]{4})")


def quoted(text: str) -> str:
    """One part of a key for any text; no two texts have the same.

    >>> quoted("a/b"), quoted("100%")
    ('a%2Fb', '100%25')
    """
    return _RESERVED.sub(_escape, text) if _RESERVED.search(text) else text


def unquoted(part: str) -> str:
    """The text that `quoted` was given.

    >>> unquoted("a%2Fb")
    'a/b'
    """
    return _ESCAPE.sub(lambda match: chr(int(match[1].removeprefix("u"), 16)), part) if "%" in part else part


def short(text: str, most: int) -> str:
    """One part of a key of at most `most` bytes: longer text is told by its SHA-256, and does not come back.

    >>> short("thread-1", 200)
    'thread-1'
    >>> short("x" * 300, 200)[:12]
    '%=0d4e2ca9e9'
    """
    if text.isascii() and len(text) <= most and "/" not in text and "%" not in text and "\0" not in text:
        return text
    part = quoted(text)
    if len(part.encode()) <= most:
        return part
    # No escape starts with %=, so no other text has this part.
    return "%=" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"%{code:02X}" if code < 256 else f"%u{code:04X}"
