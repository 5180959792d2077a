"""How the tests give tokens: a store that has some, and who asks with which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botwire_core.codec import encode
from botwire_core.grants import grant_from_text
from botwire_core.protocol import Fork, Op, Set
from botwire_core.service import CreateToken, Token
from botwire_core.store import Store
from botwire_core.testing import ManualClock
from botwire_core.tokens import digest_of, new_token
from botwire_server.access import Access, Identity
from botwire_server.config import ServerConfig

__all__ = ["Desk", "bearer", "give", "put"]


def give(store: Store, *grants: str, ttl: float | None = None, label: str | None = None) -> tuple[str, Token]:
    """A new token of a store: the secret, and what the store knows of it."""
    secret = new_token()
    return secret, store.run(CreateToken(digest_of(secret), tuple(map(grant_from_text, grants)), label, ttl))


def bearer(secret: str | bytes) -> dict[bytes, bytes]:
    return {b"authorization": b"Bearer " + (secret if isinstance(secret, bytes) else secret.encode())}


def put(store: Store, namespace: str, *forks: str) -> None:
    """A namespace with a key, and forks of it."""
    store.run(Set(namespace, "key", encode(namespace)))
    for name in forks:
        store.run(Fork(namespace, name))


@dataclass
class Desk:
    """Where somebody asks: a store, its access, and clocks that the test turns."""

    store: Store
    config: ServerConfig = field(default_factory=lambda: ServerConfig(host="0.0.0.0", behind_proxy=True))
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.access = Access(self.store, self.config, clock=self.clock, monotonic=self.clock)

    def known(self, *grants: str) -> Identity:
        """Somebody with these grants."""
        return Identity("test", tuple(map(grant_from_text, grants)))

    async def come(self, secret: str | bytes, peer: str = "192.0.2.1") -> Identity:
        return await self.access.identify(bearer(secret), peer)

    async def may(self, identity: Identity, op: Op[Any]) -> bool:
        from botwire_core.errors import ForbiddenError

        try:
            await self.access.authorise(identity, op)
        except ForbiddenError:
            return False
        return True


Clocked = Callable[[ManualClock], Store]
