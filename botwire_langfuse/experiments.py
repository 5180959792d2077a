"""`run_experiment`: Langfuse's own, with each task and evaluator in the place of its item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from botwire_core.errors import ScopeError
from botwire_core.records import replace
from botwire_core.scopes import Scope
from botwire_core.scopes.evaluations import Evaluation, PlaceOf, id_of_inputs
from botwire_langfuse.items import EXPERIMENT, SOURCE, VARIANT, item_here

__all__ = ["RunsExperiments", "run_experiment"]

R = TypeVar("R", covariant=True)


class RunsExperiments(Protocol[R]):
    """A client of Langfuse, or a dataset that it gave."""

    @property
    def run_experiment(self) -> Callable[..., R]:
        """The method that is called."""


def run_experiment(
    client: RunsExperiments[R],
    *,
    task: Callable[..., Any],
    evaluators: Sequence[Callable[..., Any]] = (),
    composite_evaluator: Callable[..., Any] | None = None,
    run_evaluators: Sequence[Callable[..., Any]] = (),
    metadata: Mapping[str, str] | None = None,
    prompt: Any = None,
    variant: str | None = None,
    experiment: str | None = None,
    **arguments: Any,
) -> R:
    """Run an experiment of Langfuse in which every version has a memory of its own, and give what Langfuse gives.

    The task and the evaluators of an item work on the memory of their item, the run evaluators on that of the run.
    Until it ends, memory that is used by code which lost its scope is refused.

    Args:
        client: A `Langfuse` client, or a dataset of one.
        task: As Langfuse takes it; so are `evaluators`, `composite_evaluator`, `run_evaluators` and `metadata`.
        evaluators: Each judges one item.
        composite_evaluator: Judges one item by what the evaluators said.
        run_evaluators: Each judges the whole run.
        metadata: What it names as `prompt_name` and `prompt_version` is the variant.
        prompt: What `get_prompt` gave; its name and version are the variant, and go into the metadata.
        variant: What is compared, where the prompt alone does not say it: "answer.v3.small-model".
        experiment: Groups runs that start from the same moment of the memory.
        arguments: All else that Langfuse takes: `name`, `run_name`, `data`, `max_concurrency`, ...

    Raises:
        ScopeError: memory was refused somewhere in the run, which Langfuse only logs; or `prompt` is a fallback.
    """
    said = {**(metadata or {}), **_metadata_of(prompt)}
    said |= {name: value for name, value in ((VARIANT, variant), (EXPERIMENT, experiment)) if value is not None}
    # Where the context should not tell the run, this call is still one run, and no other's.
    unknown = Scope(variant=variant, run_id=f"run-{uuid4().hex[:12]}", experiment=experiment, source=SOURCE)
    runs: list[Scope] = []

    def place_with(name: str, of: Callable[[Any], Any]) -> PlaceOf:
        def place_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope:
            place = item_here() or replace(unknown, datapoint_id=id_of_inputs(of(kwargs.get(name))))
            runs.append(place)
            return place

        return place_of

    def place_of_run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope:
        return replace(runs[0] if runs else unknown, datapoint_id=None)

    with Evaluation() as evaluation:
        by_item, by_input = place_with("item", _input_of), place_with("input", lambda found: found)
        arguments["evaluators"] = [evaluation.bound(one, by_input) for one in evaluators]
        arguments["run_evaluators"] = [evaluation.bound(one, place_of_run) for one in run_evaluators]
        if composite_evaluator is not None:
            arguments["composite_evaluator"] = evaluation.bound(composite_evaluator, by_input)
        return client.run_experiment(task=evaluation.bound(task, by_item), metadata=said or None, **arguments)


def _metadata_of(prompt: Any) -> dict[str, str]:
    if prompt is None:
        return {}
    if getattr(prompt, "is_fallback", False):
        raise ScopeError(
            f"the prompt {prompt.name!r} is the fallback of one that could not be fetched, so its version is not known",
            hint='say what is compared: variant="answer.fallback"',
        )
    return {"prompt_name": str(prompt.name), "prompt_version": str(prompt.version)}


def _input_of(item: Any) -> Any:
    return item.get("input") if isinstance(item, Mapping) else getattr(item, "input", None)
