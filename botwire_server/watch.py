"""`GET /v1/watch`: changes as server-sent events, each a page of whole revisions.

However many watch a namespace, one task asks the store whether it has changed, and watchers that are at the same place
share one page. A page is made when its reader is ready for it, so a slow reader holds one page and no more, and one
that takes none for a while is cut off: it comes back with `Last-Event-ID` and has missed nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from botwire_core.errors import BotWireError
from botwire_core.protocol import ListChanges, Op, Resolve
from botwire_core.store import Store
from botwire_core.watching import LONGEST_WAIT
from botwire_core.wire.results import result_to_json
from botwire_core.wire.text import dump
from botwire_server.config import ServerConfig
from botwire_server.refusals import RefusedError

__all__ = ["Watcher", "Watchers"]

_CHANGES_PER_PAGE: Final = 200
_MOST_PAGES: Final = 16
"""Pages that are kept of a namespace for the next who asks: those who watch the same are woken together."""

_Page = tuple[int, bytes]


class Watchers:
    """Everybody who watches, by namespace; it belongs to one event loop."""

    def __init__(self, store: Store, config: ServerConfig) -> None:
        self._store = store
        self._config = config
        self._spaces: dict[str, _Space] = {}
        self.stopping = False

    def __len__(self) -> int:
        return sum(len(space.watchers) for space in self._spaces.values())

    def join(self, namespace: str, prefix: str) -> Watcher:
        """A new watcher of a namespace, to be closed by whoever asked for it.

        Raises:
            RefusedError: there are too many.
        """
        if self.stopping or len(self) >= self._config.watchers:
            raise RefusedError(503, "overloaded", "there are too many watchers", hint="come back later", retryable=True)
        space = self._spaces.get(namespace)
        if space is None:
            space = self._spaces[namespace] = _Space(self._store, namespace)
        watcher = Watcher(space, prefix, self._leave)
        space.watchers.add(watcher)
        return watcher

    def touched(self, ops: Iterable[Op[Any]]) -> None:
        """Let those who watch what the ops have just written look at once."""
        if self._spaces:
            for op in ops:
                for name in (getattr(op, "namespace", ""), getattr(op, "name", "")):
                    if name in self._spaces:
                        self._spaces[name].look_now.set()

    def stop(self) -> None:
        """Send everybody away."""
        self.stopping = True
        for space in self._spaces.values():
            space.wake()

    def _leave(self, watcher: Watcher) -> None:
        space = watcher.space
        space.watchers.discard(watcher)
        if not space.watchers and self._spaces.get(space.namespace) is space:
            del self._spaces[space.namespace]
            space.close()


class _Space:
    """A namespace that is watched: the revision it is at, and the pages that its watchers share until the next."""

    def __init__(self, store: Store, namespace: str) -> None:
        self.store = store
        self.namespace = namespace
        self.watchers: set[Watcher] = set()
        self.look_now = asyncio.Event()
        self.revision = -1
        self._pages: dict[tuple[int, str], asyncio.Task[_Page]] = {}
        self._task = asyncio.get_running_loop().create_task(self._poll())

    def wake(self) -> None:
        for watcher in self.watchers:
            watcher.woken.set()

    def close(self) -> None:
        self._task.cancel()

    async def page(self, since: int, prefix: str) -> _Page:
        """The revision up to which a page tells everything, and the page as JSON; empty where it has no change."""
        task = self._pages.get((since, prefix))
        if task is None:
            task = self._pages[since, prefix] = asyncio.get_running_loop().create_task(self._read(since, prefix))
            if len(self._pages) > _MOST_PAGES:
                del self._pages[next(iter(self._pages))]  # the oldest; whoever waits for it has it all the same
        try:
            return await asyncio.shield(task)
        except BotWireError:
            if self._pages.get((since, prefix)) is task:
                del self._pages[since, prefix]  # perhaps it passes
            raise

    async def _read(self, since: int, prefix: str) -> _Page:
        op = ListChanges(self.namespace, since, prefix, _CHANGES_PER_PAGE)
        page = await self.store.arun(op)
        return page.revision, dump(result_to_json(op, page)) if page.changes else b""

    async def _poll(self) -> None:
        while True:
            self.look_now.clear()  # before the look, so that a write in the middle of it is not missed
            try:
                revision = await self.store.arun(Resolve(self.namespace))
            except BotWireError:
                revision = -1  # each watcher meets the error itself, and tells it
            if revision != self.revision:
                self.revision = revision
                self._pages.clear()
                self.wake()
            try:
                async with asyncio.timeout(LONGEST_WAIT):
                    await self.look_now.wait()
            except TimeoutError:
                pass  # somebody else may have written, from another process


class Watcher:
    """One who watches: `woken` is set when there may be something new, or when it is time to go."""

    def __init__(self, space: _Space, prefix: str, leave: Any) -> None:
        self.space = space
        self.woken = asyncio.Event()
        self._prefix = prefix
        self._leave = leave

    async def page_after(self, revision: int) -> _Page:
        """The next page after a revision; the same revision and nothing where there is none yet.

        Raises:
            RevisionPrunedError: deletes after it are no longer kept.
        """
        return await self.space.page(revision, self._prefix)

    async def wait(self, seconds: float) -> bool:
        """Wait until something may be new, at most some seconds; tell whether it was less."""
        try:
            async with asyncio.timeout(seconds):
                await self.woken.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Watch no more."""
        self._leave(self)
