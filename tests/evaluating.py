"""How the tests evaluate a function with the real SDK, and see afterwards that nothing has leaked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from humanloop import Humanloop

from botwire_core.memory import Memory

KERNEL = {"model": "none", "endpoint": "complete", "provider": "openai"}


def evaluate(
    client: Humanloop,
    function: Callable[..., Any],
    *,
    version: str = "a",
    kernel: dict[str, Any] | None = None,
    points: Sequence[dict[str, Any]] | int = 2,
    judges: Sequence[Callable[..., Any]] = (),
    workers: int = 2,
    name: str | None = None,
    **file: Any,
) -> Any:
    """Run one evaluation of a version of the prompt support/answer; `judges` with two arguments want a target."""
    if isinstance(points, int):
        points = [{"inputs": {"question": f"q{number}"}, "target": {"n": number}} for number in range(points)]
    kind = {"path": "support/answer", "type": "prompt", "version": kernel or {**KERNEL, "template": version}}
    return client.evaluations.run(
        name=name,
        file={**kind, **file, "callable": function},  # type: ignore[typeddict-item]
        dataset={"path": "support/questions", "datapoints": points},  # type: ignore[typeddict-item]
        evaluators=[
            {
                "path": f"judges/{judge.__name__}",
                "callable": judge,
                "args_type": "target_required" if judge.__code__.co_argcount == 2 else "target_free",
                "return_type": "boolean",
            }
            for judge in judges
        ],
        workers=workers,
    )


def state(memory: Memory, folder: Path) -> tuple[Any, ...]:
    """The base as it stands, with versions, revisions and times, and as the bytes of an export."""
    memory.export(folder / "state.jsonl")
    return [*memory.entries()], (folder / "state.jsonl").read_bytes()
