"""What goes over HTTP for an op: requests, answers, and the two ways in which a request comes to nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from botwire_core.records import field, record

if TYPE_CHECKING:
    from botwire_core.stores.http.spool import Spool

__all__ = ["Answer", "Ask", "Exchange", "Failed", "NoAnswer", "NotSent"]

R = TypeVar("R")


@record
class Ask:
    """A request to send; `path` comes after the path of the server's URL, percent-encoded, with its query.

    `reads` says that it changes nothing although its method is not GET. A request that changes something is sent
    again only where it has a `key`, by which the server knows it again. `parse` makes something of the body of an
    answer of 200; where it raises InvalidValueError, the answer counts as cut off.
    """

    method: str
    path: str
    body: bytes | Spool | None = field(default_factory=lambda: None, repr=False)
    reads: bool = False
    key: str | None = None
    parse: Callable[[bytes], Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"

    @property
    def changes(self) -> bool:
        """Whether the server may do something that lasts."""
        return self.method != "GET" and not self.reads

    @property
    def repeatable(self) -> bool:
        """Whether to send it twice is as good as once."""
        return self.key is not None or not self.changes


@record(frozen=False)
class Answer:
    """What came back, whatever its status; the names of `headers` are in lower case.

    `parsed` is what `Ask.parse` made of the body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    parsed: Any = field(default_factory=lambda: None, repr=False)


Exchange: TypeAlias = Generator[Ask, Answer, R]
"""The requests that an op takes, as a generator that is sent the answers and returns the op's result."""


class Failed(Exception):
    """A request came to nothing; the text says why, and may be shown."""


class NotSent(Failed):
    """No server was reached: nothing was done."""


class NoAnswer(Failed):
    """The request, or a part of it, was sent, and no whole answer came: what was done is not known."""
