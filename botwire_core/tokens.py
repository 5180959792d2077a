"""Tokens: how one is made, told from other text, and shown.

A token is `bw_<kind>_`, 30 random characters, and a checksum of 6. The prefix and the checksum let a scanner for leaked
secrets be sure without asking anybody, and let a server refuse mistyped ones without looking them up. A store never
holds a token, only its digest: 178 random bits cannot be guessed, so a slow hash would only slow the server down.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

from botwire_core.errors import InvalidValueError

__all__ = ["MAX_TOKEN_BYTES", "digest_of", "looks_right", "new_token", "shown_token"]

MAX_TOKEN_BYTES: Final = 64

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARACTERS: Final = 30
_CHECKSUM_CHARACTERS: Final = 6
_KIND = re.compile(r"[a-z]{1,16}", re.ASCII)
_TOKEN = re.compile(rb"(bw_[a-z]{1,16}_[0-9A-Za-z]{30})([0-9A-Za-z]{6})")


def new_token(kind: str = "user") -> str:
    """Make a token; `kind` (1 to 16 small letters) is for whoever finds it: what was leaked.

    Raises:
        InvalidValueError: the kind is something else.

    >>> looks_right(new_token("admin"))
    True
    """
    if not _KIND.fullmatch(kind):
        raise InvalidValueError(f"{kind!a} is no kind of token", hint="use 1 to 16 small letters")
    body = f"bw_{kind}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return body + _checksum(body.encode()).decode()


def looks_right(token: str | bytes) -> bool:
    """Whether this is a token that was made here: its form and its checksum, not whether any store knows it.

    >>> looks_right("bw_user_short"), looks_right("é" * 10_000_000)
    (False, False)
    """
    if len(token) > MAX_TOKEN_BYTES:
        return False
    match = _TOKEN.fullmatch(_bytes(token))
    return match is not None and _checksum(match[1]) == match[2]


def digest_of(token: str | bytes) -> bytes:
    """What a store keeps of a token: its SHA-256."""
    return hashlib.sha256(_bytes(token)).digest()


def shown_token(token: str) -> str:
    """The only form in which a token may be shown after it was made.

    >>> shown_token("not a token")
    'bw_…'
    """
    return f"bw_…{token[-4:]}" if looks_right(token) else "bw_…"


def _bytes(token: str | bytes) -> bytes:
    return token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")


def _checksum(body: bytes) -> bytes:
    number = zlib.crc32(body)
    characters = []
    for _ in range(_CHECKSUM_CHARACTERS):
        number, rest = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[rest])
    return "".join(reversed(characters)).encode()
