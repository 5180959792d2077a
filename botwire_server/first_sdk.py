"""What SDK 0.2.1 means by the text that it puts: lists and objects, which it knew to write as JSON text only.

Its service kept text and nothing else, so it made text of lists and objects as it wrote them, and lists and objects
of such text as it read them. Here they are kept as what they are: every client then reads the value, `search` finds
it, and SDK 0.2.1 gets it back as JSON, which it takes as it comes.
"""

from __future__ import annotations

import json
from typing import Any

from botwire_core.codec import Value, encode
from botwire_server.requests import Headers

__all__ = ["value_meant"]


def value_meant(headers: Headers, members: dict[str, Any], value: Value) -> Value:
    """The value that the body of a PUT stands for, where it can come from SDK 0.2.1; else `value` as it is.

    Nothing names that SDK, so four things must meet: the library by which it sends, no key against repeats (which
    every client of ours sends), no other member than the value, and text that is to the letter what `json.dumps`
    makes of a list or an object. A number or truth value was written as text that a user may have meant as text, and
    that SDK read it as text: it stays text.
    """
    if (
        not isinstance(value, str)
        or value[:1] not in ("[", "{")
        or len(members) != 1
        or b"idempotency-key" in headers
        or not headers.get(b"user-agent", b"").startswith(b"python-httpx/")
    ):
        return value
    try:
        meant = json.loads(value)
        if json.dumps(meant) != value:
            return value
        encode(meant)
    except (ValueError, RecursionError):
        return value  # NaN, which it wrote and no store of ours keeps, or nested too deep
    return meant
