"""`Scope`: a place in an experiment."""

from __future__ import annotations

from botwire_core.errors import InvalidValueError
from botwire_core.records import record

__all__ = ["Scope"]


@record
class Scope:
    """The place in an experiment where code runs, as far as somebody knows it; None stands for unknown.

    `variant` is what is compared (a prompt version, a model), `run_id` one evaluation of it, `datapoint_id` one case
    of that run and `trial` the number of a repetition of the case. `experiment` groups the runs that are compared.
    `source` names who told.
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

    def __post_init__(self) -> None:
        for name in type(self).__match_args__:
            value = getattr(self, name)
            if value is None:
                continue
            if name == "trial":
                if type(value) is not int or value < 0:
                    raise InvalidValueError(f"trial: {value!r} is not a number of 0 or more")
            elif not isinstance(value, str) or not value:
                raise InvalidValueError(f"{name}: {value!r} is not a name", hint="leave out what is not known")
