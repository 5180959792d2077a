"""`BotWireFlowPersistence`: the state of CrewAI's flows, and what waits for a human, in a memory."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Self

from crewai.flow.async_feedback.types import PendingFeedbackContext
from crewai.flow.persistence.base import FlowPersistence
from crewai.flow.persistence.factory import set_flow_persistence_factory
from pydantic import BaseModel, Field, PrivateAttr

from botwire_core.adapters import as_memory, url_of
from botwire_core.arguments import check_ttl
from botwire_core.codec import Value
from botwire_core.errors import InvalidKeyError, InvalidValueError
from botwire_core.memory import Memory
from botwire_core.quoting import short
from botwire_core.records import record
from botwire_crewai.states import json_state, plain

__all__ = ["BotWireFlowPersistence", "SavedState", "install"]

DEFAULT_NAMESPACE: Final = "crewai-flows"
_LONGEST: Final = 900  # bytes of a key that the id of a flow may take


@record
class SavedState:
    """A state of a flow, as it was once saved."""

    version: int
    """For `restore_state`; higher is newer."""
    method: str
    """The method of the flow after which it was saved."""
    state: dict[str, Any]
    saved_at: datetime
    """In UTC."""


class BotWireFlowPersistence(FlowPersistence):
    """Keeps the state of flows in a memory: `@persist(BotWireFlowPersistence())`, or once for all by `install()`.

    Each save is one write at the key `flows/<id>/state`, acknowledged when it is on the disk, and its older versions
    are the history, of which the memory keeps the newest 64 (`Memory.set_retention` changes that). What waits for a
    human stands beside it. Values that JSON does not have are kept as `botwire_crewai.states.plain` says. Making one
    does no I/O.

    The dump of one, by which CrewAI restores it in a checkpoint, names the namespace and the URL and holds no token.

    Args:
        memory: A `Memory`, or the name of a namespace; in its place `namespace` and `url` can be given.
        namespace: `crewai-flows` where it is left out.
        url: The store; the usual one where it is left out.
        ttl: Seconds after its last save until a flow is forgotten; None keeps it.

    Raises:
        InvalidNamespaceError: the name of the namespace breaks a rule.
        InvalidValueError: `ttl` is not a number of seconds above 0.

    >>> flows = BotWireFlowPersistence(Memory("doctest", "memory:doctest"))
    >>> flows.save_state("order-7", "ask", {"id": "order-7", "cups": 2})
    >>> flows.save_state("order-7", "pay", {"id": "order-7", "cups": 2, "paid": True})
    >>> flows.load_state("order-7")
    {'id': 'order-7', 'cups': 2, 'paid': True}
    >>> [(saved.version, saved.method) for saved in flows.states("order-7")]
    [(2, 'pay'), (1, 'ask')]
    """

    persistence_type: str = "BotWireFlowPersistence"
    namespace: str = Field(DEFAULT_NAMESPACE, frozen=True)
    url: str | None = Field(None, frozen=True)
    ttl: float | None = Field(None, frozen=True)
    _memory: Memory = PrivateAttr()

    def __init__(self, memory: Memory | str | None = None, /, **fields: Any) -> None:
        if memory is None:
            memory = Memory(fields.get("namespace", DEFAULT_NAMESPACE), fields.get("url"))
        opened = as_memory(memory, DEFAULT_NAMESPACE)
        super().__init__(**fields | {"namespace": opened.namespace, "url": url_of(opened)})
        check_ttl(self.ttl)
        self._memory = opened

    @property
    def memory(self) -> Memory:
        """The memory that the states are in."""
        return self._memory

    def init_db(self) -> None:
        """Do nothing: a memory is there when it is first written to."""

    def save_state(self, flow_uuid: str, method_name: str, state_data: dict[str, Any] | BaseModel) -> None:
        """Keep the state of a flow after one of its methods; it is on the disk when this returns.

        Raises:
            InvalidKeyError: the id of the flow is no text.
            InvalidValueError: the state is neither a dict nor a model, or nested too deeply.
            TooLargeError: it takes more than 16 MiB.
        """
        self._memory.set(_key(flow_uuid, "state"), _saved(method_name, state_data), ttl=self.ttl)

    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        """Give the newest state of a flow, or None where there is none.

        Raises:
            InvalidKeyError: the id of the flow is no text.
            InvalidValueError: somebody else wrote to its key.
        """
        key = _key(flow_uuid, "state")
        value = self._memory.get(key)
        return None if value is None else _member(key, value, "state")

    def save_pending_feedback(
        self, flow_uuid: str, context: PendingFeedbackContext, state_data: dict[str, Any] | BaseModel
    ) -> None:
        """Keep the state of a flow and what it waits for, both or neither.

        Raises:
            InvalidKeyError: the id of the flow is no text.
            InvalidValueError: the state is neither a dict nor a model, or nested too deeply.
            TooLargeError: it takes more than 16 MiB.
        """
        saved = _saved(context.method_name, state_data)
        waiting = {"context": plain(context.to_dict()), "state": saved["state"]}
        with self._memory.transaction() as tx:
            tx.set(_key(flow_uuid, "state"), saved, ttl=self.ttl)
            tx.set(_key(flow_uuid, "feedback"), waiting, ttl=self.ttl)

    def load_pending_feedback(self, flow_uuid: str) -> tuple[dict[str, Any], PendingFeedbackContext] | None:
        """Give the state of a flow and what it waits for, or None where it waits for nothing.

        Raises:
            InvalidKeyError: the id of the flow is no text.
            InvalidValueError: somebody else wrote to its key.
        """
        key = _key(flow_uuid, "feedback")
        value = self._memory.get(key)
        if value is None:
            return None
        return _member(key, value, "state"), PendingFeedbackContext.from_dict(_member(key, value, "context"))

    def clear_pending_feedback(self, flow_uuid: str) -> None:
        """Forget what a flow waited for; its state stays."""
        self._memory.delete(_key(flow_uuid, "feedback"))

    def states(self, flow_uuid: str, *, limit: int | None = None) -> list[SavedState]:
        """Give the states of a flow that are kept, newest first, at most `limit`.

        Raises:
            UnsupportedError: the store keeps no past.
        """
        key = _key(flow_uuid, "state")
        return [
            SavedState(entry.version, str(entry.value["method"]), _member(key, entry.value, "state"), entry.updated_at)
            for entry in self._memory.history(key, limit=limit)
            if not entry.deleted
        ]

    def restore_state(self, flow_uuid: str, version: int) -> None:
        """Make an older state of a flow its newest, so that the next kickoff with its id goes on from there.

        What waited for a human then is not restored.

        Raises:
            RevisionPrunedError: that version is no longer kept.
        """
        self._memory.restore(_key(flow_uuid, "state"), version)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.model_copy()  # a handle on the same memory


def install(memory: Memory | str | None = None, *, ttl: float | None = None) -> BotWireFlowPersistence:
    """Let all flows of this process that name no store of their own keep their state in a memory, and give that store.

    Call it at the start, before the classes of the flows are defined: `@persist` looks for the store there.
    `set_flow_persistence_factory(None)` of CrewAI undoes it.

    Args:
        memory: A `Memory`, or the name of a namespace; `crewai-flows` where it is left out.
        ttl: Seconds after its last save until a flow is forgotten; None keeps it.
    """
    persistence = BotWireFlowPersistence(as_memory(memory, DEFAULT_NAMESPACE), ttl=ttl)
    set_flow_persistence_factory(lambda: persistence)
    return persistence


def _key(flow_uuid: object, part: str) -> str:
    if not isinstance(flow_uuid, str):
        raise InvalidKeyError(
            f"the id of a flow is text, not {type(flow_uuid).__name__}", hint="convert it with str() first"
        )
    return f"flows/{short(flow_uuid, _LONGEST)}/{part}"


def _saved(method_name: str, state_data: dict[str, Any] | BaseModel) -> dict[str, Value]:
    return {"method": str(method_name), "state": json_state(state_data)}


def _member(key: str, value: Value, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise InvalidValueError(
            f"what stands at {key!r} is no state of a flow", hint="something else writes to this namespace"
        )
    return found
