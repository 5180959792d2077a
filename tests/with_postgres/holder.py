"""A process that holds a transaction until it is told to go on."""

from __future__ import annotations

from multiprocessing.connection import Connection

from botwire_core.codec import encode
from botwire_core.errors import BotWireError
from botwire_core.protocol import Set
from botwire_postgres.url import open_url

__all__ = ["hold_a_transaction"]


def hold_a_transaction(connection: Connection, url: str, timeout: float) -> str:
    """Say when a write is under way, go on when told, and give the name of the error in which it ended."""
    store = open_url(url, timeout=timeout)
    try:
        with store.grouped(["space"]):
            store.run(Set("space", "key", encode(3)))
            connection.send("inside")
            connection.recv()
    except BotWireError as error:
        return type(error).__name__
    finally:
        store.close()
    return "done"
