"""Every error that BotWire raises, in one tree.

    BotWireError                                      .code  .hint  .retryable
    ├── InvalidKeyError (ValueError)                  a key breaks a rule; nothing was done
    ├── InvalidNamespaceError (ValueError)            a namespace name breaks a rule; nothing was done
    ├── InvalidValueError (ValueError)                a value or argument cannot be kept; nothing was done
    │   ├── IdempotencyError                          the Idempotency-Key belongs to another request
    │   ├── MalformedJsonError                        a text that should be JSON is not
    │   └── TooLargeError                             it is larger than a documented limit
    ├── UnauthorizedError                             no token, or a wrong one
    ├── ForbiddenError                                the token does not reach this far
    ├── ConflictError                                 `if_version` or a name did not match; .version is the current one
    ├── QuotaExceededError                            .retry_after, seconds; .quota, which one
    ├── RequestRunningError                           the same request is under way; .retry_after, seconds
    ├── StoreBusyError (TimeoutError)                 somebody held the store for the whole timeout; nothing was done
    ├── StoreFullError                                no space left; nothing was done
    ├── StoreReadOnlyError                            this store or moment cannot be written
    ├── StoreCorruptError                             the file is damaged or is not ours; it was left untouched
    ├── SchemaTooNewError                             a newer BotWire wrote the file; it was left untouched
    ├── RevisionPrunedError (LookupError)             that past is no longer kept; .oldest is the oldest that is
    ├── StoreUnavailableError (ConnectionError)       not reached; nothing was done
    ├── CommitUnknownError (TimeoutError)             cut off in the middle: it may or may not have been done
    ├── UnsupportedError (NotImplementedError)        this store lacks the feature
    ├── ScopeError                                    the code does not know which experiment it runs in
    └── PluginError                                   a plugin is broken, or two claim the same thing
        ├── MissingExtraError (ImportError)           the framework that an adapter needs is not installed
        └── UnknownStoreError (LookupError)           no plugin opens this kind of URL

The same class is raised by an embedded store, over HTTP, and by PostgreSQL.
Absence is a default, never an error.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BotWireError",
    "CommitUnknownError",
    "ConflictError",
    "ForbiddenError",
    "IdempotencyError",
    "InvalidKeyError",
    "InvalidNamespaceError",
    "InvalidValueError",
    "MalformedJsonError",
    "MissingExtraError",
    "PluginError",
    "QuotaExceededError",
    "RequestRunningError",
    "RevisionPrunedError",
    "SchemaTooNewError",
    "ScopeError",
    "StoreBusyError",
    "StoreCorruptError",
    "StoreFullError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
    "TooLargeError",
    "UnauthorizedError",
    "UnknownStoreError",
    "UnsupportedError",
]


class BotWireError(Exception):
    """Base of every error of BotWire.

    `code` is the name of the error on the wire, `hint` says what to do next, and
    `retryable` tells whether the same call can succeed later without any change.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with the rendered text alone and lose the keyword
        # arguments; a multiprocessing pool has to carry the error across whole.
        return _rebuild, (type(self), dict(self.__dict__))


def _rebuild(kind: type[BotWireError], state: dict[str, Any]) -> BotWireError:
    error = kind.__new__(kind, state["message"])
    error.__dict__.update(state)
    return error


class InvalidKeyError(BotWireError, ValueError):
    """A key is empty, too long, or holds a character that keys cannot hold."""

    code = "invalid_key"


class InvalidNamespaceError(BotWireError, ValueError):
    """A namespace name is not 1 to 243 of the allowed characters."""

    code = "invalid_namespace"


class InvalidValueError(BotWireError, ValueError):
    """A value or an argument cannot be kept exactly as it is, and so was refused."""

    code = "invalid_value"


class IdempotencyError(InvalidValueError):
    """The replay key (`Idempotency-Key`) was used for another request before; nothing was done."""

    code = "idempotency_conflict"


class MalformedJsonError(InvalidValueError):
    """A text that should be JSON in UTF-8 is not."""

    code = "malformed_json"


class TooLargeError(InvalidValueError):
    """A value, batch or transaction is over its limit in bytes."""

    code = "too_large"


class UnauthorizedError(BotWireError):
    """There was no token, or the server does not know it."""

    code = "unauthorized"


class ForbiddenError(BotWireError):
    """The token is known, and does not allow this."""

    code = "forbidden"


class ConflictError(BotWireError):
    """What the caller expected to find is not what stands there.

    `version` is the current version of `key` (0 where nothing stands), or None where the
    conflict is about a name.
    """

    code = "conflict"

    def __init__(self, message: str, *, hint: str = "", key: str | None = None, version: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key
        self.version = version


class QuotaExceededError(BotWireError):
    """A quota is used up; `retry_after` is the number of seconds until there is more, 0 where time brings none.

    `quota` says which one: "writes", "bytes" or "forks"; "" where it is not known.
    """

    code = "quota_exceeded"
    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 0.0, quota: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.quota = quota


class RequestRunningError(BotWireError):
    """A request with this replay key (`Idempotency-Key`) is under way; its answer is there in `retry_after` seconds."""

    code = "request_running"
    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 1.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class StoreBusyError(BotWireError, TimeoutError):
    """Somebody else held the store for the whole timeout; nothing was done."""

    code = "store_busy"
    retryable = True


class StoreFullError(BotWireError):
    """The disk, or the room a file may take, is full; nothing was done and reads still work."""

    code = "store_full"


class StoreReadOnlyError(BotWireError):
    """The store, or the moment of it that is looked at, cannot be written."""

    code = "store_read_only"


class StoreCorruptError(BotWireError):
    """The file is damaged, or is not a BotWire file; it was left untouched."""

    code = "store_corrupt"


class SchemaTooNewError(BotWireError):
    """The file was written by a newer BotWire; it was left untouched."""

    code = "schema_too_new"


class RevisionPrunedError(BotWireError, LookupError):
    """The past that was asked for is no longer kept.

    `oldest` is the oldest revision from which on everything asked for is still there, or
    None where none of it is.
    """

    code = "revision_pruned"

    def __init__(self, message: str, *, hint: str = "", oldest: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.oldest = oldest


class StoreUnavailableError(BotWireError, ConnectionError):
    """The store could not be reached or opened; nothing was done."""

    code = "store_unavailable"
    retryable = True


class CommitUnknownError(BotWireError, TimeoutError):
    """The line broke while a write was under way: it may or may not have been done."""

    code = "commit_unknown"


class UnsupportedError(BotWireError, NotImplementedError):
    """This store does not have the feature that the call needs."""

    code = "unsupported"


class ScopeError(BotWireError):
    """Memory is isolated by experiment, and nothing tells which one the code runs in."""

    code = "scope"


class PluginError(BotWireError):
    """A plugin is broken, or two plugins claim the same thing."""

    code = "plugin"


class MissingExtraError(PluginError, ImportError):
    """The framework that an adapter or a store needs is not installed."""

    code = "missing_extra"


class UnknownStoreError(PluginError, LookupError):
    """No installed plugin opens this kind of URL."""

    code = "unknown_store"
