"""Names in paths: percent-decoded once, strictly, from the path as it was sent.

Servers and libraries "clean" a path before they hand it over: they decode it, drop `.` and `..`, and join slashes.
A key may hold all of these, so what is looked at here is the raw path and nothing else.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from botwire_core.errors import InvalidKeyError, InvalidNamespaceError

__all__ = ["MEMORY", "split_memory_path"]

MEMORY: Final = b"/memory/"

_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def split_memory_path(path: bytes) -> tuple[str, str | None]:
    """The namespace and the key that a path under `/memory/` names; None where it names the namespace alone.

    The key is everything after the namespace's slash, so a slash of it may be written as it is, or as `%2F`.

    Raises:
        InvalidNamespaceError, InvalidKeyError: the name is not UTF-8 in percent-encoding.

    >>> split_memory_path(b"/memory/team/notes/2024%2Fmay/")
    ('team', 'notes/2024/may/')
    """
    if b"%" not in path and path.isascii():  # most are plain, and every read comes by here
        plain, slashed, key = path[8:].decode().partition("/")
        return plain, key if slashed else None
    raw_namespace, slash, raw_key = path[8:].partition(b"/")
    try:
        namespace = (unquote_to_bytes(raw_namespace) if b"%" in raw_namespace else raw_namespace).decode()
    except UnicodeDecodeError as error:
        raise InvalidNamespaceError("the namespace in the path is not UTF-8") from error
    if not slash:
        return namespace, None
    if b"%" in raw_key:
        if _ESCAPE.search(raw_key):
            raise InvalidKeyError("the key in the path has a % that begins no escape", hint="write % itself as %25")
        raw_key = unquote_to_bytes(raw_key)
    try:
        return namespace, raw_key.decode()
    except UnicodeDecodeError as error:
        raise InvalidKeyError("the key in the path is not UTF-8", hint="percent-encode the bytes of UTF-8") from error
