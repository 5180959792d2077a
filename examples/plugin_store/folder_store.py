"""Memory in JSON files that people can read: `folder:notes` has one for each namespace. `StoreBase` does the rest."""

import fcntl
import json
from pathlib import Path

from botwire_core.clock import Clock
from botwire_core.hookspecs import StoreSpec, hookimpl
from botwire_core.stores.base import StoreBase
from botwire_core.stores.rows import Batch, Row, in_key_order


class FolderStore(StoreBase):  # noqa: D101  # what it does is said above
    def __init__(self, url: str, *, clock: Clock | None = None, **ignored: object) -> None:
        super().__init__(clock=clock)
        self.folder = Path(url.removeprefix("folder:"))

    def read(self, namespace: str, key: str) -> Row | None:
        return next((row for row in self.scan(namespace, key, None, False) if row.key == key), None)

    def scan(self, namespace: str, prefix: str, after: str | None, reverse: bool) -> list[Row]:
        file = self.folder / f"{namespace}.json"
        rows = map(Row.from_json, json.loads(file.read_text("utf-8")) if file.exists() else [])
        return list(in_key_order(rows, prefix, after, reverse))

    def commit(self, batch: Batch) -> None:
        file = self.folder / f"{batch.namespace}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # other threads and processes wait
            rows = {row.key: row for row in self.scan(batch.namespace, "", None, False)}
            draft = file.with_suffix(".draft")
            draft.write_text(json.dumps([row.to_json() for row in (rows | batch.applied_to(rows)).values()]), "utf-8")
            draft.replace(file)  # a reader sees the old file or the new one


@hookimpl
def botwire_stores() -> list[StoreSpec]:
    return [StoreSpec("folder", opens="folder_store:FolderStore")]
