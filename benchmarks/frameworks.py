"""More of what BotWire is measured beside: the stores of frameworks, and a server on this machine; see `peers.py`."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import closing
from typing import Any

from ours import NAMESPACE
from peers import Contender, Pairs

__all__ = ["FRAMEWORKS", "RedisLoopback"]


class LangGraphSqlite(Contender):
    name = "LangGraph SqliteStore"
    durability = "rollback journal FULL"
    pragmas: tuple[str, ...] = ()

    def open(self, folder: str) -> None:
        import sqlite3

        from langgraph.store.base import PutOp
        from langgraph.store.sqlite import SqliteStore

        self.put_op = PutOp
        self.connection = sqlite3.connect(f"{folder}/store.db", check_same_thread=False, isolation_level=None)
        for pragma in self.pragmas:
            self.connection.execute(f"PRAGMA {pragma}")
        self.store = SqliteStore(self.connection)
        self.store.setup()
        self.namespace = (NAMESPACE,)

    def load(self, pairs: Pairs) -> None:
        everything = [self.put_op(self.namespace, key, value) for key, value in pairs]
        for start in range(0, len(everything), 5000):
            self.store.batch(everything[start : start + 5000])

    def set(self, key: str, value: Any) -> None:
        self.store.put(self.namespace, key, value)

    def get(self, key: str) -> Any:
        found = self.store.get(self.namespace, key)
        return None if found is None else found.value

    def close(self) -> None:
        self.store.stop_ttl_sweeper()
        self.connection.close()


class LangGraphSqliteWal(LangGraphSqlite):
    """Put into WAL mode by us, which is not how it is shipped."""

    name = "LangGraph SqliteStore in WAL"
    durability = "WAL NORMAL"
    pragmas = ("journal_mode=WAL", "synchronous=NORMAL", "mmap_size=268435456", "cache_size=-65536")


class KeyValueDisk(Contender):
    name = "py-key-value DiskStore"
    durability = "WAL NORMAL"
    is_async = True
    store: Any

    def open(self, folder: str) -> None:
        from key_value.aio.stores.disk import DiskStore

        self.store = DiskStore(directory=f"{folder}/disk")

    async def load(self, pairs: Pairs) -> None:
        for key, value in pairs:
            await self.set(key, value)

    async def set(self, key: str, value: Any) -> None:
        await self.store.put(key, value, collection=NAMESPACE)

    async def get(self, key: str) -> Any:
        return await self.store.get(key, collection=NAMESPACE)


class KeyValueRocks(KeyValueDisk):
    name = "py-key-value RocksDBStore"
    durability = "log, no sync"

    def open(self, folder: str) -> None:
        from key_value.aio.stores.rocksdb import RocksDBStore

        self.store = RocksDBStore(path=f"{folder}/rocks")


class RedisLoopback(Contender):
    """A `redis-server` of our own, on a free port of this machine."""

    name = "redis on loopback"
    durability = "AOF every second"

    def open(self, folder: str) -> None:
        import orjson
        import redis

        server = shutil.which("redis-server")
        if server is None:
            raise NotImplementedError
        self.loads, self.dumps = orjson.loads, orjson.dumps
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [server, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "everysec"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=self.port)
        stop = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
                break
            except redis.exceptions.ConnectionError:
                if time.monotonic() > stop:
                    raise
                time.sleep(0.05)

    def load(self, pairs: Pairs) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for number, (key, value) in enumerate(pairs):
            pipeline.set(f"{NAMESPACE}:{key}", self.dumps(value))
            if number % 2000 == 1999:
                pipeline.execute()
        pipeline.execute()

    def set(self, key: str, value: Any) -> None:
        self.client.set(f"{NAMESPACE}:{key}", self.dumps(value))

    def get(self, key: str) -> Any:
        found = self.client.get(f"{NAMESPACE}:{key}")
        return None if found is None else self.loads(found)

    def list_prefix(self, prefix: str) -> list[str]:
        return [key.decode() for key in self.client.scan_iter(f"{NAMESPACE}:{prefix}*", count=10_000)]

    def close(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait()


FRAMEWORKS: list[type[Contender]] = [LangGraphSqlite, LangGraphSqliteWal, KeyValueDisk, KeyValueRocks, RedisLoopback]
