"""`BotWireStore`: LangGraph's long-term memory, in a memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
)

from botwire_core.adapters import as_memory
from botwire_core.building import OpBuilder
from botwire_core.errors import ConflictError, InvalidValueError, UnsupportedError
from botwire_core.flows import Flow, arun_flow, ask, run_flow
from botwire_core.memory import Memory
from botwire_core.paging import all_keys
from botwire_core.protocol import Check, Delete, Expire, GetEntry, Search, Set, Transact
from botwire_core.results import Entry
from botwire_langgraph.filters import conditions
from botwire_langgraph.item_keys import item_key, namespace_prefix, place_of
from botwire_langgraph.namespaces import listed, literal_prefix

__all__ = ["BotWireStore"]


class BotWireStore(BaseStore):
    """A `BaseStore` for `graph.compile(store=...)` and `create_agent(store=...)`, of sync and of async graphs alike.

    An item is one entry of the memory, its value as it is: `("users", "ada")` and `"theme"` are the key
    `store/users/ada/theme`, which `Memory.get`, the command line and every fork see. Items that have expired are never
    returned. Making one does no I/O.

    Args:
        memory: A `Memory`, or the name of a namespace; `langgraph` where it is left out.
        index: Refused: there is no search by meaning yet. `search(query=...)` finds words.
        ttl: LangGraph's `TTLConfig`: `default_ttl` in minutes, and `refresh_on_read`, which is true where it is left
            out. What it says of sweeping and of expired items is not needed.

    Raises:
        UnsupportedError: `index` is given.
        InvalidNamespaceError: the name of the namespace breaks a rule.

    >>> store = BotWireStore(Memory("doctest", "memory:doctest"))
    >>> store.put(("users", "ada"), "likes", {"drink": "tea"})
    >>> store.get(("users", "ada"), "likes").value
    {'drink': 'tea'}
    >>> store.memory.get("store/users/ada/likes")
    {'drink': 'tea'}
    """

    supports_ttl = True

    def __init__(
        self, memory: Memory | str | None = None, *, index: Any = None, ttl: TTLConfig | None = None
    ) -> None:
        if index is not None:
            raise UnsupportedError(
                "BotWireStore has no index of vectors yet", hint="leave index out: search(query=...) finds words"
            )
        self.memory = as_memory(memory, "langgraph")
        self.ttl_config = ttl

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run ops, give their results in order; all writes are one transaction, and reads see what was before it.

        Raises:
            InvalidNamespaceError: a label of a namespace is empty, no text, or holds a period or NUL.
            InvalidKeyError: a namespace and key together are longer than 1,024 bytes.
            InvalidValueError: a value is no JSON object, a filter makes no sense, or a TTL is not above 0.
        """
        return run_flow(self.memory.store, self._batch(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Async twin of `batch`."""
        return await arun_flow(self.memory.store, self._batch(ops))

    def get(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """Give an item, None where there is none; its TTL starts anew unless `refresh_ttl` or the config say no.

        Raises:
            InvalidNamespaceError: a label of the namespace is empty, no text, or holds a period or NUL.
        """
        # The base class makes a batch of one, which takes as long as the look into the memory.
        memory = self.memory
        key = str(key)
        entry = memory.store.run(GetEntry(memory.namespace, item_key(namespace, key), memory.as_of))
        if entry is None or type(entry.value) is not dict:
            return None
        if entry.expires_at is not None and self._refreshes(refresh_ttl):
            run_flow(memory.store, _refreshed(memory, [entry]))
        return _item(entry, tuple(namespace), key)

    async def aget(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """Async twin of `get`."""
        memory = self.memory
        key = str(key)
        entry = await memory.store.arun(GetEntry(memory.namespace, item_key(namespace, key), memory.as_of))
        if entry is None or type(entry.value) is not dict:
            return None
        if entry.expires_at is not None and self._refreshes(refresh_ttl):
            await arun_flow(memory.store, _refreshed(memory, [entry]))
        return _item(entry, tuple(namespace), key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.memory!r})"

    def _refreshes(self, refresh_ttl: bool | None) -> bool:
        if refresh_ttl is not None:
            return refresh_ttl
        return True if self.ttl_config is None else self.ttl_config.get("refresh_on_read", True)

    def _batch(self, ops: Iterable[Op]) -> Flow[list[Result]]:
        memory, ops = self.memory, list(ops)
        writes: dict[str, Set | Delete] = {}
        for op in ops:
            if isinstance(op, PutOp):
                writes[item_key(op.namespace, op.key)] = _write(memory, op)
        results: list[Result] = []
        read: dict[str, Entry] = {}
        for op in ops:
            match op:
                case GetOp():
                    entry = yield from ask(GetEntry(memory.namespace, item_key(op.namespace, op.key), memory.as_of))
                    found = [] if entry is None else _items_of([entry])
                    results.append(_item(found[0], tuple(op.namespace), op.key) if found else None)
                    refreshes = op.refresh_ttl
                case SearchOp():
                    found = _items_of((yield from ask(_search(memory, op))))
                    results.append([_search_item(entry) for entry in found])
                    refreshes = op.refresh_ttl
                case ListNamespacesOp():
                    prefix = literal_prefix(op.match_conditions or ())
                    keys = yield from all_keys(memory.namespace, prefix, None, None, memory.as_of)
                    results.append(listed(keys, op))
                    continue
                case PutOp():
                    results.append(None)
                    continue
                case _:
                    raise InvalidValueError(f"{type(op).__name__} is no op of a store")
            if refreshes:
                read |= {entry.key: entry for entry in found if entry.key not in writes}
        if refreshed := [entry for entry in read.values() if entry.expires_at is not None]:
            yield from _refreshed(memory, refreshed)
        if len(writes) > 1:
            yield from ask(Transact(memory.namespace, tuple(writes.values())))
        else:
            for write in writes.values():
                yield from ask(write)
        return results


def _write(memory: Memory, op: PutOp) -> Set | Delete:
    ops = OpBuilder(memory.namespace, memory.author, memory.as_of)
    key = item_key(op.namespace, op.key)
    if op.value is None:
        return ops.delete(key)
    if not isinstance(op.value, Mapping):
        raise InvalidValueError(
            f"the value of an item is an object, not {type(op.value).__name__}", hint='wrap it: {"value": ...}'
        )
    return ops.set(key, dict(op.value), None if op.ttl is None else _seconds(op.ttl))


def _seconds(minutes: Any) -> float:
    if type(minutes) not in (int, float) or not minutes > 0:
        raise InvalidValueError(
            f"ttl: {ascii(minutes)[:40]} is not a number of minutes above 0", hint="use None for no expiry"
        )
    return float(minutes * 60)


def _search(memory: Memory, op: SearchOp) -> Search:
    prefix = namespace_prefix(op.namespace_prefix)
    words = op.query or None
    return Search(
        memory.namespace, prefix, conditions(op.filter), words, op.limit, op.offset, memory.as_of
    )


def _refreshed(memory: Memory, entries: Sequence[Entry]) -> Flow[None]:
    """Let entries live as long again as they were given at their last write, where nobody wrote them since."""
    if memory.as_of is not None:
        return
    pairs = []
    for entry in entries:
        assert entry.expires_at is not None
        seconds = (entry.expires_at - entry.updated_at).total_seconds()
        if seconds > 0:
            check = Check(memory.namespace, entry.key, entry.version)
            pairs.append((check, Expire(memory.namespace, entry.key, seconds, memory.author)))
    if not pairs:
        return
    try:
        yield from ask(Transact(memory.namespace, tuple(step for pair in pairs for step in pair)))
    except ConflictError:
        # One of them was written meanwhile, and lives as long as was said there; the others are still to be seen to.
        for pair in pairs if len(pairs) > 1 else []:
            try:
                yield from ask(Transact(memory.namespace, pair))
            except ConflictError:
                continue


def _items_of(entries: Iterable[Entry]) -> list[Entry]:
    """Those entries that are items: what somebody set there with `Memory` may be any JSON."""
    return [entry for entry in entries if type(entry.value) is dict]


def _item(entry: Entry, namespace: tuple[str, ...], key: str) -> Item:
    return Item(
        value=entry.value, key=key, namespace=namespace, created_at=entry.created_at, updated_at=entry.updated_at
    )


def _search_item(entry: Entry) -> SearchItem:
    namespace, key = place_of(entry.key)
    return SearchItem(namespace, key, entry.value, entry.created_at, entry.updated_at)
