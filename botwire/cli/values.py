"""Values on the command line: written out, in a file, or on standard input."""

from __future__ import annotations

import base64
import binascii
import sys
from pathlib import Path

from botwire_core.codec import Value
from botwire_core.errors import InvalidValueError
from botwire_core.exchange import parse_json

__all__ = ["read_value"]


def read_value(argument: str, *, as_text: bool = False, as_bytes: bool = False) -> Value:
    """The value that an argument stands for: itself, `@file` for what is in a file, `-` for standard input.

    It is JSON, unless it is to be taken as text, or as bytes: those of the file or standard input, and base64
    where they are written out.

    Raises:
        InvalidValueError: it is not that.
        OSError: the file cannot be read.
    """
    if as_text and as_bytes:
        raise InvalidValueError("a value is text or bytes, not both", hint="leave out --text or --bytes")
    written_out = argument != "-" and not argument.startswith("@")
    data = argument.encode(errors="surrogateescape") if written_out else _content(argument)
    if as_bytes:
        return _from_base64(data) if written_out else data
    if as_text:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise InvalidValueError(f"the value is not UTF-8: {error.reason}", hint="store it with --bytes") from error
    try:
        return parse_json(data)
    except InvalidValueError as error:
        raise InvalidValueError(
            f"the value is {error.message}", hint="""text needs quotes of its own, '"like this"', or --text"""
        ) from error


def _content(argument: str) -> bytes:
    return sys.stdin.buffer.read() if argument == "-" else Path(argument[1:]).read_bytes()


def _from_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidValueError(
            f"the value is not base64: {error}", hint="name a file with @, or give bytes on standard input with -"
        ) from error
