"""Text that is safe for a terminal.

Memory holds what strangers typed. A value that carries terminal control sequences must not reach the terminal as
such, so everything that is no printable character is shown as an escape, in JSON too, where it still is JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botwire_core.codec import Value

__all__ = ["json_text", "short", "time_text", "value_text", "visible"]

_SUSPECT = re.compile(r"[^ -~]")
_SUSPECT_BUT_NEWLINE = re.compile(r"[^ -~\n]")
_LONGEST_CELL = 72


def visible(text: str) -> str:
    r"""The text with every character that does not print as an escape, such as `\x1b`.

    >>> visible("caf\u00e9\x1b[31m\n")
    'café\\x1b[31m\\n'
    """
    return text if text.isprintable() else _SUSPECT.sub(lambda match: _escaped(match[0], ascii), text)


def json_text(value: Any, *, indent: int | None = 2) -> str:
    r"""A value as JSON, readable, with every character that does not print as a JSON escape.

    >>> json_text("café\x9b31m")
    '"café\\u009b31m"'
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Line breaks that are left stand between members: json escapes those inside of strings.
    return _SUSPECT_BUT_NEWLINE.sub(lambda match: _escaped(match[0], json.dumps), text)


def value_text(value: Value, *, indent: int | None = None) -> str:
    """A stored value in a line; bytes by their number."""
    return f"<{len(value):,} bytes>" if isinstance(value, bytes) else json_text(value, indent=indent)


def short(text: str) -> str:
    """The text, cut where it is too long for the cell of a table."""
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 3] + "..."


def time_text(moment: datetime | None) -> str:
    """A time in the zone of this machine, to the second; empty for None."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _escaped(character: str, quoted: Callable[[str], str]) -> str:
    return character if character.isprintable() else quoted(character)[1:-1]
