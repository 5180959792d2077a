"""Errors as problems: the class of an embedded store arrives, with all that it says, and every failure has a status."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from botwire_core import errors
from botwire_core.errors import (
    BotWireError,
    CommitUnknownError,
    ConflictError,
    ForbiddenError,
    InvalidValueError,
    QuotaExceededError,
    RequestRunningError,
    RevisionPrunedError,
    StoreBusyError,
    StoreFullError,
    StoreUnavailableError,
    TooLargeError,
    UnauthorizedError,
    UnsupportedError,
)
from botwire_core.wire.problems import Problem, error_from, problem, problem_of, status_of

STATUSES = {
    "error": 500,
    "invalid_key": 422,
    "invalid_namespace": 422,
    "invalid_value": 422,
    "malformed_json": 400,
    "too_large": 413,
    "idempotency_conflict": 422,
    "request_running": 409,
    "unauthorized": 401,
    "forbidden": 403,
    "conflict": 409,
    "quota_exceeded": 429,
    "store_busy": 503,
    "store_full": 507,
    "store_read_only": 403,
    "store_corrupt": 500,
    "schema_too_new": 500,
    "revision_pruned": 410,
    "store_unavailable": 503,
    "commit_unknown": 503,
    "unsupported": 501,
    "scope": 422,
    "plugin": 500,
    "missing_extra": 500,
    "unknown_store": 500,
}
CLASSES = [getattr(errors, name) for name in errors.__all__]
SAMPLES = {"key": "some key", "version": 7, "retry_after": 12.5, "quota": "writes", "oldest": 3}


def carried(made: Problem) -> BotWireError:
    headers = {name.lower(): value for name, value in made.headers.items()}
    return error_from(made.status, headers, json.loads(json.dumps(made.members)))


def with_everything(kind: type[BotWireError]) -> BotWireError:
    parameters = set(inspect.signature(kind.__init__).parameters) - {"self", "message", "hint", "args", "kwargs"}
    extra: dict[str, Any] = {name: SAMPLES[name] for name in parameters}  # a new attribute needs a sample, and a member
    return kind("what happened", hint="what to do", **extra)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_arrives_as_its_class_with_all_that_it_says(kind: type[BotWireError]) -> None:
    for error in (with_everything(kind), kind("what happened")):
        found = carried(problem_of(error, "request-1"))
        assert type(found) is kind
        assert vars(found) == vars(error)
        assert str(found) == str(error)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_its_status_and_keeps_detail(kind: type[BotWireError]) -> None:
    made = problem_of(kind("what happened", hint="what to do"), "request-1", index=2)
    assert made.status == STATUSES[kind.code]
    members = made.members
    assert members["type"] == f"urn:botwire:problem:{kind.code}"
    assert members["title"]
    assert members["status"] == made.status
    assert members["detail"] == "what happened"
    assert members["hint"] == "what to do"
    assert members["code"] == kind.code
    assert members["retryable"] is kind.retryable
    assert members["commit_unknown"] is (kind is CommitUnknownError)
    assert members["request_id"] == "request-1"
    assert members["index"] == 2


def test_a_conflict_about_a_version_has_another_status_than_one_about_a_name() -> None:
    assert status_of(ConflictError("x", key="k", version=0)) == 412
    assert status_of(ConflictError("x")) == 409


def test_a_quota_that_time_does_not_refill_has_no_retry_after() -> None:
    assert status_of(QuotaExceededError("x", quota="bytes")) == 507
    assert "Retry-After" not in problem_of(QuotaExceededError("x", quota="bytes")).headers
    assert status_of(QuotaExceededError("x", quota="forks")) == 429
    made = problem_of(QuotaExceededError("x", quota="writes", retry_after=0.2))
    assert (made.status, made.headers["Retry-After"]) == (429, "1")


@pytest.mark.parametrize("kind", [StoreBusyError, StoreUnavailableError, CommitUnknownError, RequestRunningError])
def test_what_passes_says_when_to_ask_again(kind: type[BotWireError]) -> None:
    assert problem_of(kind("x")).headers["Retry-After"] == "1"


def test_who_is_not_known_is_asked_for_a_token() -> None:
    assert problem_of(UnauthorizedError("x")).headers == {"WWW-Authenticate": "Bearer"}


class OfAnotherPlugin(InvalidValueError):
    """An error that the wire does not know, below one that it does."""

    code = "of_another_plugin"


def test_an_unknown_error_is_told_as_the_one_that_it_is_a_kind_of() -> None:
    made = problem_of(OfAnotherPlugin("x"))
    assert (made.status, made.members["code"]) == (422, "of_another_plugin")
    assert type(carried(made)) is InvalidValueError


BY_STATUS = [
    (400, InvalidValueError), (401, UnauthorizedError), (403, ForbiddenError), (404, UnsupportedError),
    (405, UnsupportedError), (408, StoreUnavailableError), (409, ConflictError), (410, RevisionPrunedError),
    (412, ConflictError), (413, TooLargeError), (414, InvalidValueError), (415, InvalidValueError),
    (418, InvalidValueError), (421, StoreUnavailableError), (422, InvalidValueError), (429, QuotaExceededError),
    (431, InvalidValueError), (500, CommitUnknownError), (501, UnsupportedError), (502, CommitUnknownError),
    (503, StoreUnavailableError), (504, CommitUnknownError), (507, StoreFullError), (599, CommitUnknownError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), BY_STATUS)
@pytest.mark.parametrize(
    "members", [None, {}, {"detail": "nope"}, {"code": "of_tomorrow"}, {"code": ["x"], "detail": 3}]
)
def test_an_answer_without_a_known_code_is_judged_by_its_status(
    status: int, kind: type[BotWireError], members: dict[str, Any] | None
) -> None:
    error = error_from(status, {}, members)
    assert type(error) is kind
    assert error.message == ("nope" if members == {"detail": "nope"} else f"the server answered with status {status}")


def test_an_unknown_code_that_leaves_the_outcome_open_is_a_commit_unknown() -> None:
    assert type(error_from(500, {}, {"code": "of_tomorrow", "commit_unknown": True})) is CommitUnknownError


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30.0), ("", 0.0), ("-1", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0)]
)
def test_a_proxy_says_in_a_header_when_to_ask_again(header: str, seconds: float) -> None:
    error = error_from(429, {"retry-after": header})
    assert isinstance(error, QuotaExceededError)
    assert error.retry_after == seconds


@pytest.mark.parametrize("name", SAMPLES)
def test_a_member_of_another_type_is_not_believed(name: str) -> None:
    for code in ("conflict", "quota_exceeded", "revision_pruned", "request_running"):
        error = error_from(409, {}, {"code": code, "detail": "x", name: ["nonsense"]})
        assert ["nonsense"] not in vars(error).values()


def test_what_is_wrong_as_http_alone_is_a_problem_too() -> None:
    made = problem(404, "not_found", "Not Found", "there is no such route", "request-1", hint="see /docs")
    assert made.members["status"] == 404
    assert made.members["detail"] == "there is no such route"
    assert type(carried(made)) is UnsupportedError
