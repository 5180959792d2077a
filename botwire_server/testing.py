"""A server for tests: in this process, on a free loopback port, with whatever store and clock a test has."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from botwire_core.records import replace
from botwire_core.store import Store
from botwire_server.app import make_app
from botwire_server.config import ServerConfig
from botwire_server.running import open_socket, run_server

__all__ = ["served"]


@contextmanager
def served(store: Store, config: ServerConfig | None = None, *, log: BinaryIO | None = None) -> Iterator[str]:
    """The URL at which a store is served while the block runs; the store stays open and is the caller's.

    The server is the one that `botwire serve` runs, on an event loop in a thread of its own. Requests that are under
    way when the block ends are still answered.
    """
    config = replace(config or ServerConfig(), port=0)
    listening = open_socket(config.host, config.port)
    url = f"http://{config.host}:{listening.getsockname()[1]}"
    app = make_app(store, config, log=log)
    started = threading.Event()
    failed: list[BaseException] = []
    stopper: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        stopper.append((asyncio.get_running_loop(), stop))
        await run_server(app, listening, config, stop, started.set)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised again where the test can see it
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="botwire-served", daemon=True)
    thread.start()
    started.wait()
    try:
        if failed:
            raise failed[0]
        yield url
    finally:
        if not failed:
            loop, stop = stopper[0]
            loop.call_soon_threadsafe(stop.set)
        thread.join()
    if failed:
        raise failed[0]
