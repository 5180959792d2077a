"""Chat histories for LangChain, as contenders: see `ours.py` for what one has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from frameworks import RedisLoopback
from peers import ApswOrjson

__all__ = ["HISTORIES", "make_message"]

TEXT = (
    "please remember that the meeting moved to thursday and that Ana prefers a short written summary before it starts"
)


def make_message(number: int) -> Any:
    from langchain_core.messages import AIMessage, HumanMessage

    kind = HumanMessage if number % 2 else AIMessage
    return kind(content=f"{number}: {TEXT}", id=f"message-{number}")


class History:
    """Around one of LangChain's own classes, `self.history`."""

    name = "?"
    note = "?"
    longest = 10**9  # messages that it is measured with
    history: Any

    def open(self, folder: str) -> None:
        raise NotImplementedError

    def fill(self, messages: list[Any]) -> None:
        self.history.add_messages(messages)

    def append(self, message: Any) -> None:
        self.history.add_message(message)

    def read(self) -> list[Any]:
        return self.history.messages  # type: ignore[no-any-return]

    def last(self, count: int) -> list[Any]:
        return self.read()[-count:]

    def close(self) -> None:
        """Let go of files and processes."""


class RowEach(History):
    """The limit: a bare row for each message, and nothing else."""

    name = "row each, apsw"
    note = "WAL NORMAL"
    synchronous = "NORMAL"
    INSERT = (
        "INSERT INTO messages SELECT ?1, coalesce((SELECT number FROM messages WHERE session = ?1"
        " ORDER BY number DESC LIMIT 1), 0) + 1, ?2"
    )
    READ = "SELECT value FROM messages WHERE session = ? ORDER BY number"
    LAST = "SELECT value FROM messages WHERE session = ? ORDER BY number DESC LIMIT ?"

    def open(self, folder: str) -> None:
        from langchain_core.messages import message_to_dict, messages_from_dict

        self.to_record, self.from_records = message_to_dict, messages_from_dict
        self.connection, self.loads, self.dumps = ApswOrjson.connect(f"{folder}/messages.db")
        for pragma in ("journal_mode=WAL", f"synchronous={self.synchronous}"):
            self.connection.execute(f"PRAGMA {pragma}").fetchall()
        self.connection.execute(
            "CREATE TABLE messages (session TEXT, number INTEGER, value BLOB, PRIMARY KEY (session, number))"
            " WITHOUT ROWID"
        )

    def fill(self, messages: list[Any]) -> None:
        self.connection.execute("BEGIN")
        for message in messages:
            self.append(message)
        self.connection.execute("COMMIT")

    def append(self, message: Any) -> None:
        self.connection.execute(self.INSERT, ("session-1", self.dumps(self.to_record(message))))

    def read(self) -> list[Any]:
        rows = self.connection.execute(self.READ, ("session-1",))
        return self.from_records([self.loads(value) for (value,) in rows])

    def last(self, count: int) -> list[Any]:
        rows = self.connection.execute(self.LAST, ("session-1", count))
        return self.from_records([self.loads(value) for (value,) in rows][::-1])

    def close(self) -> None:
        self.connection.close()


class RowEachFull(RowEach):
    name = "row each, apsw FULL"
    note = "WAL FULL"
    synchronous = "FULL"


class CommunitySql(History):
    name = "SQLChatMessageHistory"
    note = "rollback journal FULL"

    def open(self, folder: str) -> None:
        from langchain_community.chat_message_histories import SQLChatMessageHistory

        self.history = SQLChatMessageHistory("session-1", connection=f"sqlite:///{folder}/messages.db")


class CommunityFile(History):
    """It writes the whole file at every message: a long one keeps the disk busy, which slows those that sync."""

    name = "FileChatMessageHistory"
    note = "no sync"
    longest = 1000

    def open(self, folder: str) -> None:
        from langchain_community.chat_message_histories import FileChatMessageHistory

        self.path = f"{folder}/messages.json"
        self.history = FileChatMessageHistory(self.path)

    def fill(self, messages: list[Any]) -> None:
        from langchain_core.messages import messages_to_dict

        Path(self.path).write_text(json.dumps(messages_to_dict(messages)), encoding="utf-8")


class CommunityRedis(History):
    name = "RedisChatMessageHistory"
    note = "AOF every second"

    def open(self, folder: str) -> None:
        from langchain_community.chat_message_histories import RedisChatMessageHistory

        self.server = RedisLoopback()
        self.server.open(folder)
        self.history = RedisChatMessageHistory("session-1", url=f"redis://127.0.0.1:{self.server.port}/0")

    def fill(self, messages: list[Any]) -> None:
        from langchain_core.messages import messages_to_dict

        pipeline = self.server.client.pipeline()
        for record in messages_to_dict(messages):
            pipeline.lpush(self.history.key, json.dumps(record))
        pipeline.execute()

    def close(self) -> None:
        self.server.close()


HISTORIES: list[type[History]] = [RowEach, RowEachFull, CommunitySql, CommunityFile, CommunityRedis]
