"""Tokens: made of random characters, told from other text by prefix and checksum, and never shown whole."""

from __future__ import annotations

import hashlib
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botwire_core.errors import InvalidValueError
from botwire_core.tokens import digest_of, looks_right, new_token, shown_token

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_token_is_a_prefix_thirty_random_characters_and_a_checksum() -> None:
    token = new_token("admin")
    assert re.fullmatch(r"bw_admin_[0-9A-Za-z]{36}", token)
    number = 0
    for character in token[-6:]:
        number = number * 62 + BASE62.index(character)
    assert number == zlib.crc32(token[:-6].encode())


def test_no_two_tokens_are_alike_and_every_character_comes() -> None:
    tokens = [new_token() for _ in range(1000)]
    assert len(set(tokens)) == 1000
    assert {character for token in tokens for character in token[8:38]} == set(BASE62)


def test_every_token_looks_right_as_text_and_as_bytes() -> None:
    token = new_token()
    assert looks_right(token)
    assert looks_right(token.encode())


def test_a_token_with_one_character_changed_does_not() -> None:
    token = new_token()
    for place in range(len(token)):
        for other in "xX0_-é\n\0":
            changed = token[:place] + other + token[place + 1 :]
            assert changed == token or not looks_right(changed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bw_",
        "bw_user_",
        "é" * 44,
        "\ud800" * 44,
        "x" * 10_000_000,
        b"\xff" * 44,
        b"\x00",
        new_token() + "\n",
        " " + new_token(),
    ],
    ids=lambda text: repr(text[:8]),
)
def test_what_is_no_token_does_not_look_right(text: str | bytes) -> None:
    assert not looks_right(text)


@given(st.one_of(st.text(), st.binary()))
def test_no_text_makes_the_check_fail(text: str | bytes) -> None:
    assert not looks_right(text)
    assert len(digest_of(text)) == 32


def test_the_digest_is_the_sha_256_of_the_whole() -> None:
    token = new_token()
    assert digest_of(token) == digest_of(token.encode()) == hashlib.sha256(token.encode()).digest()


def test_a_token_is_shown_by_its_last_four_characters() -> None:
    token = new_token()
    assert shown_token(token) == f"bw_…{token[-4:]}"
    assert shown_token("password") == "bw_…"


@pytest.mark.parametrize("kind", ["", "Admin", "a" * 17, "a_b", "é", "1"])
def test_a_kind_is_small_letters(kind: str) -> None:
    with pytest.raises(InvalidValueError, match="no kind of token"):
        new_token(kind)
