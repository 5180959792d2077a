"""What a key, a namespace, a log row and a snapshot label may look like, and the check of each.

One place for every store and both ends of the wire, so that a name which one store accepts
is never refused by another.
"""

from __future__ import annotations

import re

from botwire_core.errors import InvalidKeyError, InvalidNamespaceError, InvalidValueError

__all__ = [
    "LOG_DIGITS",
    "MAX_KEY_BYTES",
    "MAX_NAMESPACE_CHARACTERS",
    "check_key",
    "check_label",
    "check_log",
    "check_namespace",
    "check_prefix",
    "end_of_prefix",
    "log_of",
    "log_row_key",
]

MAX_KEY_BYTES = 1024
MAX_NAMESPACE_CHARACTERS = 243
LOG_DIGITS = 19

_NAMESPACE = re.compile(r"[A-Za-z0-9_\-:@~+][A-Za-z0-9._\-:@~+]{0,242}", re.ASCII)
_LOG_ROW = re.compile(rf"(.+)/([0-9]{{{LOG_DIGITS}}})", re.ASCII | re.DOTALL)


def check_namespace(name: object) -> str:
    """Return `name` if it can name a namespace.

    Raises:
        InvalidNamespaceError: it is not 1 to 243 of `A-Z a-z 0-9 . _ - : @ ~ +`, or starts with a dot.
    """
    if isinstance(name, str) and _NAMESPACE.fullmatch(name):
        return name
    raise InvalidNamespaceError(
        f"{_shown(name)} is not a namespace name",
        hint=f"use 1 to {MAX_NAMESPACE_CHARACTERS} of A-Z a-z 0-9 . _ - : @ ~ +, not starting with a dot",
    )


def check_key(key: object) -> str:
    """Return `key` if it can be a key: 1 to 1,024 bytes of UTF-8 without NUL.

    Raises:
        InvalidKeyError: it is not a string, is empty or too long, or holds NUL or half a surrogate pair.
    """
    if not isinstance(key, str):
        raise InvalidKeyError(f"a key is a string, not {type(key).__name__}", hint="convert it with str() first")
    if not key:
        raise InvalidKeyError("a key cannot be empty", hint=f"use 1 to {MAX_KEY_BYTES:,} bytes of UTF-8")
    return _check_text(key, "key")


def check_prefix(prefix: object) -> str:
    """Return `prefix` if keys can start with it; the empty string is the prefix of all keys.

    Raises:
        InvalidKeyError: no key can start with it.
    """
    if not isinstance(prefix, str):
        raise InvalidKeyError(f"a prefix is a string, not {type(prefix).__name__}")
    return _check_text(prefix, "prefix")


def check_log(log: object) -> str:
    """Return `log` if it can name a log: a key short enough for its row numbers.

    Raises:
        InvalidKeyError: it is no key, or longer than 1,004 bytes.
    """
    name = check_key(log)
    if len(name.encode()) + 1 + LOG_DIGITS > MAX_KEY_BYTES:
        raise InvalidKeyError(
            f"a log's name of {len(name.encode()):,} bytes is too long",
            hint=f"use at most {MAX_KEY_BYTES - LOG_DIGITS - 1:,} bytes: each row adds a slash and {LOG_DIGITS} digits",
        )
    return name


def check_label(label: object) -> str:
    """Return `label` if it can name a snapshot: 1 to 243 printable characters.

    Raises:
        InvalidValueError: it cannot.
    """
    if isinstance(label, str) and 0 < len(label) <= MAX_NAMESPACE_CHARACTERS and label.isprintable():
        return label
    raise InvalidValueError(
        f"{_shown(label)} is not a snapshot label",
        hint=f"use 1 to {MAX_NAMESPACE_CHARACTERS} printable characters",
    )


def log_row_key(log: str, number: int) -> str:
    """The key of row `number` of a log.

    Raises:
        InvalidKeyError: the number has more than 19 digits, since the log has a row with the last one.

    >>> log_row_key("chat", 7)
    'chat/0000000000000000007'
    """
    if number >= 10**LOG_DIGITS:
        raise InvalidKeyError(f"the log {_shown(log)} has used up its row numbers", hint="append to another log")
    return f"{log}/{number:0{LOG_DIGITS}d}"


def log_of(key: str) -> tuple[str, int] | None:
    """The log and the row number that a key stands for, or None where it is no log row.

    >>> log_of("chat/0000000000000000007")
    ('chat', 7)
    >>> log_of("chat/7") is None
    True
    """
    # Nearly every key fails here, before the regular expression is paid for.
    if len(key) <= LOG_DIGITS + 1 or key[-LOG_DIGITS - 1] != "/":
        return None
    match = _LOG_ROW.fullmatch(key)
    return (match[1], int(match[2])) if match else None


def end_of_prefix(prefix: str) -> str | None:
    """The smallest string that is above every string with this prefix, or None where there is none.

    In code point order, which is the byte order of UTF-8. Surrogates are stepped over: no key holds one.

    >>> end_of_prefix("user:")
    'user;'
    """
    for i in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[i]) + 1
        if code <= 0x10FFFF:
            return prefix[:i] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)
    return None


def _check_text(text: str, what: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidKeyError(
            f"a {what} cannot hold half a surrogate pair: {_shown(text)}", hint="pass text that is valid Unicode"
        ) from None
    if size > MAX_KEY_BYTES:
        raise InvalidKeyError(
            f"a {what} of {size:,} bytes is too long", hint=f"use at most {MAX_KEY_BYTES:,} bytes of UTF-8"
        )
    if "\0" in text:
        raise InvalidKeyError(f"a {what} cannot hold NUL: {_shown(text)}")
    return text


def _shown(thing: object) -> str:
    text = ascii(thing)
    return text if len(text) <= 80 else text[:77] + "..."
