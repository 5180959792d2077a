"""What only a server asks of a store: many clients' requests in one commit, answers kept for retries, quotas, tokens.

A store runs these ops where its `features` name "service". They follow the same rules as the ops of
`botwire_core.protocol`; none of them is reachable by a client, who sends what a `Request` holds.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from botwire_core.errors import BotWireError, InvalidValueError
from botwire_core.grants import VERBS, check_pattern
from botwire_core.protocol import Op
from botwire_core.records import field, record
from botwire_core.stores.rows import Row

__all__ = [
    "MAX_REPLAY_KEY_CHARACTERS",
    "REPLAY_SECONDS",
    "CreateToken",
    "FindToken",
    "GetRow",
    "GetUsage",
    "Grant",
    "ListAncestors",
    "ListTokens",
    "Outcome",
    "Quota",
    "Reply",
    "Request",
    "RevokeToken",
    "Serve",
    "Token",
    "TouchToken",
    "Usage",
]

REPLAY_SECONDS: Final = 86400.0
"""How long the answer to a request with a replay key is kept."""
MAX_REPLAY_KEY_CHARACTERS: Final = 255

_REPLAY_KEY: Final = re.compile(r"[!-~]{1,255}")
_IDENTITY: Final = re.compile(r"[A-Za-z0-9_\-]{0,64}", re.ASCII)


# --- requests ------------------------------------------------------------------------------------


@record
class Quota:
    """What a root namespace and all its forks may use together; None: no limit.

    `writes_per_day` counts entries written since midnight UTC. `bytes` counts the stored values that stand in one of
    them, or stood where a fork or a snapshot keeps them, each once. `forks` counts forks of any depth.
    """

    writes_per_day: int | None = None
    bytes: int | None = None
    forks: int | None = None


@record
class Usage:
    """What a root namespace and all its forks use; the units are those of `Quota`.

    In a `Reply`, `bytes` may be too high by what expired since the last count, and is None where the request has no
    limit of bytes; `forks` is None.
    """

    root: str
    writes_today: int
    resets_in: float
    """Seconds until `writes_today` starts anew: to midnight UTC, by the store's clock."""
    bytes: int | None = None
    forks: int | None = None


@record
class Request:
    """One client's request: its ops in order.

    `atomic`: all ops or none; without it each op is done or refused for itself. `identity` is the id of the client's
    token, "" for nobody (at most 64 of `A-Z a-z 0-9 _ -`).

    With a `replay_key` (1 to 255 visible ASCII characters) the answer is remembered for 24 hours, in the same
    transaction as what was done, and a request with the same key, identity and first namespace gets that answer
    and does nothing. `digest`, the SHA-256 of what was asked (32 bytes), has to be the same then.
    """

    ops: tuple[Op[Any], ...]
    atomic: bool = False
    identity: str = ""
    replay_key: str | None = field(default_factory=lambda: None, repr=False)
    digest: bytes = field(default_factory=bytes, repr=False)
    quota: Quota | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.identity, str) or not _IDENTITY.fullmatch(self.identity):
            raise InvalidValueError("identity: not the id of a token", hint="use at most 64 of A-Z a-z 0-9 _ -")
        if self.replay_key is None:
            return
        if not isinstance(self.replay_key, str) or not _REPLAY_KEY.fullmatch(self.replay_key):
            raise InvalidValueError(
                "a replay key has 1 to 255 visible ASCII characters", hint="use a new UUID for each request"
            )
        if len(self.digest) != 32:
            raise InvalidValueError("digest: not a SHA-256", hint="a replay key needs the digest of what was asked")


@record
class Outcome:
    """What came of one op: its result, or the error that it ended in."""

    result: Any = None
    error: BotWireError | None = None
    row: Row | None = field(default_factory=lambda: None, repr=False)
    """What a `Set` has written, if the store knows it without looking, perhaps without its value; not compared."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and (self.result, self.error) == (other.result, other.error)

    def __hash__(self) -> int:
        return hash((self.result, self.error))


@record
class Reply:
    """The answer to a request: an outcome for each of its ops, in order.

    Where the request as a whole was refused, or an atomic one was undone, there is one outcome, and it is an error;
    `undone_by` is then the place from 0 of the op that it comes from, None where it comes from no op.
    """

    outcomes: tuple[Outcome, ...]
    replayed: bool = False
    """Whether the answer is that of an earlier request with the same replay key, and nothing was done now."""
    undone_by: int | None = None
    usage: Usage | None = None
    """What is used after the request; None where it has no quota, was replayed, or holds no write."""


@record
class Serve(Op[list[Reply]]):
    """Run requests in one commit, in order, and give a reply for each.

    Each request that fails is undone alone, and so is each op of one that is not atomic; their errors are in the
    replies. What is raised concerns all: the disk is full, or an op holds what its annotations do not allow. Then
    nothing was done, unless it is a `CommitUnknownError`.

    Raised within a reply, beside the errors of the ops: `IdempotencyError`, the replay key was used for another
    request; `CommitUnknownError`, the request was done before and its answer is no longer kept; `QuotaExceededError`;
    `InvalidValueError`, an op cannot be part of a request (the ones that stream out, and those of this module).

    An answer is remembered where an op that writes was done. So a request that was refused whole, by a conflict or
    a quota for example, is judged anew when it comes again; nothing had been done.
    """

    requests: tuple[Request, ...]


@record
class GetRow(Op[Row | None]):
    """The row that stands at a key, with its value as it is stored, or None."""

    namespace: str
    key: str


@record
class GetUsage(Op[Usage]):
    """What the root of a namespace and all its forks use, counted afresh; zeros where the namespace is not there.

    Writes are those of requests that had a quota.
    """

    namespace: str


@record
class ListAncestors(Op[list[str]]):
    """The names of what a namespace was forked from, nearest first, without those that are gone."""

    namespace: str


# --- tokens --------------------------------------------------------------------------------------


@record
class Grant:
    """What a token allows where: `pattern` is a namespace, `prefix.*` or `prefix:*` for all below it, or `*` for all.

    Raises:
        InvalidNamespaceError: the pattern is none of these.
        InvalidValueError: a verb is none of `botwire_core.grants.VERBS`, or there are none.
    """

    pattern: str
    verbs: frozenset[str]

    def __post_init__(self) -> None:
        check_pattern(self.pattern)
        unknown = self.verbs.difference(VERBS)
        if unknown or not self.verbs:
            raise InvalidValueError(
                f"{', '.join(sorted(map(repr, unknown))) or 'nothing'} cannot be granted",
                hint=f"use {', '.join(VERBS)}",
            )


@record
class Token:
    """A token as the store knows it: never the token, only its SHA-256 (`digest`).

    `id` tells it from others in lists and as the author of entries. A token that has expired or is revoked stays.
    """

    id: str
    digest: bytes = field(repr=False)
    grants: tuple[Grant, ...]
    label: str | None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    """The last use that was noted, to about an hour."""

    def is_valid(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired at a moment."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@record
class CreateToken(Op[Token]):
    """Keep a token by its SHA-256 (32 bytes), and give it with its new id; a digest that is known is a `ConflictError`.

    `ttl`: seconds until it expires, None for never. `label`: up to 243 printable characters.
    """

    digest: bytes = field(repr=False)
    grants: tuple[Grant, ...]
    label: str | None = None
    ttl: float | None = None


@record
class FindToken(Op[Token | None]):
    """The token with this SHA-256, expired and revoked ones too, or None."""

    digest: bytes = field(repr=False)


@record
class ListTokens(Op[list[Token]]):
    """All tokens, oldest first."""


@record
class RevokeToken(Op[bool]):
    """Revoke a token for good, tell whether there was one with this id that was not revoked."""

    id: str


@record
class TouchToken(Op[None]):
    """Note that a token is used now; writes nothing where an hour has not passed since the last note."""

    id: str
