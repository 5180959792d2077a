"""One story of a store, from its first open on: every kind of write, the same bytes whenever it is told.

A crash test tells it up to a crash, and then holds what the file shows against the states that the story has.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias, cast

from botwire_core.memory import Memory
from botwire_core.protocol import ListNamespaces
from botwire_core.results import Retention
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.stores.sqlite.connections import Durability

__all__ = ["State", "Step", "open_store", "state_of", "story"]

NOW = 1_800_000_000.0

Step: TypeAlias = tuple[str, Callable[[SqliteStore], object]]
"""What is done, and doing it: one op of one store."""
State: TypeAlias = dict[str, bytes]
"""All that can be seen of a store: of each namespace its past, its forks and its snapshots, as lines."""


def open_store(path: str | Path, durability: str = "full") -> SqliteStore:
    """A store whose clocks stand still; `durability` may be "off" too, which no user can ask for."""
    return SqliteStore(path, durability=cast(Durability, durability), clock=lambda: NOW, monotonic=lambda: 0.0)


def state_of(store: SqliteStore) -> State:
    """Read everything, which also looks at every checksum."""
    state = {}
    for space in store.run(ListNamespaces()):
        memory, lines = Memory(space.name, store=store), io.BytesIO()
        memory.export(lines, full=True)
        state[space.name] = lines.getvalue() + repr(memory.retention()).encode()
    return state


def story(chapters: int = 1) -> list[Step]:
    """The steps in order; each changes what can be seen."""
    return [("retention", _keep_two), *(step for number in range(chapters) for step in _chapter(number))]


def _chapter(number: int) -> Iterator[Step]:
    variant, copy = f"variant-{number}", f"copy-{number}"
    yield "prune", lambda store: _base(store).set("plan", [number, "gold" * 200])
    yield "prune", lambda store: _base(store).set("plan", [number, "silver" * 200])
    yield "prune", lambda store: _base(store).set("plan", number)  # beyond the two versions that are kept
    yield "append", lambda store: _base(store).append("chat", {"n": number}, {"n": number, "text": "hello " * 50})
    yield "set_many", lambda store: _base(store).set_many({f"{number}/{i:02}": "x" * 40 * i for i in range(20)})
    yield "fork", lambda store: _base(store).fork(variant)
    yield "transaction", lambda store: _transaction(Memory(variant, store=store), number)
    yield "append", lambda store: Memory(variant, store=store).append("chat", f"from {variant}")
    yield "prune", lambda store: _base(store).set("plan", {"of": number})
    yield "snapshot", lambda store: _base(store).snapshot(f"before-{number}")
    yield "merge", lambda store: _base(store).merge(variant, strategy="theirs")
    yield "increment", lambda store: _base(store).increment("count")
    yield "import", lambda store: _base(store).import_(_records(number))
    yield "delete", lambda store: _base(store).delete(f"{number}/01")
    yield "full import", lambda store: Memory(copy, store=store).import_(_family(copy))
    yield "purge", lambda store: _base(store).purge(f"{number}/")
    yield "close", _close_and_write
    yield "drop", lambda store: Memory(copy, store=store).drop()
    yield "clear", lambda store: _base(store).clear("imported/")


def _base(store: SqliteStore) -> Memory:
    return Memory("base", store=store, author="teller")


def _keep_two(store: SqliteStore) -> None:
    _base(store).set_retention(Retention(versions=2))


def _transaction(memory: Memory, number: int) -> None:
    with memory.transaction() as together:
        together.set("plan", f"of {number}")
        together.delete(f"{number}/00")
        together.set(f"variant/{number}", "y" * 2000)


def _close_and_write(store: SqliteStore) -> None:
    store.close()
    _base(store).increment("openings")


def _records(number: int) -> io.BytesIO:
    return io.BytesIO(b"".join(b'{"key":"imported/%d","value":"%d%s"}\n' % (i, number, b"z" * 100) for i in range(60)))


def _family(name: str) -> io.BytesIO:
    """A full export, made elsewhere."""
    elsewhere = DictStore(clock=lambda: NOW)
    memory, lines = Memory(name, store=elsewhere), io.BytesIO()
    for version in range(3):
        memory.set("a", version)
    memory.snapshot("kept")
    memory.fork(f"{name}-fork").set_many({f"b{i}": "w" * 300 for i in range(20)})
    memory.export(lines, full=True)
    lines.seek(0)
    return lines
