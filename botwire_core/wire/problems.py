"""Errors as problem details (RFC 9457) with a status, and back to the class that an embedded store raises."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from botwire_core import errors
from botwire_core.errors import BotWireError
from botwire_core.records import record

__all__ = ["CONTENT_TYPE", "Problem", "error_from", "problem", "problem_of", "status_of"]

CONTENT_TYPE: Final = "application/problem+json"

_CLASSES: Final[dict[str, type[BotWireError]]] = {
    kind.code: kind for kind in map(vars(errors).__getitem__, errors.__all__)
}
# By code: the status, and the title, which says for every occurrence what kind of problem it is.
_KINDS: Final[dict[str, tuple[int, str]]] = {
    "error": (500, "Something went wrong"),
    "invalid_key": (422, "The key breaks a rule"),
    "invalid_namespace": (422, "The namespace name breaks a rule"),
    "invalid_value": (422, "A value or argument cannot be kept"),
    "malformed_json": (400, "The text is not JSON"),
    "too_large": (413, "It is larger than a limit"),
    "idempotency_conflict": (422, "The idempotency key was used for another request"),
    "request_running": (409, "The same request is still running"),
    "unauthorized": (401, "A token is needed"),
    "forbidden": (403, "The token does not allow this"),
    "conflict": (412, "Something else stands there"),
    "quota_exceeded": (429, "A quota is used up"),
    "store_busy": (503, "The store is busy"),
    "store_full": (507, "No space is left"),
    "store_read_only": (403, "The store cannot be written"),
    "store_corrupt": (500, "The store is damaged"),
    "schema_too_new": (500, "The store was written by a newer version"),
    "revision_pruned": (410, "That past is no longer kept"),
    "store_unavailable": (503, "The store is not reached"),
    "commit_unknown": (503, "It may or may not have been done"),
    "unsupported": (501, "The store lacks this feature"),
    "scope": (422, "The experiment is not known"),
    "plugin": (500, "A plugin is broken"),
    "missing_extra": (500, "Something is not installed"),
    "unknown_store": (500, "Nothing opens this kind of URL"),
}
# What the attributes of errors are in a problem, beyond the message and the hint.
_ATTRIBUTES: Final[dict[str, tuple[type, ...]]] = {
    "key": (str, type(None)),
    "version": (int, type(None)),
    "retry_after": (int, float),
    "quota": (str,),
    "oldest": (int, type(None)),
}
_BY_STATUS: Final[dict[int, type[BotWireError]]] = {
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    404: errors.UnsupportedError,
    405: errors.UnsupportedError,
    408: errors.StoreUnavailableError,
    409: errors.ConflictError,
    410: errors.RevisionPrunedError,
    412: errors.ConflictError,
    413: errors.TooLargeError,
    421: errors.StoreUnavailableError,
    429: errors.QuotaExceededError,
    501: errors.UnsupportedError,
    503: errors.StoreUnavailableError,
    507: errors.StoreFullError,
}


@record
class Problem:
    """The answer to a request that failed: its status, the headers beside it, and the members of its body."""

    status: int
    headers: dict[str, str]
    members: dict[str, Any]


def status_of(error: BotWireError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, errors.ConflictError) and error.version is None:
        return 409  # a name that is taken; 412 is for a version that was named in the request
    if isinstance(error, errors.QuotaExceededError) and error.quota == "bytes":
        return 507
    for kind in type(error).__mro__:
        if kind in _CLASSES.values():
            return _KINDS[kind.code][0]  # type: ignore[attr-defined]
    return 500


def problem_of(error: BotWireError, request_id: str = "", *, index: int | None = None) -> Problem:
    """The problem of an error; `index` is that of the op in a list that it is about."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after = getattr(error, "retry_after", 1.0 if status == 503 else 0.0)
    if retry_after > 0:
        headers["Retry-After"] = str(ceil(retry_after))
    extra = {name: getattr(error, name) for name in _ATTRIBUTES if hasattr(error, name)}
    title = _KINDS.get(error.code, _KINDS["error"])[1]
    made = problem(status, error.code, title, error.message, request_id, hint=error.hint, retryable=error.retryable)
    made.members.update(extra, commit_unknown=isinstance(error, errors.CommitUnknownError))
    if index is not None:
        made.members["index"] = index
    return Problem(status, headers, made.members)


def problem(
    status: int, code: str, title: str, detail: str, request_id: str = "", *, hint: str = "", retryable: bool = False
) -> Problem:
    """A problem that no error stands for, such as a route that is not there."""
    members = {
        "type": f"urn:botwire:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "hint": hint,
        "retryable": retryable,
        "commit_unknown": False,
        "request_id": request_id,
    }
    return Problem(status, {}, members)


def error_from(status: int, headers: Mapping[str, str], members: Mapping[str, Any] | None = None) -> BotWireError:
    """The error that an answer stands for; `headers` by lower-case names, `members` None where the body was no problem.

    An answer without a known code is judged by its status. A failure that names no outcome, as that of a proxy which
    gave up waiting, is a `CommitUnknownError`; whoever asked for a read knows that nothing was done.
    """
    members = members or {}
    code = members.get("code")
    kind = _CLASSES.get(code) if isinstance(code, str) else None
    if kind is None:
        default = errors.InvalidValueError if status < 500 else errors.CommitUnknownError
        kind = errors.CommitUnknownError if members.get("commit_unknown") is True else _BY_STATUS.get(status, default)
    detail = members.get("detail")
    message = detail if isinstance(detail, str) and detail else f"the server answered with status {status}"
    hint = members.get("hint")
    error = kind(message, hint=hint if isinstance(hint, str) else "")
    if hasattr(error, "retry_after"):
        error.retry_after = _seconds(headers.get("retry-after", ""))
    for name, kinds in _ATTRIBUTES.items():
        if hasattr(error, name) and name in members and type(members[name]) in kinds:
            setattr(error, name, members[name])
    return error


def _seconds(header: str) -> float:
    try:
        return max(0.0, float(header))
    except ValueError:  # a date, or nothing
        return 0.0
