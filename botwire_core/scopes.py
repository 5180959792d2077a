"""Which experiment the code runs in."""

from __future__ import annotations

from botwire_core.records import record

__all__ = ["Scope"]


@record
class Scope:
    """The place in an experiment where code runs, as far as somebody knows it; None stands for unknown.

    `variant` is what is compared (a prompt version, a model), `run_id` one evaluation of it, `datapoint_id` one case
    of that run and `trial` the number of a repetition of the case. `source` names who told.
    """

    variant: str | None = None
    run_id: str | None = None
    datapoint_id: str | None = None
    trial: int | None = None
    prompt_id: str | None = None
    prompt_path: str | None = None
    prompt_version: str | None = None
    experiment: str | None = None
    environment: str | None = None
    source: str | None = None
