"""Names for prompt versions that no service has named: by what stands in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from botwire_core.errors import InvalidValueError

__all__ = ["version_of_file", "version_of_kernel"]


def version_of_file(file: Path) -> str:
    """Name the version that a `.prompt` file holds: its stem and 12 digits of the SHA-256 of its text.

    Line ends do not count, since version control may change them.

    Raises:
        InvalidValueError: the file cannot be read.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidValueError(
            f"file: {file} cannot be read: {error.strerror}", hint="pass the path of a .prompt file"
        ) from error
    text = data.replace(b"\r\n", b"\n")
    return f"{file.stem}-{_digest(text)}"


def version_of_kernel(path: str, kernel: Mapping[str, Any]) -> str:
    """Name the version of a prompt that is made in code: the end of its path and 12 digits of what defines it.

    Raises:
        InvalidValueError: the kernel is not JSON.
    """
    try:
        text = json.dumps(kernel, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"version: {error}", hint="pass what defines the prompt, as JSON") from error
    return f"{path.rpartition('/')[2]}-{_digest(text.encode(errors='surrogatepass'))}"


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:12]
