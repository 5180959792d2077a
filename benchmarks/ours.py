"""BotWire as a contender, beside those of `peers.py` and `histories.py`.

A contender for embedded stores has `name`, `durability` (of a set), `is_async`, `open(folder)`, `load(pairs)`,
`set`, `get`, `list_prefix`, `close`; one for chat histories has `name`, `note`, `open(folder)`, `fill(messages)`,
`append(message)`, `read()`, `last(count)`, `close`. Every script takes more of them: `--contender module:Class`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from botwire import Memory

__all__ = ["NAMESPACE", "Botwire", "BotwireFull", "BotwireHistory", "BotwireHistoryFull"]

NAMESPACE = "agent-1"
_BATCH = 10_000


class Botwire:
    """`Memory` on a file that does not wait for the disk at each commit."""

    name = "botwire"
    durability = "WAL NORMAL"
    is_async = False
    options = "?durability=normal"

    def open(self, folder: str) -> None:
        self.memory = Memory(NAMESPACE, f"sqlite:///{folder}/memory.db{self.options}")

    def load(self, pairs: Iterable[tuple[str, Any]]) -> None:
        rest = iter(pairs)
        while batch := dict(islice(rest, _BATCH)):
            self.memory.set_many(batch)

    def set(self, key: str, value: Any) -> None:
        self.memory.set(key, value)

    def get(self, key: str) -> Any:
        return self.memory.get(key)

    def list_prefix(self, prefix: str) -> list[str]:
        return self.memory.list_keys(prefix)

    def close(self) -> None:
        self.memory.close()


class BotwireFull(Botwire):
    """`Memory` as it is without options: each commit is on the disk before it returns."""

    name = "botwire FULL"
    durability = "WAL FULL"
    options = ""


class BotwireHistory:
    """`BotWireChatHistory` on a file that does not wait for the disk at each commit."""

    name = "botwire"
    note = "WAL NORMAL"
    options = "?durability=normal"

    def open(self, folder: str) -> None:
        from botwire import BotWireChatHistory

        memory = Memory("langchain-sessions", f"sqlite:///{folder}/memory.db{self.options}")
        self.history = BotWireChatHistory("session-1", memory)

    def fill(self, messages: list[Any]) -> None:
        self.history.add_messages(messages)

    def append(self, message: Any) -> None:
        self.history.add_message(message)

    def read(self) -> list[Any]:
        return self.history.messages

    def last(self, count: int) -> list[Any]:
        return self.history.messages[-count:]

    def close(self) -> None:
        self.history.memory.close()


class BotwireHistoryFull(BotwireHistory):
    """`BotWireChatHistory` as it is without options."""

    name = "botwire FULL"
    note = "WAL FULL"
    options = ""
