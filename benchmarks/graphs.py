"""Stores and checkpointers for LangGraph: ours, and those of langgraph-checkpoint-sqlite, at equal durability.

All wait for the disk at each commit. `SqliteStore` is shipped with a rollback journal, so it is here a second time in
WAL mode, as our store and both checkpointers are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from botwire import Memory

__all__ = ["SAVERS", "STORES", "make_item", "make_messages", "steps"]

THREAD = "support"


def make_item(number: int) -> dict[str, Any]:
    """What an agent remembers of somebody, of about 250 bytes."""
    return {
        "kind": "fact" if number % 10 else "rare",
        "score": number / 10_000,
        "user": f"u{number % 100}",
        "text": "the user prefers short answers and metric units; " * 2,
        "tags": ["user", "prefs"],
    }


def make_messages(count: int) -> list[Any]:
    """A conversation as LangChain's messages, of about 200 bytes each."""
    from langchain_core.messages import AIMessage, HumanMessage

    text = "remember that the meeting moved to thursday, and that units are metric; " * 2
    kinds = (HumanMessage, AIMessage)
    return [kinds[number % 2](f"message {number}: {text}", id=f"m{number}") for number in range(count)]


def steps(saver: Any, count: int, messages: list[Any], thread: str = THREAD) -> Iterator[dict[str, Any]]:
    """Arguments of `put` for the steps of a thread, one message more at each."""
    from langgraph.checkpoint.base.id import uuid6

    parent: str | None = None
    version: Any = None
    for number in range(count):
        version = saver.get_next_version(version, None)
        checkpoint = {
            "v": 4,
            "id": str(uuid6(clock_seq=number)),
            "ts": "2026-11-23T00:00:00+00:00",
            "channel_values": {"messages": messages[: number + 1], "branch:to:model": None},
            "channel_versions": {"messages": version, "branch:to:model": version},
            "versions_seen": {"__input__": {}, "model": {"branch:to:model": version}},
            "updated_channels": ["branch:to:model", "messages"],
        }
        configurable = {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": parent}
        yield {
            "config": {"configurable": configurable},
            "checkpoint": checkpoint,
            "metadata": {"source": "loop", "step": number, "parents": {}},
            "new_versions": {"messages": version, "branch:to:model": version},
        }
        parent = checkpoint["id"]


class BotwireStore:
    name = "BotWireStore"

    def open(self, folder: str) -> Any:
        from botwire_langgraph.store import BotWireStore

        self.memory = Memory("graphs", f"sqlite:///{folder}/memory.db")
        return BotWireStore(self.memory)

    def close(self) -> None:
        self.memory.close()


class SqliteStore:
    name = "SqliteStore"
    pragmas: tuple[str, ...] = ()

    def open(self, folder: str) -> Any:
        from langgraph.store.sqlite import SqliteStore as Store

        self.connection = sqlite3.connect(f"{folder}/store.db", check_same_thread=False, isolation_level=None)
        for pragma in ("synchronous=FULL", *self.pragmas):
            self.connection.execute(f"PRAGMA {pragma}")
        store = Store(self.connection)
        store.setup()
        return store

    def close(self) -> None:
        self.connection.close()


class SqliteStoreInWal(SqliteStore):
    name = "SqliteStore in WAL"
    pragmas = ("journal_mode=WAL",)


class BotwireSaver(BotwireStore):
    name = "BotWireSaver"

    def open(self, folder: str) -> Any:
        from botwire_langgraph.saver import BotWireSaver

        super().open(folder)
        return BotWireSaver(self.memory)

    def bytes(self) -> int:
        return self.memory.stats().bytes


class SqliteSaver(SqliteStore):
    name = "SqliteSaver"

    def open(self, folder: str) -> Any:
        from langgraph.checkpoint.sqlite import SqliteSaver as Saver

        self.connection = sqlite3.connect(f"{folder}/checkpoints.db", check_same_thread=False)
        saver = Saver(self.connection)
        saver.setup()
        self.connection.execute("PRAGMA synchronous=FULL")
        return saver

    def bytes(self) -> int:
        sql = "SELECT sum(length(checkpoint) + length(metadata)) FROM checkpoints"
        return int(self.connection.execute(sql).fetchone()[0])


STORES = [BotwireStore, SqliteStore, SqliteStoreInWal]
SAVERS = [BotwireSaver, SqliteSaver]
