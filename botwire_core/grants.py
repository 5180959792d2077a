"""What a grant may say: a pattern of namespaces and verbs, and which names a pattern covers.

The store of a server keeps grants with its tokens, the server judges by them, and the command line reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botwire_core.errors import InvalidNamespaceError, InvalidValueError
from botwire_core.names import check_namespace

if TYPE_CHECKING:
    from botwire_core.service import Grant

__all__ = ["EVERYTHING", "USUAL_VERBS", "VERBS", "check_pattern", "covers", "grant_from_text", "grant_to_text"]

VERBS: Final = ("read", "write", "delete", "fork", "history", "admin")
"""Every verb that a grant can have."""
USUAL_VERBS: Final = frozenset(VERBS) - {"admin"}
"""What `all` stands for: everything but admin, which is only given by its name."""
EVERYTHING: Final = "*"
"""The pattern that covers every namespace."""

_SEPARATORS: Final = (".", ":")


def covers(pattern: str, namespace: str) -> bool:
    """Whether a pattern covers a namespace: by its exact name, or by whole components that it starts with.

    A name's components are what stands between its dots and colons.

    >>> [name for name in ("user", "user.x", "user2", "User", "user.x:y") if covers("user.*", name)]
    ['user.x', 'user.x:y']
    >>> covers("user", "user"), covers("user", "user.x"), covers("*", "user")
    (True, False, True)
    """
    if not pattern.endswith("*"):
        return pattern == namespace
    start = pattern[:-1]
    return namespace.startswith(start) and len(namespace) > len(start)


def check_pattern(pattern: str) -> str:
    """Return a pattern if it is one: a namespace, `*`, or a name that ends with `.*` or `:*`.

    Raises:
        InvalidNamespaceError: it is none of these.
    """
    if pattern == EVERYTHING:
        return pattern
    name = pattern
    if pattern.endswith("*"):
        name = pattern[:-2]
        if pattern[-2:-1] not in _SEPARATORS:
            raise InvalidNamespaceError(
                f"{ascii(pattern)[:80]} ends inside of a component",
                hint="write support for one namespace, support.* or support:* for those below it, * for all",
            )
    check_namespace(name)
    return pattern


def grant_from_text(text: str) -> Grant:
    """The grant that `pattern:verbs` spells; verbs are separated by commas, `all` is every one but admin.

    Raises:
        InvalidValueError: there are no verbs, or unknown ones.
        InvalidNamespaceError: the pattern is none.

    >>> grant_to_text(grant_from_text("user:ada:write,read"))
    'user:ada:read,write'
    """
    from botwire_core.service import Grant

    pattern, _, listed = text.rpartition(":")
    verbs: set[str] = set()
    for verb in listed.split(","):
        verbs |= USUAL_VERBS if verb == "all" else {verb}
    if not pattern or not verbs.issubset(VERBS):
        raise InvalidValueError(
            f"{ascii(text)[:80]} is no grant", hint=f"write NAMESPACE:VERBS with verbs of {', '.join(VERBS)}, or all"
        )
    return Grant(pattern, frozenset(verbs))


def grant_to_text(grant: Grant) -> str:
    """A grant as `grant_from_text` reads it, verbs in their usual order."""
    shown = ["all"] if grant.verbs >= USUAL_VERBS else []
    shown += [verb for verb in VERBS if verb in (grant.verbs - USUAL_VERBS if shown else grant.verbs)]
    return f"{grant.pattern}:{','.join(shown)}"
