"""`save_team` and `load_team`: a team, or an agent, goes on tomorrow where it stopped today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from pydantic_core import to_jsonable_python

from botwire_core.adapters import as_memory
from botwire_core.codec import encode
from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory
from botwire_core.quoting import short

__all__ = ["HasState", "load_team", "save_team"]

_DEFAULT_NAMESPACE: Final = "autogen-teams"
_MAX_PART: Final = 500


class HasState(Protocol):
    """A team, an agent, or whatever else of AutoGen has a state."""

    async def save_state(self) -> Mapping[str, Any]:
        """Give the state, as data."""
        ...

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        ...


async def save_team(
    team: HasState, memory: Memory | str | None = None, *, name: str = "default", if_version: int | None = None
) -> int:
    """Keep the state of a team, or of an agent, and give its version; save when it does not run.

    All of the state is one value, so that it is never half of one and half of another run; earlier states are in
    `memory.history("teams/NAME")`. A value holds at most 16 MiB.

    Args:
        team: The team, as `RoundRobinGroupChat` or any other with `save_state`.
        memory: A `Memory`, or the name of a namespace; `autogen-teams` where it is left out.
        name: Under which name it is kept, any text that is not empty.
        if_version: Only where this version is the current one, 0 for none; for teams that run in several places.

    Raises:
        ConflictError: another version is the current one.
        InvalidValueError: the state has no JSON form, or the name is empty or no text.
        TooLargeError: the state is larger than a value may be.
    """
    opened, key = as_memory(memory, _DEFAULT_NAMESPACE), _key(name)
    return await opened.aset(key, _plain(await team.save_state()), if_version=if_version)


async def load_team(team: HasState, memory: Memory | str | None = None, *, name: str = "default") -> bool:
    """Give a team, or an agent, the state that was saved, and tell whether there was one.

    The team is made as always, with the same names of agents; a state holds what happened, never code.

    Args:
        team: The team, not running.
        memory: A `Memory`, or the name of a namespace; `autogen-teams` where it is left out.
        name: Under which name it was saved.

    Raises:
        InvalidValueError: what is stored is no state, or the name is empty or no text.
        ValueError: raised by AutoGen where the state is that of another team.
    """
    opened, key = as_memory(memory, _DEFAULT_NAMESPACE), _key(name)
    entry = await opened.aentry(key)
    if entry is None:
        return False
    if not isinstance(entry.value, dict):
        raise InvalidValueError(f"what stands at {key!r} is no state", hint="pass the name that a team was saved under")
    await team.load_state(entry.value)
    return True


def _key(name: str) -> str:
    if not isinstance(name, str) or not name:
        raise InvalidValueError(f"name: {ascii(name)[:80]} names no team", hint="pass text that is not empty")
    return f"teams/{short(name, _MAX_PART)}"


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state as JSON; what JSON lacks as text: dates in ISO 8601, bytes in base64."""
    plain = dict(state)
    try:
        encode(plain)
        return plain
    except InvalidValueError:
        pass
    try:
        made: dict[str, Any] = to_jsonable_python(plain, bytes_mode="base64", inf_nan_mode="constants")
    except ValueError as error:
        raise InvalidValueError(
            "a part of the state has no JSON form", hint="let save_state of your own agents give plain data"
        ) from error
    return made
