"""The item of an experiment that code works for, as Langfuse's SDK tells the context in which it calls the code.

The SDK writes the ids into OpenTelemetry's context, and from there on each span that begins in it. The context is
asked first: a span may not be recorded, and the limits for its attributes may drop them or cut them short.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from botwire_core.records import replace
from botwire_core.scopes import Scope

__all__ = ["EXPERIMENT", "SOURCE", "VARIANT", "item_here"]

SOURCE: Final = "langfuse"
VARIANT: Final = "botwire.variant"
"""The name in the metadata of an experiment that says its variant, where the prompt alone does not."""
EXPERIMENT: Final = "botwire.experiment"
"""The name in the metadata of an experiment that groups it with those it is compared with."""

_IN_CONTEXT: Final = "langfuse.propagated.experiment_"
_ON_SPAN: Final = "langfuse.experiment."
_ITEM: Final = MappingProxyType({_IN_CONTEXT: "item_id", _ON_SPAN: "item.id"})


def item_here() -> Scope | None:
    """Give the scope of the experiment and item that the current context belongs to, or None; loads nothing."""
    context = sys.modules.get("opentelemetry.context")
    trace = sys.modules.get("opentelemetry.trace")
    if context is None or trace is None:
        return None
    return _read(context.get_current(), _IN_CONTEXT) or _read(
        getattr(trace.get_current_span(), "attributes", None), _ON_SPAN
    )


def _read(found: Mapping[str, Any] | None, prefix: str) -> Scope | None:
    # The id of a prompt on the span is not asked for: only the spans of single generations have one, and the
    # variant would change in the middle of an item.
    run_id = found.get(f"{prefix}id") if found else None
    if found is None or not _is_id(run_id):
        return None
    metadata = found.get(f"{prefix}metadata")
    item_id = found.get(prefix + _ITEM[prefix])
    return _place(run_id, metadata if isinstance(metadata, str) else "", item_id if _is_id(item_id) else None)


# The same object for the same ids: a memory finds its fork by it at each operation.
@lru_cache(maxsize=4096)
def _place(run_id: str, metadata: str, item_id: str | None) -> Scope:
    return replace(_run(run_id, metadata), datapoint_id=item_id)


@lru_cache(maxsize=256)
def _run(run_id: str, metadata: str) -> Scope:
    try:
        said = json.loads(metadata)
    except ValueError:  # absent, or cut short: the run still isolates
        said = None
    texts = {name: str(value) for name, value in said.items() if _says(value)} if isinstance(said, dict) else {}
    name, version = texts.get("prompt_name"), texts.get("prompt_version")
    return Scope(
        variant=texts.get(VARIANT) or (None if version is None else _variant(name, version)),
        run_id=run_id,
        prompt_path=name,
        prompt_version=version,
        experiment=texts.get(EXPERIMENT),
        source=SOURCE,
    )


def _variant(name: str | None, version: str) -> str:
    """The number of a version means something only beside the name of its prompt; any other id stands alone."""
    if not version.isdigit():
        return version
    return f"v{version}" if name is None else f"{name}.v{version}"


def _says(value: object) -> bool:
    return _is_id(value) or (isinstance(value, int) and not isinstance(value, bool))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(value)
