"""`Memory`: what users type."""

from __future__ import annotations

from botwire_core.memory_entries import EntryMethods
from botwire_core.memory_history import HistoryMethods
from botwire_core.memory_streams import StreamMethods
from botwire_core.memory_updates import UpdateMethods
from botwire_core.memory_whole import WholeMethods

__all__ = ["Memory"]


class Memory(EntryMethods, UpdateMethods, WholeMethods, StreamMethods, HistoryMethods):
    """A memory that lasts: keys and JSON values in a namespace of a store.

    Making one does no I/O and never fails for an absent file or server. One object serves threads and event loops:
    each method has an async twin, `a` and its name. It is true also when it is empty, and copies of it are handles
    on the same memory.

    Args:
        namespace: Name of an isolated space: 1 to 243 of `A-Z a-z 0-9 . _ - : @ ~ +`, not starting with a dot.
        url: Where it is kept: `sqlite:///relative.db`, `sqlite:////absolute.db`, `https://host` for a server,
            `memory:` for this process only, or what a plugin opens. Defaults to `BOTWIRE_URL`, else to a file in the
            user's data folder.
        timeout: Seconds to wait for a store that is busy or far away; None is the store's own choice.
        base_url: Another name for `url`.
        token: What a server asks for; defaults to `BOTWIRE_TOKEN`.
        author: Who is named as the writer of entries.
        store: A ready store, in place of `url`.

    Raises:
        InvalidNamespaceError: `namespace` breaks a rule.

    >>> memory = Memory("demo", "memory:doctest")
    >>> memory.set("likes", ["tea"])
    1
    >>> memory.get("likes")
    ['tea']
    """

    __slots__ = ()
