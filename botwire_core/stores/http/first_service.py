"""The ops that a server of the first BotWire's shape can run, as requests to its four routes.

That service keeps text at `/memory/{namespace}/{key}`: put, get, delete, and a list of a namespace's newest keys.
What can be built of these without promising more than they give is built here; every other op is refused by the name
of what is missing, and never approximated. A key or namespace outside that service's grammar is refused, and never
encoded into another one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from botwire_core import protocol as p
from botwire_core.arguments import check_limit
from botwire_core.codec import Value
from botwire_core.errors import TooLargeError, UnsupportedError
from botwire_core.names import check_log, check_prefix
from botwire_core.stores.http.exchanges import Ask, Exchange
from botwire_core.stores.http.first_values import text_of, value_of
from botwire_core.stores.http.first_wire import (
    check_done,
    is_absent,
    is_possible_prefix,
    path_of,
    reply_of,
    stranger,
    without,
)

__all__ = ["exchange"]

R = TypeVar("R")

_LISTED: Final = 1000
_LEAST_LIMIT: Final = 100_000  # bytes; the service says 100 KB, and counts them in a way of its own


def exchange(op: p.Op[R]) -> Exchange[R]:
    """The requests that an op takes, which gives the op's result in the end.

    Raises:
        UnsupportedError: the service has nothing for it; the message names the feature.
        InvalidKeyError: the key is outside of the service's grammar.
        InvalidNamespaceError: the namespace is outside of it.
        TooLargeError: the value is over the service's limit.
    """
    runner = _RUNNERS.get(type(op))
    if runner is None:
        raise without(_MISSING_FEATURES.get(type(op), "such requests"))
    if getattr(op, "at", None) is not None:
        raise without("past to look at")
    if getattr(op, "author", None) is not None:
        raise without("authors of entries")
    return runner(op)


def _get(op: p.Get) -> Exchange[Value | p.Missing]:
    answer = yield Ask("GET", path_of(op.namespace, op.key))
    if is_absent(answer):
        return p.MISSING
    members = reply_of(answer)
    if "value" not in members:
        raise stranger()
    value = members["value"]
    return value_of(value) if isinstance(value, str) else value


def _get_many(op: p.GetMany) -> Exchange[dict[str, Value]]:
    # One request for each key, so not from one moment: nothing here could promise that.
    found = {}
    for key in op.keys:
        value = yield from _get(p.Get(op.namespace, key))
        if value is not p.MISSING:
            found[key] = value
    return found


def _set(op: p.Set) -> Exchange[int]:
    if op.ttl is not None:
        raise without("expiry (ttl)")
    if op.if_version is not None:
        raise without("versions (if_version)")
    text = text_of(op.payload)
    body = json.dumps({"value": text}, ensure_ascii=False).encode()
    answer = yield Ask("PUT", path_of(op.namespace, op.key), body)
    if answer.status == 400 and (size := len(text.encode())) >= _LEAST_LIMIT:
        raise TooLargeError(
            f"value: {size:,} bytes of text, the limit of the first BotWire service is 100 KB",
            hint="split it over several keys, or run `botwire serve`, which takes 16 MiB",
        )
    reply_of(answer)
    return 0  # it counts no versions, and this is none


def _delete(op: p.Delete) -> Exchange[bool]:
    if op.if_version is not None:
        raise without("versions (if_version)")
    answer = yield Ask("DELETE", path_of(op.namespace, op.key))
    if is_absent(answer):
        return False
    check_done(answer)
    return True


def _list_keys(op: p.ListKeys) -> Exchange[list[str]]:
    prefix, after, limit = check_prefix(op.prefix), op.after, check_limit(op.limit)
    answer = yield Ask("GET", path_of(op.namespace))
    members = {"keys": []} if is_absent(answer) else reply_of(answer)
    listed = members.get("keys")
    if not isinstance(listed, list):
        raise stranger()
    count = members.get("count")
    if len(listed) >= _LISTED or (isinstance(count, int) and count > len(listed)):
        raise UnsupportedError(
            f"the first BotWire service lists the newest {_LISTED:,} keys of a namespace and no others, "
            "and here it may have left some out",
            hint="name the keys that you know, for which get_many and `botwire import --from URL --keys FILE` are",
        )
    keys = sorted(str(one["key"] if isinstance(one, dict) else one) for one in listed)
    return [key for key in keys if key.startswith(prefix) and (after is None or key > after)][:limit]


def _read_log(op: p.ReadLog) -> Exchange[list[Value]]:
    check_log(op.log)
    path_of(op.namespace)
    yield from ()
    return []  # a row's key holds a slash, and no key of that service does


def _clear(op: p.Clear) -> Exchange[int]:
    prefix = check_prefix(op.prefix)
    path_of(op.namespace)
    yield from ()
    if is_possible_prefix(prefix):
        raise without("way to delete many keys in one transaction (clear)")
    return 0


_RUNNERS: Final[dict[type, Callable[[Any], Exchange[Any]]]] = {
    p.Get: _get,
    p.GetMany: _get_many,
    p.Set: _set,
    p.Delete: _delete,
    p.ListKeys: _list_keys,
    p.ReadLog: _read_log,
    p.Clear: _clear,
}

_MISSING_FEATURES: Final[dict[type, str]] = {
    p.GetEntry: "versions or times of entries (entry)",
    p.ListEntries: "versions or times of entries (entries)",
    p.TimeLeft: "expiry (ttl)",
    p.Expire: "expiry (expire)",
    p.Search: "search",
    p.GetStats: "statistics (stats)",
    p.SetMany: "way to write many keys in one transaction (set_many)",
    p.DeleteMany: "way to delete many keys in one transaction (delete_many)",
    p.Append: "logs (append)",
    p.Increment: "way to count without losing counts (increment)",
    p.Drop: "way to delete a namespace (drop)",
    p.Transact: "transactions",
    p.Check: "transactions",
    p.Fork: "forks",
    p.Snapshot: "snapshots",
    p.ListSnapshots: "snapshots",
    p.DeleteSnapshot: "snapshots",
    p.Resolve: "past to look at (at, watch)",
    p.GetHistory: "history",
    p.Restore: "history (restore)",
    p.Compare: "forks or past to compare (diff)",
    p.Merge: "forks (merge)",
    p.Purge: "history to erase (purge); delete the key",
    p.ListChanges: "changes to watch (watch)",
    p.Export: "export",
    p.ExportAll: "export",
    p.ExportFamily: "export",
    p.Import: "import",
    p.ImportFamily: "import",
    p.ListNamespaces: "list of namespaces",
    p.GetRetention: "history (retention)",
    p.SetRetention: "history (retention)",
}
