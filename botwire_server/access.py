"""Who asks, and whether he may: tokens to identities, and identities against what an op demands."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botwire_core.errors import BotWireError, ForbiddenError, UnauthorizedError
from botwire_core.grants import EVERYTHING, VERBS, covers
from botwire_core.names import check_namespace
from botwire_core.protocol import Fork, ListNamespaces, Op
from botwire_core.records import record, replace
from botwire_core.scopes.ops import ListScoped
from botwire_core.service import FindToken, Grant, ListTokens, Token, TouchToken
from botwire_core.tokens import MAX_TOKEN_BYTES, digest_of, looks_right
from botwire_server.attempts import WrongTokens
from botwire_server.binding import is_open
from botwire_server.demands import LISTS, WHOLE_STORE, demands
from botwire_server.lineage import Lineage

if TYPE_CHECKING:
    from botwire_core.store import Store
    from botwire_server.config import ServerConfig
    from botwire_server.guard import Headers

__all__ = ["ANYBODY", "Access", "Identity"]

_REMEMBERED_FOR: Final = 2.0
"""Seconds for which a token is not looked up again; a revocation takes effect within them."""
_MOST_REMEMBERED: Final = 10_000
_UNKNOWN: Final = (None, None, 0.0)
_TOUCHED_EVERY: Final = timedelta(hours=1)


@record
class Identity:
    """Who asks: the id of the token ("" for nobody), and what it grants."""

    id: str
    grants: tuple[Grant, ...]

    def allows(self, verb: str, namespace: str) -> bool:
        """Whether a grant gives the verb on the namespace; `*` as a namespace is the whole store."""
        return any(verb in grant.verbs and covers(grant.pattern, namespace) for grant in self.grants)

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything to everything that admin is needed for."""
        return self.allows(*WHOLE_STORE)


ANYBODY: Final = Identity("", (Grant(EVERYTHING, frozenset(VERBS)),))
"""Everybody, where a store without tokens is served on the loopback address."""


class Access:
    """Knows tokens and judges ops. Use it on one event loop."""

    def __init__(
        self,
        store: Store,
        config: ServerConfig,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[Token, Identity, float]] = {}
        self._wrong = WrongTokens(clock=monotonic)
        self._lineage = Lineage(store, clock=monotonic)
        self._may_be_open = is_open(config)
        self._open_until = -1.0

    async def identify(self, headers: Headers, peer: str) -> Identity:
        """Who sends these headers from that address.

        Raises:
            UnauthorizedError: there is no token, or one that is wrong, expired or revoked.
            QuotaExceededError: too many wrong ones came from there.
        """
        if self._may_be_open and await self._is_open():
            return ANYBODY
        given = headers.get(b"authorization")
        if given is None:
            raise _unauthorized("a token is needed")
        scheme, _, secret = given.partition(b" ")
        if scheme.lower() == b"bearer" and len(secret) <= MAX_TOKEN_BYTES:
            identity = await self._find(secret)
            if identity is not None:
                return identity
        self._wrong.count(self._address(headers, peer))
        raise _unauthorized("the token is not valid")

    async def authorise(self, identity: Identity, op: Op[Any]) -> None:
        """Let an op pass if all that it demands is granted.

        Raises:
            ForbiddenError: something is not, whether or not the namespace exists.
            InvalidNamespaceError: a namespace has a name that none can have.
        """
        for verb, namespace in demands(op):
            if (verb, namespace) != WHOLE_STORE:
                check_namespace(namespace)
            if not identity.allows(verb, namespace) and not await self._in_a_fork(identity, verb, namespace, op):
                raise _forbidden(verb, namespace)

    async def visible(self, identity: Identity, op: Op[Any], result: Any) -> Any:
        """The result of an op as this identity may see it: of a list, the namespaces that it may read.

        Of those, a parent that it may not read is left out.
        """
        if type(op) not in LISTS or identity.is_admin:
            return result
        if type(op) is ListScoped:
            bases = {place.name: frozenset([place.base]) for place in result}
        else:
            bases = await self._lineage.bases_of_all(result)

        def seen(name: str | None) -> bool:
            return name is not None and (
                identity.allows("read", name) or _owns(identity, "read", bases.get(name, frozenset()))
            )

        found = [one for one in result if seen(one.name)]
        if type(op) is ListNamespaces:
            found = [info if seen(info.parent) else replace(info, parent=None) for info in found]
        return found

    def check_admin(self, identity: Identity) -> None:
        """Let pass who may see what belongs to the whole server, such as its metrics.

        Raises:
            ForbiddenError: it is somebody else.
        """
        if not identity.is_admin:
            raise _forbidden(*WHOLE_STORE)

    async def _is_open(self) -> bool:
        """Whether the store never had a token; looked at again now and then, until it has one."""
        now = self._monotonic()
        if now >= self._open_until:
            tokens = await self._store.arun(ListTokens()) if "service" in self._store.features else []
            if tokens:
                self._may_be_open = False
                return False
            self._open_until = now + _REMEMBERED_FOR
        return True

    async def _find(self, secret: bytes) -> Identity | None:
        """The identity of a token that is valid now; None for one that is not."""
        digest = digest_of(secret)
        token, identity, until = self._known.get(digest, _UNKNOWN)
        if token is None or identity is None or self._monotonic() >= until:
            self._known.pop(digest, None)
            if not looks_right(secret):
                return None
            token = await self._store.arun(FindToken(digest))
            if token is None or not hmac.compare_digest(token.digest, digest):
                return None  # and not remembered: it may be made at any time
            identity = Identity(token.id, token.grants)
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[digest] = (token, identity, self._monotonic() + _REMEMBERED_FOR)
            if token.is_valid(self._now()):
                await self._touch(token)
        if token.revoked_at is None and token.expires_at is None:
            return identity
        return identity if token.is_valid(self._now()) else None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _touch(self, token: Token) -> None:
        """Note that a token is in use, where that was not noted for an hour."""
        if token.last_used_at is not None and self._now() - token.last_used_at < _TOUCHED_EVERY:
            return
        try:
            await self._store.arun(TouchToken(token.id))
        except BotWireError:
            return  # a store that cannot be written now still answers reads

    async def _in_a_fork(self, identity: Identity, verb: str, namespace: str, op: Op[Any]) -> bool:
        """Whether a namespace belongs to one on which the identity has the verb, and fork."""
        if type(op) is Fork and namespace == op.name:
            # It is not there yet, and will be a fork of this one and of what that was forked from.
            above = [op.namespace, *await self._lineage.ancestors(op.namespace)]
            return _owns(identity, verb, frozenset(name for name in above if namespace.startswith(f"{name}@")))
        return _owns(identity, verb, await self._lineage.bases(namespace))

    def _address(self, headers: Headers, peer: str) -> str:
        if not self._config.behind_proxy:
            return peer
        # The last one is what our own proxy saw; those before it are what the client says.
        forwarded = headers.get(b"x-forwarded-for", b"").rpartition(b",")[2].strip()
        return forwarded.decode("ascii", "replace") or peer


def _owns(identity: Identity, verb: str, bases: frozenset[str]) -> bool:
    return any(identity.allows(verb, base) and identity.allows("fork", base) for base in bases)


def _unauthorized(message: str) -> UnauthorizedError:
    return UnauthorizedError(
        message, hint="send `Authorization: Bearer bw_...`; `botwire token create` on the server makes one"
    )


def _forbidden(verb: str, namespace: str) -> ForbiddenError:
    where = "the whole store" if namespace == EVERYTHING else f"{namespace!r}"
    return ForbiddenError(
        f"this token does not grant {verb} on {where}",
        hint=f"use one that was made with --grant '{namespace}:{verb}'",
    )
