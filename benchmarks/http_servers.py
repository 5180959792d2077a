"""The servers that `bench_http.py` puts side by side, each a process of its own.

    python benchmarks/http_servers.py "bare ASGI" 8001 /tmp/folder

All of them keep the same 1,000 values of 200 bytes in a SQLite file, and sync each commit (FULL).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import make_value

KEYS = [f"user{number:05d}:fact" for number in range(1000)]
SPACE = "agent-1"
TABLE = "CREATE TABLE IF NOT EXISTS entries (space TEXT, key TEXT, value BLOB, updated REAL, PRIMARY KEY (space, key))"
SELECT = "SELECT value FROM entries WHERE space = ? AND key = ?"
UPSERT = (
    "INSERT INTO entries VALUES (?, ?, ?, ?) "
    "ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, updated = excluded.updated"
)


def ours(port: int, folder: Path, *, log: bool = False) -> None:
    """`botwire serve`, without its command line."""
    from botwire_core.codec import encode
    from botwire_core.protocol import SetMany
    from botwire_core.stores.sqlite import SqliteStore
    from botwire_server.config import ServerConfig
    from botwire_server.running import serve

    path = folder / "ours.db"
    store = SqliteStore(path)
    store.run(SetMany(SPACE, tuple((key, encode(make_value(200, number))) for number, key in enumerate(KEYS))))
    store.close()
    sink = Path(os.devnull).open("wb") if log else None  # noqa: SIM115 - until the process ends
    serve(f"sqlite:///{path}", ServerConfig(port=port, log_requests=log), say=lambda text: None, log=sink)


def ours_with_log(port: int, folder: Path) -> None:
    """The same with the line for each request that it writes by default."""
    ours(port, folder, log=True)


def bare(port: int, folder: Path) -> None:
    """The least that an ASGI application can do: one point get with apsw; a commit for each PUT, on the event loop."""
    import apsw
    import orjson
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    connection = apsw.Connection(str(folder / "bare.db"))
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "mmap_size=268435456", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute(TABLE)
    with connection:
        connection.executemany(
            UPSERT, ((SPACE, key, orjson.dumps(make_value(200, n)), 0.0) for n, key in enumerate(KEYS))
        )

    async def app(scope: Any, receive: Any, send: Any) -> None:
        _, _, space, key = scope["path"].split("/")
        if scope["method"] == "GET":
            row = connection.execute(SELECT, (space, key)).get
            status, body = (200, row) if row is not None else (404, b"{}")
        else:
            message = await receive()
            value = orjson.dumps(orjson.loads(message["body"])["value"])
            connection.execute(UPSERT, (space, key, value, time.time()))
            status, body = 200, b'{"stored":true}'
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def main() -> None:
        server = Server(
            app, port=port, interface=Interfaces.ASGINL, http=HTTPModes.http1, websockets=False, log_enabled=False,
            backlog=2048, backpressure=4096,
        )  # fmt: skip
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()

    with asyncio.Runner(loop_factory=_loop()) as runner:
        runner.run(main())


def _loop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def first_service(port: int, folder: Path) -> None:
    """A service of the first one's shape, as it starts by default: FastAPI, four `def` routes, a table, FULL."""
    import json

    import uvicorn
    from fastapi import FastAPI, HTTPException

    local = threading.local()

    def connection() -> sqlite3.Connection:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(folder / "first.db", timeout=30)
            local.connection.execute("PRAGMA journal_mode=WAL")
            local.connection.execute("PRAGMA synchronous=FULL")
        opened: sqlite3.Connection = local.connection
        return opened

    with connection() as first:
        first.execute(TABLE)
        first.executemany(
            UPSERT, ((SPACE, key, json.dumps(make_value(200, n)), time.time()) for n, key in enumerate(KEYS))
        )

    app = FastAPI()

    @app.get("/memory/{space}/{key}")
    def get(space: str, key: str) -> dict[str, Any]:
        row = connection().execute(SELECT, (space, key)).fetchone()
        if row is None:
            raise HTTPException(404, "not found")
        return {"namespace": space, "key": key, "value": row[0]}

    @app.put("/memory/{space}/{key}")
    def put(space: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        value = body["value"] if isinstance(body["value"], str) else json.dumps(body["value"])
        with connection() as current:
            current.execute(UPSERT, (space, key, value, time.time()))
        return {"namespace": space, "key": key, "value": value}

    @app.delete("/memory/{space}/{key}")
    def delete(space: str, key: str) -> dict[str, Any]:
        with connection() as current:
            found = current.execute("DELETE FROM entries WHERE space = ? AND key = ?", (space, key)).rowcount
        if not found:
            raise HTTPException(404, "not found")
        return {"deleted": True}

    @app.get("/memory/{space}")
    def keys(space: str) -> dict[str, Any]:
        newest = "SELECT key FROM entries WHERE space = ? ORDER BY updated DESC LIMIT 1000"
        return {"namespace": space, "keys": [key for (key,) in connection().execute(newest, (space,))]}

    uvicorn.run(app, port=port)


SERVERS: dict[str, Callable[[int, Path], None]] = {
    "botwire serve": ours,
    "botwire serve, with its log": ours_with_log,
    "bare ASGI": bare,
    "FastAPI and sqlite3": first_service,
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))
