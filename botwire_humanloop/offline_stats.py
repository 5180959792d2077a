"""What evaluators found in the runs of an evaluation, as the offline API counts it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["numbers", "report"]


def numbers(run: dict[str, Any], logs: Iterable[dict[str, Any]], evaluators: list[dict[str, Any]]) -> dict[str, Any]:
    """Count the judgments of a run; it is running until each log of the dataset has one of each local evaluator."""
    mine = [log for log in logs if log.get("run_id") == run["id"]]
    local = [one["version"] for one in evaluators if one["version"].get("spec", {}).get("evaluator_type") == "external"]
    # A log without an output has failed, and is judged all the same.
    missing = (
        run["expected"] - len(mine) + sum(one["version_id"] not in log["judgments"] for log in mine for one in local)
    )
    return {
        "run_id": run["id"],
        "version_id": run["version"]["version_id"],
        "num_logs": len(mine),
        "status": run["status"] if run["status"] == "cancelled" else "running" if missing else "completed",
        "evaluator_stats": [_of_evaluator(one, mine) for one in local],
    }


def _of_evaluator(evaluator: dict[str, Any], logs: list[dict[str, Any]]) -> dict[str, Any]:
    found = [log["judgments"][evaluator["version_id"]] for log in logs if evaluator["version_id"] in log["judgments"]]
    stats = {
        "evaluator_version_id": evaluator["version_id"],
        "total_logs": len(logs),
        "num_judgments": sum(value is not None for value in found),
        "num_nulls": 0,
        "num_errors": sum(value is None for value in found),
    }
    if evaluator["spec"]["return_type"] == "boolean":
        return {**stats, "num_true": found.count(True), "num_false": found.count(False)}
    given = [value for value in found if value is not None]
    return {**stats, "mean": sum(given) / len(given) if given else 0.0, "percentiles": {}}


def report(evaluation: dict[str, Any], stats: list[dict[str, Any]]) -> str:
    """A line for each run and evaluator, newest run first."""
    paths = {one["version"]["version_id"]: one["version"]["path"] for one in evaluation["evaluators"]}
    lines = []
    for run in stats:
        for one in run["evaluator_stats"]:
            score = one["mean"] if "mean" in one else one["num_true"] / max(1, one["total_logs"])
            lines.append(f"{run['run_id']}  {run['version_id']}  {paths[one['evaluator_version_id']]}: {score:.2f}")
    return "\n".join([*lines, ""])
