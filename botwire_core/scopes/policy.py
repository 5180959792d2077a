"""How experiments are isolated: configuration, where a scope is identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal, TypeAlias, get_args

from botwire_core.arguments import check_ttl
from botwire_core.errors import InvalidValueError
from botwire_core.records import record, replace
from botwire_core.scopes.naming import ISOLATIONS, Isolation

__all__ = [
    "DEFAULT_POLICY",
    "OnUnscoped",
    "ScopePolicy",
    "current_policy",
    "policy_here",
    "policy_with",
    "scope_policy",
]

OnUnscoped: TypeAlias = Literal["adopt", "error", "warn", "base"]
WEEK: Final = 7 * 86400.0


@record
class ScopePolicy:
    """What a scope means for the memories that are used in it.

    `isolation` says who shares: "off" (everybody), "version" (all runs of a variant), "run", "datapoint". `seed` is
    what scoped memories start from: "base", "empty", or "snapshot:LABEL" of the base. `on_unscoped` says what
    happens while a run is under way to code that does not know its scope, such as a bare thread: it is refused
    ("error"), works on the base with a warning ("warn") or without ("base"), or is taken for a part of the one run
    that is under way, if it began after it ("adopt"). Scoped memories expire after `expires_after` seconds.
    """

    isolation: Isolation = "run"
    seed: str = "base"
    on_unscoped: OnUnscoped = "error"
    expires_after: float | None = WEEK

    def __post_init__(self) -> None:
        if self.isolation not in ISOLATIONS:
            raise InvalidValueError(f"isolation: {self.isolation!r} is unknown", hint=f"use one of {_or(ISOLATIONS)}")
        if self.on_unscoped not in get_args(OnUnscoped):
            raise InvalidValueError(
                f"on_unscoped: {self.on_unscoped!r} is unknown", hint=f"use one of {_or(get_args(OnUnscoped))}"
            )
        label = isinstance(self.seed, str) and self.seed.startswith("snapshot:") and len(self.seed) > len("snapshot:")
        if self.seed not in ("base", "empty") and not label:
            raise InvalidValueError(f"seed: {self.seed!r} is unknown", hint='use "base", "empty" or "snapshot:LABEL"')
        check_ttl(self.expires_after)


DEFAULT_POLICY: Final = ScopePolicy()

_policy: ContextVar[ScopePolicy] = ContextVar("botwire_scope_policy", default=DEFAULT_POLICY)
_said: ContextVar[frozenset[str]] = ContextVar("botwire_scope_policy_said", default=frozenset())
"""The members that blocks have said, so that a framework's own default never overrules them."""


def current_policy() -> ScopePolicy:
    """The policy that holds here."""
    return _policy.get()


def policy_with(**defaults: Any) -> ScopePolicy:
    """The policy that holds here, with these members where no `scope_policy` block has said them."""
    said = _said.get()
    return replace(_policy.get(), **{name: value for name, value in defaults.items() if name not in said})


@contextmanager
def policy_here(policy: ScopePolicy) -> Iterator[None]:
    """Let a whole policy hold in this block, such as the one of the run that a thread works for."""
    token, said = _policy.set(policy), _said.set(frozenset(ScopePolicy.__match_args__))
    try:
        yield
    finally:
        _said.reset(said)
        _policy.reset(token)


@contextmanager
def scope_policy(
    *,
    isolation: Isolation | None = None,
    seed: str | None = None,
    on_unscoped: OnUnscoped | None = None,
    expires_after: float | None = None,
) -> Iterator[ScopePolicy]:
    """Isolate what runs in this block in another way; what is not given stays as it is.

    See `ScopePolicy` for the arguments; `expires_after` is in seconds.

    >>> with scope_policy(isolation="datapoint", seed="empty") as policy:
    ...     policy.isolation, policy.on_unscoped
    ('datapoint', 'error')
    """
    given = {"isolation": isolation, "seed": seed, "on_unscoped": on_unscoped, "expires_after": expires_after}
    given = {name: value for name, value in given.items() if value is not None}
    policy = replace(_policy.get(), **given)
    token, said = _policy.set(policy), _said.set(_said.get() | given.keys())
    try:
        yield policy
    finally:
        _said.reset(said)
        _policy.reset(token)


def _or(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))
