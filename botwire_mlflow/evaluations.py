"""`evaluate`: MLflow's own, with every prediction and every scorer in the place of its row."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import mlflow

from botwire_core.records import replace
from botwire_core.scopes import Scope
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.current import OFF, scope_here
from botwire_core.scopes.evaluations import Evaluation, id_of_inputs
from botwire_core.scopes.policy import current_policy
from botwire_mlflow.prompts import SOURCE, pinned
from botwire_mlflow.scorers import in_place

__all__ = ["evaluate"]


def evaluate(
    data: Any,
    scorers: Sequence[Any],
    predict_fn: Callable[..., Any] | None = None,
    model_id: str | None = None,
    *,
    prompt: Any = None,
    variant: str | None = None,
    experiment: str | None = None,
    run_name: str | None = None,
) -> Any:
    """Evaluate with `mlflow.genai.evaluate` so that every version has a memory of its own; give its result.

    The run is the active one, or a new one. A row is known by a hash of its inputs; its prediction and its scorers
    work on the memory of the row. MLflow calls `predict_fn` once before the run to look at it: that call works on a
    memory of its own, whose run is called "<run>.dryrun". Until the end, memory that is used by code which lost its
    row is refused.

    Args:
        data: As MLflow takes it; so are `scorers`, `predict_fn` and `model_id`.
        scorers: What judges the rows.
        predict_fn: What is evaluated.
        model_id: What the results are associated with.
        prompt: A URI of the registry or a `PromptVersion`; its name and version are the variant. An alias is looked
            up once, and `botwire_mlflow.load_prompt` gives that version in the whole evaluation.
        variant: What is compared, where the prompt alone does not say it: "answer.v3.small-model".
        experiment: Groups runs that start from the same moment of the memory. MLflow's own experiments do not: they
            go on for months.
        run_name: The name of the run, where a new one begins.

    Raises:
        ScopeError: memory was refused somewhere in the run, which MLflow only notes in its results.
    """
    active = mlflow.active_run()
    with nullcontext(active) if active is not None else mlflow.start_run(run_name=run_name) as active:
        version = pinned(prompt) if prompt is not None else None
        run = Scope(
            variant=variant if variant is not None or version is None else f"{version.name}.v{version.version}",
            run_id=active.info.run_id,
            prompt_path=None if version is None else version.name,
            prompt_version=None if version is None else str(version.version),
            experiment=experiment,
            source=SOURCE,
        )
        with Evaluation() as evaluation:
            run = evaluation.begin(run)
            if run.variant is not None:
                mlflow.set_tag("botwire.variant", run.variant)
            with _rehearsal_of(run) as rehearsal:
                return mlflow.genai.evaluate(
                    data,
                    in_place(scorers, evaluation, run),
                    None if predict_fn is None else _predicting(predict_fn, evaluation, rehearsal, run),
                    model_id,
                )


def _rehearsal_of(run: Scope) -> Evaluation:
    """What the call before the run is a part of."""
    if scope_here.get() is OFF:
        return Evaluation()
    # Where all runs of a version share a memory, the name of the run makes no difference.
    by_version = current_policy().isolation == "version" and run.variant is not None
    variant = f"{run.variant}.dryrun" if by_version else run.variant
    with scope(replace(run, variant=variant, run_id=f"{run.run_id}.dryrun")):
        return Evaluation()


def _predicting(
    predict_fn: Callable[..., Any], evaluation: Evaluation, rehearsal: Evaluation, run: Scope
) -> Callable[..., Any]:
    """What MLflow calls: the call before the run is the first one, in the thread that asks for the evaluation."""
    asking = threading.current_thread()
    rehearsed = False

    def place_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope:
        return replace(run, datapoint_id=id_of_inputs(kwargs or list(args)))

    in_run, before_run = (one.bound(predict_fn, place_of) for one in (evaluation, rehearsal))

    def choose() -> Callable[..., Any]:
        nonlocal rehearsed
        if rehearsed or threading.current_thread() is not asking:
            return in_run
        rehearsed = True
        return before_run

    # MLflow asks whether it is a coroutine function, and for its parameters.
    if inspect.iscoroutinefunction(predict_fn):

        @functools.wraps(predict_fn)
        async def predict_async(*args: Any, **kwargs: Any) -> Any:
            return await choose()(*args, **kwargs)

        return predict_async

    @functools.wraps(predict_fn)
    def predict(*args: Any, **kwargs: Any) -> Any:
        return choose()(*args, **kwargs)

    return predict
