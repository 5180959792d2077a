"""What a store keeps beside its namespaces, carried into another: tokens, and the registry of scopes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from botwire_core.family_settled import CLOCKS_APART
from botwire_core.protocol import Op
from botwire_core.scopes.adopting import AdoptScoped
from botwire_core.scopes.ops import ListScoped, ReadUses, ScopedNamespace
from botwire_core.service import CreateToken, ListTokens, RevokeToken, Token
from botwire_core.store import Store

__all__ = ["carry_scopes", "carry_tokens"]

_AT_ONCE: Final = 0.001


def carry_tokens(source: Store, target: Store, *, dry_run: bool, now: float) -> tuple[int, list[str]]:
    """Give the target the tokens of the source that it lacks, and revoke there what is revoked here.

    `now` is in epoch seconds. Gives how many were written (or with `dry_run` would be), and the ids of those that the
    target has with other grants or another expiry, in the order of the source. Nothing where one of the two keeps none.

    What has ended comes too, and is not good for a moment: who wrote an entry can still be told by its id.
    """
    if not _keep_records(source, target):
        return 0, []
    there = {token.digest: token for token in target.run(ListTokens())}
    todo: list[Op[Any]] = []
    written, differing = 0, []
    for token in source.run(ListTokens()):
        known = there.get(token.digest)
        if known is None:
            todo.append(CreateToken(token.digest, token.grants, token.label, _seconds_left(token, now)))
        elif known.grants != token.grants or _apart(known, token) > CLOCKS_APART:
            differing.append(token.id)
            continue
        to_revoke = token.revoked_at is not None and (known is None or known.revoked_at is None)
        if to_revoke:
            todo.append(RevokeToken(token.id))
        written += known is None or to_revoke
    if not dry_run:
        for op in todo:
            target.run(op)
    return written, differing


def _seconds_left(token: Token, now: float) -> float | None:
    if token.revoked_at is not None:
        return _AT_ONCE  # else it would be good until it is revoked, which a kill may prevent
    return None if token.expires_at is None else max(token.expires_at.timestamp() - now, _AT_ONCE)


def _apart(one: Token, other: Token) -> float:
    """By how many seconds the ends of two tokens differ; none where either is revoked, which ends it."""
    if one.revoked_at is not None or other.revoked_at is not None or one.expires_at == other.expires_at:
        return 0.0
    if one.expires_at is None or other.expires_at is None:
        return float("inf")
    return abs((one.expires_at - other.expires_at).total_seconds())


def carry_scopes(source: Store, target: Store, carried: Collection[str], *, dry_run: bool) -> int:
    """Let those namespaces of scopes that were carried belong to their scopes at the target too.

    What was recorded of their use comes too. Gives how many the target did not know; 0 where one keeps no records.
    """
    if not _keep_records(source, target):
        return 0
    known = {place.name for place in target.run(ListScoped())}
    by_base: dict[str, list[ScopedNamespace]] = {}
    for place in source.run(ListScoped()):
        if place.name in carried and place.name not in known:
            by_base.setdefault(place.base, []).append(place)
    if dry_run:
        return sum(map(len, by_base.values()))
    written = 0
    for base, places in by_base.items():
        # What was counted for code that lost its scope stands under the name of the run.
        runs = [place.name.rpartition("~")[0] for place in places if place.isolation == "datapoint"]
        names = dict.fromkeys([*(place.name for place in places), *runs])
        uses = [use for name in names for use in source.run(ReadUses(name, base))]
        written += target.run(AdoptScoped(base, tuple(places), tuple(uses)))
    return written


def _keep_records(*stores: Store) -> bool:
    return all("service" in store.features for store in stores)
