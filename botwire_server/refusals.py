"""Refusals that only HTTP knows: each is a status, and a code as every error has one."""

from __future__ import annotations

from botwire_core.errors import BotWireError

__all__ = ["RefusedError"]


class RefusedError(BotWireError):
    """A request that is wrong as HTTP, before any op is made of it; `status` and `headers` are those of the reply."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = "",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        retryable: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code  # type: ignore[misc]  # the class has many, by what is wrong
        self.retryable = retryable  # type: ignore[misc]
        self.headers = headers
