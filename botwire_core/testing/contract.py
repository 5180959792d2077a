"""What all contracts share: the test that none of theirs was lost on the way."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

__all__ = ["Contract"]


class Contract:
    """Base of every contract class.

    A subclass gives the fixtures that its contract asks for, and may add tests. It neither drops nor
    replaces one; where a test cannot pass yet, it overrides it with `@pytest.mark.xfail(reason="...")`.
    """

    def test_contract_is_whole(self) -> None:
        lost = [name for name in _promised(type(self)) if not _kept(type(self), name)]
        assert not lost, f"dropped or replaced without xfail(reason=...): {', '.join(sorted(lost))}"


def _promised(kind: type) -> Iterator[str]:
    """The names of all tests of all contracts above a class, and of `run`, which makes each run in both colours."""
    for contract in kind.__mro__:
        if _shipped(contract):
            yield from (name for name in vars(contract) if name.startswith("test_") or name == "run")


def _kept(kind: type, name: str) -> bool:
    holder = next(one for one in kind.__mro__ if name in vars(one))
    if _shipped(holder):
        return True
    marks = getattr(inspect.getattr_static(kind, name), "pytestmark", [])
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)


def _shipped(kind: type) -> bool:
    return kind.__module__.split(".")[:2] == ["botwire_core", "testing"]
