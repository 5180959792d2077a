"""`HttpStore`: the store that is a server's."""

from botwire_core.stores.http.store import HttpStore, open_url

__all__ = ["HttpStore", "open_url"]
