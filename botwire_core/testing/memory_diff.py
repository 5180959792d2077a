"""An assertion on what code changed in a memory."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from botwire_core.memory import Memory

__all__ = ["assert_memory_diff"]

Globs = str | Iterable[str]


def assert_memory_diff(
    before: Memory,
    after: Memory,
    *,
    added: Globs | None = None,
    changed: Globs | None = None,
    removed: Globs | None = None,
    unchanged: Globs | None = None,
) -> None:
    """Fail unless what changed from one memory to another is what is named.

    Each argument is a glob or several (`*` matches everything, slashes too). Of `added`, `changed` and `removed`,
    those that are given have to name every such key, and each of their globs has to match one; nothing that matches
    `unchanged` may differ in any way. With none given, nothing may differ at all.

    Raises:
        AssertionError: it is not; the message has the whole diff.

    >>> memory = Memory("demo", "memory:assert-diff")
    >>> _ = memory.set("tone", "formal")
    >>> before = memory.at(memory.snapshot())
    >>> _ = memory.set("likes", ["tea"])
    >>> assert_memory_diff(before, memory, added="likes", changed=[], unchanged="to*")
    """
    diff = before.diff(after)
    problems = []
    if added is None and changed is None and removed is None and unchanged is None:
        added = changed = removed = ()
    kinds = (
        ("added", added, list(diff.added)),
        ("changed", changed, [entry.key for entry in diff.changed]),
        ("removed", removed, list(diff.removed)),
    )
    for kind, globs, keys in kinds:
        if globs is None:
            continue
        patterns = _patterns(globs)
        problems += [f"{key!r} was {kind}" for key in keys if not _matches(key, patterns)]
        problems += [
            f"nothing that matches {glob!r} was {kind}"
            for glob in patterns
            if not any(fnmatchcase(key, glob) for key in keys)
        ]
    if unchanged is not None:
        problems += [f"{key!r} differs" for key in diff.keys if _matches(key, _patterns(unchanged))]
    if problems:
        raise AssertionError("\n".join(["memory did not change as expected:", *problems, "", str(diff)]))


def _patterns(globs: Globs) -> list[str]:
    return [globs] if isinstance(globs, str) else list(globs)


def _matches(key: str, globs: list[str]) -> bool:
    return any(fnmatchcase(key, glob) for glob in globs)
