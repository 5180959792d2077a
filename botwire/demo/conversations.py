"""Conversations as files: one JSON file each, read in the order in which they took place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast

from botwire_core.errors import InvalidValueError

__all__ = ["Conversation", "Turn", "load_conversation", "load_folder", "shipped_folder"]

Role = Literal["customer", "agent"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """One visit of one customer; `id` is the name of its file without the suffix."""

    id: str
    customer: str
    name: str
    date: date
    channel: str
    turns: tuple[Turn, ...]


def shipped_folder() -> Path:
    """The folder with the conversations that come with BotWire.

    Raises:
        InvalidValueError: it is not where an installation or a checkout has it.
    """
    package = Path(__file__).parent
    # A wheel carries the folder inside the package; a checkout, and so an editable install, beside it.
    for folder in (package / "conversations", package.parent.parent / "examples" / "conversations"):
        if folder.is_dir():
            return folder
    raise InvalidValueError(
        f"{package / 'conversations'}: the conversations of the demo are not there",
        hint="install botwire again, or name a folder of your own with --conversations",
    )


def load_folder(folder: Path) -> list[Conversation]:
    """Every conversation of a folder (`*.json`), oldest first; those of one day in order of their names.

    Raises:
        InvalidValueError: there is none, or a file is not a conversation; the message names it.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise InvalidValueError(
            f"{folder}: there are no conversations here", hint="name a folder of *.json files, one conversation each"
        )
    return sorted(map(load_conversation, files), key=lambda conversation: (conversation.date, conversation.id))


def load_conversation(path: Path) -> Conversation:
    """The conversation in a file.

    Raises:
        InvalidValueError: it is not a JSON object with `customer`, `name`, `date`, `channel` and `turns`.
    """
    try:
        members: Any = json.loads(path.read_text(encoding="utf-8"))
        return Conversation(
            id=path.stem,
            customer=_text(members, "customer"),
            name=_text(members, "name"),
            date=date.fromisoformat(_text(members, "date")),
            channel=_text(members, "channel"),
            turns=tuple(Turn(_role(turn), _text(turn, "text")) for turn in members["turns"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidValueError(
            f"{path}: not a conversation: {error!r}",
            hint="it takes customer, name, date (YYYY-MM-DD), channel, and turns with role and text",
        ) from error


def _text(members: dict[str, Any], name: str) -> str:
    text = members[name]
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name} is not text")
    return text


def _role(turn: dict[str, Any]) -> Role:
    role = _text(turn, "role")
    if role not in ("customer", "agent"):
        raise ValueError(f"role {role!r} is neither customer nor agent")
    return cast(Role, role)
