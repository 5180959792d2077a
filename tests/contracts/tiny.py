"""The smallest store there can be: three primitives over a dictionary of dictionaries."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from botwire_core.clock import Clock
from botwire_core.stores.base import StoreBase
from botwire_core.stores.rows import Batch, Row, in_key_order


class TinyStore(StoreBase):
    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.spaces: dict[str, dict[str, Row]] = {}
        self.lock = threading.Lock()

    def read(self, namespace: str, key: str) -> Row | None:
        return self.spaces.get(namespace, {}).get(key)

    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> Iterable[Row]:
        with self.lock:
            rows = list(self.spaces.get(namespace, {}).values())
        return in_key_order(rows, prefix, after, reverse)

    def commit(self, batch: Batch) -> None:
        with self.lock:
            rows = self.spaces.get(batch.namespace, {})
            self.spaces[batch.namespace] = {**rows, **batch.applied_to(rows)}
