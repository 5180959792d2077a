"""Tokens: kept by their digests, found, listed, revoked."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from botwire_core.clock import from_microseconds
from botwire_core.errors import ConflictError, InvalidNamespaceError, InvalidValueError
from botwire_core.service import CreateToken, FindToken, Grant, ListTokens, RevokeToken, Token, TouchToken
from botwire_core.testing.clock import ManualClock
from botwire_core.testing.stores.bench import StoreBench
from botwire_core.testing.stores.space import Run

__all__ = ["TokenContract"]

_GRANTS = (Grant("support.*", frozenset({"read", "write"})), Grant("*", frozenset({"admin"})))


def _digest(name: str) -> bytes:
    return sha256(name.encode()).digest()


class TokenContract(StoreBench):
    """A store never has a token, only what tells that it was given one."""

    def create(self, run: Run, name: str, ttl: float | None = None) -> Token:
        return run(CreateToken(_digest(name), _GRANTS, name, ttl))

    def test_a_token_is_found_by_its_digest_as_it_was_made(self, run: Run, clock: ManualClock) -> None:
        token = self.create(run, "one", ttl=60)
        assert run(FindToken(_digest("one"))) == token
        assert (token.digest, token.grants, token.label) == (_digest("one"), _GRANTS, "one")
        assert token.created_at == from_microseconds(round(clock() * 1e6))
        assert token.expires_at == token.created_at + timedelta(seconds=60)
        assert (token.revoked_at, token.last_used_at) == (None, None)
        assert run(FindToken(_digest("two"))) is None
        assert run(FindToken(b"")) is None

    def test_tokens_are_listed_oldest_first(self, run: Run, clock: ManualClock) -> None:
        assert run(ListTokens()) == []
        made = []
        for name in "cab":
            made.append(self.create(run, name))
            clock.advance(1)
        assert run(ListTokens()) == made
        assert len({token.id for token in made}) == 3

    def test_a_token_that_is_there_is_not_made_again(self, run: Run) -> None:
        token = self.create(run, "one")
        with pytest.raises(ConflictError):
            run(CreateToken(_digest("one"), (Grant("*", frozenset({"read"})),)))
        assert run(ListTokens()) == [token]

    def test_a_token_is_revoked_once_and_for_good(self, run: Run, clock: ManualClock) -> None:
        token, other = self.create(run, "one"), self.create(run, "two")
        clock.advance(5)
        assert run(RevokeToken(token.id))
        revoked = run(FindToken(_digest("one")))
        assert revoked is not None
        assert revoked.revoked_at == token.created_at + timedelta(seconds=5)
        assert not revoked.is_valid(token.created_at)
        clock.advance(5)
        assert not run(RevokeToken(token.id))
        assert run(FindToken(_digest("one"))) == revoked
        assert run(FindToken(_digest("two"))) == other
        for unknown in ("", token.id[:6], "x" * 12, token.digest.hex(), "%" * 12):
            assert not run(RevokeToken(unknown))
        assert run(FindToken(_digest("two"))) == other

    def test_an_expired_token_stays_and_is_not_valid(self, run: Run, clock: ManualClock) -> None:
        token = self.create(run, "one", ttl=10)
        assert token.expires_at is not None
        assert token.is_valid(token.expires_at - timedelta(microseconds=1))
        clock.advance(3600)
        assert run(ListTokens()) == [token]
        assert not token.is_valid(token.expires_at)

    def test_a_use_is_noted_about_once_an_hour(self, run: Run, clock: ManualClock) -> None:
        token = self.create(run, "one")
        noted = []
        for seconds in (0, 1800, 1800, 3599, 1):
            clock.advance(seconds)
            run(TouchToken(token.id))
            used = run(FindToken(_digest("one")))
            assert used is not None
            assert used.last_used_at is not None
            noted.append((used.last_used_at - token.created_at).total_seconds())
        assert noted == [0, 0, 3600, 3600, 7200]
        run(TouchToken("unknown"))

    def test_what_makes_no_token_is_refused(self, run: Run) -> None:
        for digest in (b"", b"x" * 31, b"x" * 33):
            with pytest.raises(InvalidValueError):
                run(CreateToken(digest, _GRANTS))
        with pytest.raises(InvalidValueError):
            run(CreateToken(_digest("one"), ()))
        for label in ("", "a\nb", "x" * 244):
            with pytest.raises(InvalidValueError):
                run(CreateToken(_digest("one"), _GRANTS, label))
        for ttl in (0, -1, float("nan")):
            with pytest.raises(InvalidValueError):
                run(CreateToken(_digest("one"), _GRANTS, ttl=ttl))
        for pattern in ("", "a*", ".tokens", "a/b", "*.a"):
            with pytest.raises(InvalidNamespaceError):
                Grant(pattern, frozenset({"read"}))
        for verbs in (frozenset[str](), frozenset({"read", "own"})):
            with pytest.raises(InvalidValueError):
                Grant("a", verbs)
        assert run(ListTokens()) == []

    def test_neither_a_token_nor_its_digest_is_in_what_is_shown(self, run: Run) -> None:
        token = self.create(run, "one")
        shown = repr((token, CreateToken(_digest("one"), _GRANTS), FindToken(_digest("one"))))
        assert token.digest.hex()[12:] not in shown
        assert repr(token.digest) not in shown
