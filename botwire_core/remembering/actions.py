"""What the tools of an agent do with a memory, in both colours, and what they answer to the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from botwire_core.arguments import check_ttl
from botwire_core.building import OpBuilder
from botwire_core.errors import (
    BotWireError,
    ConflictError,
    ForbiddenError,
    InvalidKeyError,
    InvalidValueError,
    QuotaExceededError,
    StoreReadOnlyError,
)
from botwire_core.flows import Flow, arun_flow, ask, run_flow
from botwire_core.memory import Memory
from botwire_core.names import check_key, check_prefix
from botwire_core.paging import all_keys
from botwire_core.protocol import GetEntry
from botwire_core.records import record
from botwire_core.remembering.arguments import Forget, ListMemory, Recall, Remember
from botwire_core.remembering.showing import MAX_BYTES, MAX_ITEMS, as_text, check_bound, entry_shown, keys_shown

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Action", "Answer", "memory_actions", "what_is_wrong"]

Shown: TypeAlias = dict[str, Any]
"""The members of an answer."""

# What a model can do something about; a store that is down or damaged is for the program to see.
_FOR_THE_MODEL: Final[tuple[type[BotWireError], ...]] = (
    ConflictError,
    ForbiddenError,
    InvalidKeyError,
    InvalidValueError,
    QuotaExceededError,
    StoreReadOnlyError,
)
_SIMILAR: Final = 10


@record
class Answer:
    """What a model is answered."""

    text: str
    """JSON on one line; with the members `error` and `hint` where the model made a mistake that it can correct."""
    mistake: BotWireError | None = None
    """Why it is an error; None where it is none."""


@record
class Action:
    """One thing that a model can do with a memory: the tool's name, what the model is told of it, and how it is done.

    What the model can do something about is an answer; other errors of a store are raised as they are.
    """

    name: str
    arguments: type[BaseModel]
    """What it takes, as a pydantic model; `description` is its docstring."""
    flow: Callable[..., Flow[Shown]]

    @property
    def description(self) -> str:
        """What the model is told of the tool."""
        return self.arguments.__doc__ or ""

    def run(self, memory: Memory, *arguments: str, **named: str) -> Answer:
        """Do it on a memory; the arguments are those of the model `arguments`, in its order or by name."""
        try:
            return Answer(as_text(run_flow(memory.store, self.flow(memory, *arguments, **named))))
        except _FOR_THE_MODEL as error:
            return _refused(error)

    async def arun(self, memory: Memory, *arguments: str, **named: str) -> Answer:
        """Async twin of `run`."""
        try:
            return Answer(as_text(await arun_flow(memory.store, self.flow(memory, *arguments, **named))))
        except _FOR_THE_MODEL as error:
            return _refused(error)


def memory_actions(
    *, forget: bool = False, ttl: float | None = None, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES
) -> list[Action]:
    """Give `remember`, `recall` and `list_memory`, and `forget` where it is asked for.

    Args:
        forget: Whether the model may delete.
        ttl: Seconds until what is remembered is gone; None keeps it.
        max_items: How many keys an answer lists at most.
        max_bytes: How many bytes of a value or of keys an answer shows at most; more is cut, and marked.

    Raises:
        InvalidValueError: `ttl`, `max_items` or `max_bytes` is not a number above 0.
    """
    limits = _Limits(check_ttl(ttl), check_bound(max_items, "max_items"), check_bound(max_bytes, "max_bytes"))
    actions = [
        Action("remember", Remember, limits.remember),
        Action("recall", Recall, limits.recall),
        Action("list_memory", ListMemory, limits.list_memory),
    ]
    if forget:
        actions.append(Action("forget", Forget, limits.forget))
    return actions


def what_is_wrong(problems: Iterable[Mapping[str, Any]]) -> str:
    """Tell a model, as JSON text, what is wrong with its arguments: `error.errors()` of a pydantic error.

    >>> what_is_wrong([{"loc": ("key",), "msg": "Field required"}])
    '{"error": "key: Field required", "hint": "call it again with these arguments corrected"}'
    """
    texts = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems]
    return as_text({"error": "; ".join(texts), "hint": "call it again with these arguments corrected"})


@record
class _Limits:
    """The actions as flows, with how long is remembered and how much is shown."""

    ttl: float | None
    max_items: int
    max_bytes: int

    def remember(self, memory: Memory, key: str, value: str) -> Flow[Shown]:
        version = yield from ask(_ops(memory).set(key, value, self.ttl))
        return {"remembered": key, "version": version}

    def recall(self, memory: Memory, key: str) -> Flow[Shown]:
        entry = yield from ask(GetEntry(memory.namespace, check_key(key), memory.as_of))
        if entry is not None:
            return {"found": True, **entry_shown(entry, self.max_bytes)}
        similar = yield from all_keys(memory.namespace, _group(key), None, _SIMILAR, memory.as_of)
        return {
            "found": False,
            "key": key,
            "similar": keys_shown(similar, _SIMILAR, self.max_bytes)["keys"],
            "hint": "nothing is remembered under this key; list_memory shows which keys there are",
        }

    def list_memory(self, memory: Memory, prefix: str = "", after: str = "") -> Flow[Shown]:
        check_prefix(prefix)
        above = check_prefix(after) or None
        keys = yield from all_keys(memory.namespace, prefix, above, self.max_items + 1, memory.as_of)
        return keys_shown(keys, self.max_items, self.max_bytes)

    def forget(self, memory: Memory, key: str) -> Flow[Shown]:
        return {"key": key, "forgotten": (yield from ask(_ops(memory).delete(key)))}


def _refused(error: BotWireError) -> Answer:
    return Answer(as_text({"error": error.message, "hint": error.hint}), error)


def _ops(memory: Memory) -> OpBuilder:
    return OpBuilder(memory.namespace, memory.author, memory.as_of)


def _group(key: str) -> str:
    """What the keys of the same group start with: up to the first slash or colon; nothing where there is none."""
    match = re.match(r"[^/:]+[/:]", key)
    return match[0] if match else ""
