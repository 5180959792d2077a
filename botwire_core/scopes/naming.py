"""The name of the namespace that belongs to a place in an experiment.

`<base>@<variant>[~<run>[~<datapoint>[.t<trial>]]]`: which memory, which prompt version, which run, which question.
Parts that are plain stand as they are; anything else is made readable and gets a digest, so that two different ids
never share a name. The way back is the registry, which keeps every id whole.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from botwire_core.errors import ScopeError
from botwire_core.names import check_namespace
from botwire_core.scopes.scope import Scope

__all__ = ["ISOLATIONS", "Isolation", "effective_isolation", "is_place_of", "name_of_base", "scoped_name"]

Isolation: TypeAlias = Literal["off", "version", "run", "datapoint"]
ISOLATIONS: Final = ("off", "version", "run", "datapoint")

_PART: Final = 48
_BASE: Final = 96
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_PLAIN_BASE = re.compile(r"[A-Za-z0-9_\-:+][A-Za-z0-9._\-:+]*", re.ASCII)
# What a slug ends with, and what a trial does: a plain id that looks like one is slugged too, or could be mistaken.
_RESERVED_END = re.compile(r"-h[0-9a-f]{10}$|\.t[0-9]+$", re.ASCII)


def effective_isolation(scope: Scope, isolation: Isolation) -> Isolation:
    """The level at which a scope can be told from others: a variant that is not known is isolated by its run.

    Raises:
        ScopeError: an id that the level needs is not known; a wider level is never taken in its place.
    """
    if isolation == "version" and scope.variant is None:
        isolation = "run"
    if isolation in ("run", "datapoint") and scope.run_id is None:
        raise ScopeError(
            f"memory is isolated by {isolation}, and the run is not known",
            hint='pass run_id= to scope(), or let runs of a version share with scope_policy(isolation="version")',
        )
    if isolation == "datapoint" and scope.datapoint_id is None:
        raise ScopeError(
            "memory is isolated by datapoint, and the datapoint is not known",
            hint="pass datapoint_id= to scope(), or carry the scope into the thread with bind(function)",
        )
    return isolation


def scoped_name(base: str, scope: Scope, isolation: Isolation) -> str:
    """The name of the namespace on which code in this scope works in place of `base`.

    The same ids always give the same name, and other ids another one.

    Raises:
        ScopeError: an id that the level needs is not known.

    >>> scoped_name("customer-service", Scope(variant="prv_1", run_id="r7"), "run")
    'customer-service@prv_1~r7'
    >>> scoped_name("customer-service", Scope(run_id="r7", datapoint_id="d3", trial=2), "datapoint")
    'customer-service@~r7~d3.t2'
    >>> scoped_name("customer-service", Scope(variant="answer/3"), "version")
    'customer-service@answer-3-h89c7ab2710'
    """
    level = effective_isolation(scope, isolation)
    if level == "off":
        return base
    name = f"{name_of_base(base)}@{'' if scope.variant is None else _slug(scope.variant, _PART)}"
    if level in ("run", "datapoint"):
        assert scope.run_id is not None
        name += f"~{_slug(scope.run_id, _PART)}"
    if level == "datapoint":
        assert scope.datapoint_id is not None
        trial = "" if scope.trial is None else f".t{scope.trial}"
        name += f"~{_slug(scope.datapoint_id, _PART - len(trial))}{trial}"
    return check_namespace(name)


def name_of_base(base: str) -> str:
    """What stands for a memory before the @: its name, or a readable form of it with a digest."""
    # A base that holds @ or ~ would be taken for a scoped name of another base.
    if _PLAIN_BASE.fullmatch(base) and len(base) <= _BASE and not _RESERVED_END.search(base):
        return base
    return _with_digest(base, _BASE)


def is_place_of(base: str, name: str) -> bool:
    """Whether a name is one that scopes give to the forks of a base, and of no other."""
    return name.startswith(f"{name_of_base(base)}@")


def _slug(part: str, room: int) -> str:
    if _PLAIN.fullmatch(part) and len(part) <= room and not _RESERVED_END.search(part):
        return part
    return _with_digest(part, room)


def _with_digest(text: str, room: int) -> str:
    digest = f"-h{sha256(text.encode(errors='surrogatepass')).hexdigest()[:10]}"
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "x"
    return readable[: room - len(digest)].rstrip("-.") + digest
