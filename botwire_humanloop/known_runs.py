"""The runs that clients of this process have made: which prompt version each evaluates.

The SDK does not tell it to the function that it evaluates, only to who creates the run.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from botwire_core.records import replace
from botwire_core.scopes import Scope

__all__ = ["SOURCE", "known_run", "place_in_run", "remember_run"]

SOURCE: Final = "humanloop"
_MOST_REMEMBERED: Final = 1024
_runs: Final[dict[str, Scope]] = {}


def remember_run(run_id: str, shared: Scope) -> None:
    """Remember the scope that all datapoints of a run share, by the id that Humanloop gave the run."""
    while len(_runs) >= _MOST_REMEMBERED:
        _runs.pop(next(iter(_runs)), None)
    _runs[run_id] = shared


def known_run(run_id: str) -> Scope | None:
    """The scope that all datapoints of a run share, if this process has made the run."""
    return _runs.get(run_id)


def place_in_run(run_id: str, datapoint_id: str | None, file_id: str | None, path: str | None) -> Scope:
    """The scope of a datapoint; the variant of a run that is not known stays unknown."""
    run = known_run(run_id) or _unknown(run_id, file_id, path)
    return run if datapoint_id is None else _at(run, datapoint_id)


# The same object for the same place: a memory finds its fork by it at each operation.
@lru_cache(maxsize=_MOST_REMEMBERED)
def _unknown(run_id: str, file_id: str | None, path: str | None) -> Scope:
    return Scope(run_id=run_id, prompt_id=file_id, prompt_path=path, source=SOURCE)


@lru_cache(maxsize=4096)
def _at(run: Scope, datapoint_id: str) -> Scope:
    return replace(run, datapoint_id=datapoint_id)
