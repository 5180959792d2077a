"""From the arguments that a user types to ops: checked at once, before any store is asked.

`Memory` runs what is built here, a transaction collects it; so both refuse the same things with the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite

from botwire_core.arguments import check_ttl, check_version
from botwire_core.codec import Payload, Value, encode
from botwire_core.errors import InvalidKeyError, InvalidValueError, StoreReadOnlyError
from botwire_core.names import check_key, check_log, check_prefix
from botwire_core.protocol import (
    Append,
    Check,
    Clear,
    Delete,
    DeleteMany,
    Expire,
    Increment,
    Set,
    SetMany,
)
from botwire_core.records import record

__all__ = ["OpBuilder", "check_keys"]


@record
class OpBuilder:
    """Makes the write ops of one namespace; refuses each of them where `as_of` says that it is the past."""

    namespace: str
    author: str | None = None
    as_of: int | None = None

    @property
    def target(self) -> str:
        """The namespace, for an op that writes.

        Raises:
            StoreReadOnlyError: this is a moment in the past.
        """
        if self.as_of is None:
            return self.namespace
        raise StoreReadOnlyError(
            f"{self.namespace!r} as it stood at revision {self.as_of} cannot be written",
            hint="memory.at(...).fork(name) makes a memory that starts there and can be",
        )

    def set(self, key: str, value: Value, ttl: float | None = None, if_version: int | None = None) -> Set:
        """Check and encode what `Memory.set` was given."""
        payload = encode(value)
        return Set(self.target, check_key(key), payload, check_ttl(ttl), check_version(if_version), self.author)

    def delete(self, key: str, if_version: int | None = None) -> Delete:
        """Check what `Memory.delete` was given."""
        return Delete(self.target, check_key(key), check_version(if_version), self.author)

    def set_many(self, mapping: Mapping[str, Value], ttl: float | None = None) -> SetMany:
        """Check and encode what `Memory.set_many` was given; an error names the key."""
        if not isinstance(mapping, Mapping):
            raise InvalidValueError(f"set_many takes a mapping of keys to values, not {type(mapping).__name__}")
        items = tuple((check_key(key), _payload(value, repr(key))) for key, value in mapping.items())
        return SetMany(self.target, items, check_ttl(ttl), self.author)

    def delete_many(self, keys: Iterable[str]) -> DeleteMany:
        """Check what `Memory.delete_many` was given."""
        return DeleteMany(self.target, check_keys(keys), self.author)

    def append(self, log: str, values: tuple[Value, ...], ttl: float | None = None) -> Append:
        """Check and encode what `Memory.append` was given; an error names the value by its place."""
        payloads = tuple(_payload(value, f"value {number}") for number, value in enumerate(values, 1))
        return Append(self.target, check_log(log), payloads, check_ttl(ttl), self.author)

    def increment(self, key: str, by: int | float = 1) -> Increment:
        """Check what `Memory.increment` was given."""
        if type(by) not in (int, float) or not (type(by) is int or isfinite(by)):
            raise InvalidValueError(f"by: {by!r} is not a finite number")
        return Increment(self.target, check_key(key), by, self.author)

    def expire(self, key: str, ttl: float | None) -> Expire:
        """Check what `Memory.expire` was given."""
        return Expire(self.target, check_key(key), check_ttl(ttl), self.author)

    def clear(self, prefix: str = "") -> Clear:
        """Check what `Memory.clear` was given."""
        return Clear(self.target, check_prefix(prefix), self.author)

    def check(self, key: str, version: int) -> Check:
        """Check what `Transaction.check` was given."""
        if check_version(version, "version") is None:
            raise InvalidValueError("version: None is not a version", hint="use 0 for a key that must not exist")
        return Check(self.target, check_key(key), version)


def check_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """Return keys as a tuple.

    Raises:
        InvalidKeyError: one of them is no key, or it is one string, which would be taken for its letters.
    """
    if isinstance(keys, str | bytes):
        raise InvalidKeyError("many keys were expected, not one text", hint="put it into a list")
    return tuple(map(check_key, keys))


def _payload(value: Value, name: str) -> Payload:
    try:
        return encode(value)
    except InvalidValueError as error:
        # Says which of the many it was; the path inside the value is already there.
        raise type(error)(f"{name}: {error.message}", hint=error.hint) from None
