"""Where an item of the store is kept: `store/`, the labels of its namespace, and its key, joined by slashes.

So the items below a namespace are the keys with one prefix, and no namespace is a part of the name of another.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from langgraph.store.base import InvalidNamespaceError

from botwire_core.names import check_key
from botwire_core.quoting import quoted, unquoted

__all__ = ["ROOT", "item_key", "namespace_of", "namespace_prefix", "place_of"]

ROOT: Final = "store/"


def item_key(namespace: Iterable[str], key: str) -> str:
    """The key in the memory of an item.

    Raises:
        InvalidNamespaceError: a label of the namespace is empty, no text, or holds a period or NUL.
        InvalidKeyError: the two together are longer than a key can be, 1,024 bytes.

    >>> item_key(("users", "ada"), "theme"), item_key(("docs",), "a/b")
    ('store/users/ada/theme', 'store/docs/a%2Fb')
    """
    made = namespace_prefix(namespace) + quoted(key)
    return made if len(made) <= 256 else check_key(made)


def namespace_prefix(namespace: Iterable[str]) -> str:
    """What the keys of all items in a namespace, and below it, start with.

    Raises:
        InvalidNamespaceError: a label is empty, no text, or holds a period or NUL.

    >>> namespace_prefix(("users",)), namespace_prefix(())
    ('store/users/', 'store/')
    """
    return _prefix(namespace if type(namespace) is tuple else tuple(namespace))


def place_of(key: str) -> tuple[tuple[str, ...], str]:
    """The namespace and the key of the item that is kept at a key of the memory.

    >>> place_of("store/docs/a%2Fb")
    (('docs',), 'a/b')
    """
    parts = key[len(ROOT) :].split("/")
    return tuple(map(unquoted, parts[:-1])), unquoted(parts[-1])


def namespace_of(path: str) -> tuple[str, ...]:
    """The namespace of a path: what stands in a key between `store/` and the last slash.

    >>> namespace_of("users/ada")
    ('users', 'ada')
    """
    return tuple(map(unquoted, path.split("/"))) if path else ()


@lru_cache(maxsize=4096)
def _prefix(namespace: tuple[str, ...]) -> str:
    for label in namespace:
        if not isinstance(label, str):
            raise InvalidNamespaceError(f"a namespace label is text, not {type(label).__name__}: {namespace!a}")
        if not label or "." in label or "\0" in label:
            raise InvalidNamespaceError(
                f"{label!a} cannot be a namespace label: it must not be empty, nor hold a period or NUL"
            )
    return ROOT + "".join(f"{quoted(label)}/" for label in namespace)
