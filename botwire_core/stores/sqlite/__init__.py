"""`SqliteStore`: the embedded store, one SQLite file that many processes share."""

from botwire_core.stores.sqlite.health import StoreHealth
from botwire_core.stores.sqlite.store import SqliteStore
from botwire_core.stores.sqlite.url import open_url

__all__ = ["SqliteStore", "StoreHealth", "open_url"]
