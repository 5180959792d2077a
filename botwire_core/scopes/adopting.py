"""What carries the registry of scopes from one store into another."""

from __future__ import annotations

from botwire_core.protocol import Op
from botwire_core.records import record
from botwire_core.scopes.ops import ScopedNamespace, Use

__all__ = ["AdoptScoped"]


@record
class AdoptScoped(Op[int]):
    """Enter namespaces of scopes of one base as another store's registry had them, and give how many were new.

    Their namespaces are carried by `ImportFamily` before; here they become those of their scopes, and `uses` are
    recorded with them. A name that the registry knows already is left alone with its uses, and so is what has expired.
    An experiment goes on from its pin where the base came with the snapshot that keeps it; else nothing more can start
    from it. One of another base is an `InvalidValueError`.
    """

    namespace: str
    places: tuple[ScopedNamespace, ...]
    uses: tuple[Use, ...] = ()
