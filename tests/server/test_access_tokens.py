"""Who comes with which token: rows A4 to A7."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from server.granting import Desk, bearer, give

from botwire_core.errors import BotWireError, QuotaExceededError, UnauthorizedError
from botwire_core.protocol import Op
from botwire_core.records import replace
from botwire_core.service import FindToken, ListTokens, RevokeToken, TouchToken
from botwire_core.store import Limits, Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_core.testing import ManualClock
from botwire_core.tokens import digest_of, new_token
from botwire_server.access import ANYBODY
from botwire_server.config import ServerConfig

R = TypeVar("R")


class Seen:
    """A store around a store that keeps what it was asked."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.ops: list[Op[Any]] = []
        self.features: frozenset[str] = inner.features
        self.limits: Limits = inner.limits

    def run(self, op: Op[R]) -> R:
        self.ops.append(op)
        return self.inner.run(op)

    async def arun(self, op: Op[R]) -> R:
        self.ops.append(op)
        return await self.inner.arun(op)

    def close(self) -> None:
        self.inner.close()

    async def aclose(self) -> None:
        await self.inner.aclose()

    def count(self, kind: type[Op[Any]]) -> int:
        return sum(type(op) is kind for op in self.ops)


@pytest.fixture
def store(clock: ManualClock) -> Seen:
    return Seen(DictStore(clock=clock))


@pytest.fixture
def desk(store: Seen, clock: ManualClock) -> Desk:
    return Desk(store, clock=clock)


async def test_a_good_token_is_known_by_its_id_and_grants(desk: Desk) -> None:
    secret, token = give(desk.store, "a:read,write", "b.*:read")
    identity = await desk.come(secret)
    assert identity.id == token.id
    assert identity.grants == token.grants
    for scheme in (b"bearer ", b"BEARER "):
        headers = {b"authorization": scheme + secret.encode()}
        assert await desk.access.identify(headers, "192.0.2.1") == identity


HEADERS = [
    b"", b" ", b"Bearer", b"Bearer ", b"Bearer  ", b"Bearer bw_", b"Basic %s", b"Token %s", b"%s", b"Bearer%s",
    b"Bearer  %s", b"Bearer %s ", b"Bearer %s\x00", b'Bearer "%s"', b"Bearer %s,%s", b"Bearer %s; x=y",
    b"Bearer \xc3\xa9%s", b"Bearer \xff\xfe", b"Bearer " + b"\xc3\xa9" * 22, b"Bearer " + b"x" * 10_000_000,
    b"Bearer bw_user_" + b"0" * 36, b"Digest username=%s",
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: repr(header[:20]))
async def test_a4_anything_but_one_bearer_token_is_unauthorized(desk: Desk, header: bytes) -> None:
    secret, _ = give(desk.store, "a:read")
    value = header.replace(b"%s", secret.encode())
    with pytest.raises(UnauthorizedError) as caught:
        await desk.access.identify({b"authorization": value}, "192.0.2.1")
    assert secret not in str(caught.value)


@pytest.mark.parametrize("name", [b"cookie", b"x-api-key", b"proxy-authorization", b"authorisation", b"token"])
async def test_a4_a_token_anywhere_else_is_no_token(desk: Desk, name: bytes) -> None:
    secret, _ = give(desk.store, "a:read")
    with pytest.raises(UnauthorizedError, match="a token is needed"):
        await desk.access.identify({name: b"Bearer " + secret.encode()}, "192.0.2.1")


async def test_a5_the_store_is_asked_for_a_digest_of_the_whole_token_and_nothing_else(desk: Desk, store: Seen) -> None:
    secret, _ = give(desk.store, "a:read")
    store.ops.clear()
    await desk.come(secret)
    wrong = new_token()
    with pytest.raises(UnauthorizedError):
        await desk.come(wrong)
    asked = [op for op in store.ops if type(op) is FindToken]
    assert asked == [FindToken(digest_of(secret)), FindToken(digest_of(wrong))]
    assert not [op for op in store.ops if secret in repr(op) or wrong in repr(op)]


async def test_a5_a_mistyped_token_is_refused_without_a_look_into_the_store(desk: Desk, store: Seen) -> None:
    secret, _ = give(desk.store, "a:read")
    store.ops.clear()
    with pytest.raises(UnauthorizedError):
        await desk.come(secret[:-1] + ("x" if secret[-1] != "x" else "y"))
    assert store.ops == []


async def test_a5_a_store_that_answers_with_another_token_lets_nobody_in(store: Seen, clock: ManualClock) -> None:
    class Confused(Seen):
        async def arun(self, op: Op[R]) -> R:
            found: Any = await super().arun(op)
            return replace(other, digest=other.digest[:-1] + b"?") if type(op) is FindToken else found  # type: ignore[return-value]

    secret, other = give(store, "*:all")
    with pytest.raises(UnauthorizedError):
        await Desk(Confused(store), clock=clock).come(secret)


async def test_a6_of_a_hundred_wrong_tokens_a_second_most_are_told_429(desk: Desk) -> None:
    secret, _ = give(desk.store, "a:read")
    answers = []
    for _ in range(100):
        desk.clock.advance(0.01)
        try:
            await desk.come(new_token())
        except BotWireError as error:
            answers.append(error)
        assert await desk.come(secret), "a good token of the same address is let in all the while"
    told = [error for error in answers if isinstance(error, QuotaExceededError)]
    assert len(answers) == 100
    assert 75 <= len(told) <= 85
    assert all(1 <= error.retry_after <= 2 for error in told)
    with pytest.raises(UnauthorizedError):
        await desk.come(new_token(), "192.0.2.2")
    desk.clock.advance(30)
    with pytest.raises(UnauthorizedError):
        await desk.come(new_token())


async def test_a6_an_ipv6_customer_is_one_address(desk: Desk) -> None:
    give(desk.store, "a:read")
    with pytest.raises(QuotaExceededError):
        for number in range(100):
            with pytest.raises(UnauthorizedError):
                await desk.come(new_token(), f"2001:db8::{number + 1:x}")
    with pytest.raises(UnauthorizedError):
        await desk.come(new_token(), "2001:db8:0:1::1")


async def test_a6_behind_a_proxy_the_address_is_the_one_that_the_proxy_saw(desk: Desk) -> None:
    give(desk.store, "a:read")

    async def wrong(forwarded: bytes) -> None:
        headers = {**bearer(new_token()), b"x-forwarded-for": forwarded}
        with pytest.raises(UnauthorizedError):
            await desk.access.identify(headers, "127.0.0.1")

    with pytest.raises(QuotaExceededError):
        for number in range(100):
            await wrong(b"198.51.100.%d, 192.0.2.1" % number)
    await wrong(b"192.0.2.1, 198.51.100.1")


async def test_a6_without_a_proxy_nobody_says_where_he_comes_from(store: Seen, clock: ManualClock) -> None:
    give(store, "a:read")
    desk = Desk(store, ServerConfig(), clock)
    with pytest.raises(QuotaExceededError):
        for number in range(100):
            headers = {**bearer(new_token()), b"x-forwarded-for": b"198.51.100.%d" % number}
            with pytest.raises(UnauthorizedError):
                await desk.access.identify(headers, "192.0.2.1")


@pytest.fixture
def file(tmp_path: Path, clock: ManualClock) -> Iterator[tuple[SqliteStore, SqliteStore]]:
    """Two servers' stores on one file."""
    stores = [SqliteStore(tmp_path / "memory.db", durability="normal", clock=clock) for _ in range(2)]
    yield stores[0], stores[1]
    for one in stores:
        one.close()


async def test_a7_a_revocation_on_one_server_is_known_to_the_other_within_five_seconds(
    file: tuple[SqliteStore, SqliteStore], clock: ManualClock
) -> None:
    here, there = (Desk(store, clock=clock) for store in file)
    secret, token = give(file[0], "a:read")
    kept, _ = give(file[0], "a:read")
    for desk in (here, there):
        assert (await desk.come(secret)).id == token.id
        await desk.come(kept)
    assert file[0].run(RevokeToken(token.id))
    clock.advance(4.9)
    for desk in (here, there):
        with pytest.raises(UnauthorizedError):
            await desk.come(secret)
        await desk.come(kept)


async def test_a7_a_token_that_expires_is_refused_from_that_moment_on(desk: Desk) -> None:
    secret, _ = give(desk.store, "a:read", ttl=60)
    await desk.come(secret)
    desk.clock.advance(59.5)
    await desk.come(secret)
    desk.clock.advance(0.5)
    with pytest.raises(UnauthorizedError):
        await desk.come(secret)


async def test_a_token_is_not_looked_up_again_for_each_request(desk: Desk, store: Seen) -> None:
    secret, _ = give(desk.store, "a:read")
    store.ops.clear()
    for _ in range(50):
        await desk.come(secret)
    assert store.count(FindToken) == 1
    desk.clock.advance(5)
    await desk.come(secret)
    assert store.count(FindToken) == 2


async def test_a_new_token_is_good_at_once_though_it_was_tried_before(desk: Desk) -> None:
    from botwire_core.grants import grant_from_text
    from botwire_core.service import CreateToken

    secret = new_token()
    give(desk.store, "a:read")
    with pytest.raises(UnauthorizedError):
        await desk.come(secret)
    desk.store.run(CreateToken(digest_of(secret), (grant_from_text("a:read"),)))
    assert await desk.come(secret)


async def test_a_use_is_noted_about_once_an_hour_and_not_at_each_request(desk: Desk, store: Seen) -> None:
    secret, _ = give(desk.store, "a:read")
    for _ in range(100):
        await desk.come(secret)
        desk.clock.advance(30)
    assert store.count(TouchToken) == 1
    (token,) = store.run(ListTokens())
    assert token.last_used_at is not None
    desk.clock.advance(3600)
    await desk.come(secret)
    assert store.count(TouchToken) == 2


async def test_a_use_that_cannot_be_noted_is_no_reason_to_refuse(store: Seen, clock: ManualClock) -> None:
    from botwire_core.errors import StoreReadOnlyError

    class ReadOnly(Seen):
        async def arun(self, op: Op[R]) -> R:
            if type(op) is TouchToken:
                raise StoreReadOnlyError("read only")
            return await super().arun(op)

    secret, token = give(store, "a:read")
    assert (await Desk(ReadOnly(store), clock=clock).come(secret)).id == token.id


async def test_without_tokens_this_machine_may_do_everything_until_there_is_one(
    store: Seen, clock: ManualClock
) -> None:
    desk = Desk(store, ServerConfig(), clock)
    assert await desk.access.identify({}, "127.0.0.1") is ANYBODY
    secret, token = give(store, "a:read")
    clock.advance(5)
    with pytest.raises(UnauthorizedError):
        await desk.access.identify({}, "127.0.0.1")
    assert (await desk.come(secret)).id == token.id
    store.run(RevokeToken(token.id))
    clock.advance(5)
    with pytest.raises(UnauthorizedError):
        await desk.access.identify({}, "127.0.0.1")


@pytest.mark.parametrize(
    "config", [ServerConfig(host="0.0.0.0"), ServerConfig(behind_proxy=True), ServerConfig(host="192.0.2.1")]
)
async def test_a_server_that_others_reach_is_never_open(store: Seen, config: ServerConfig, clock: ManualClock) -> None:
    with pytest.raises(UnauthorizedError):
        await Desk(store, config, clock).access.identify({}, "127.0.0.1")


async def test_only_insecure_opens_a_server_that_others_reach(store: Seen, clock: ManualClock) -> None:
    desk = Desk(store, ServerConfig(host="0.0.0.0", insecure=True), clock)
    assert await desk.access.identify({}, "192.0.2.1") is ANYBODY
