"""Evaluate two versions of a prompt with MLflow, each with a memory of its own, and compare what they keep.

MLflow keeps everything in a file. Needs `pip install 'botwire[mlflow]'`.
"""

import os
import tempfile
from functools import partial
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_GENAI_EVAL_MAX_WORKERS": "1"}  # questions build on others

import mlflow
from agent import PROMPTS, QUESTIONS, answer, memory, seed
from mlflow.genai.scorers import scorer

from botwire.scopes import MemoryReport, scope_policy
from botwire_mlflow import evaluate


@scorer
def as_expected(outputs: str, expectations: dict[str, Any]) -> bool:
    """Compare the answer with the one that the dataset wants."""
    return bool(outputs == expectations["expected_response"])


@scorer
def knows_the_style(inputs: dict[str, Any]) -> bool:
    """Look into the memory of the version and run that is judged."""
    return inputs["customer"] == "tom" or "style" in memory.get("customer:marta")


DATASET = [
    {
        "inputs": {"customer": one["customer"], "message": one["message"]},
        "expectations": {"expected_response": one["expected"]},
    }
    for one in QUESTIONS
]

seed()
runs: list[str] = []
scores: dict[str, dict[str, float]] = {}
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, scope_policy(isolation="run"):
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("support", f"file://{folder}/artifacts"))
    for text in PROMPTS.values():
        prompt = mlflow.genai.register_prompt("support-answer", text)
        result = evaluate(
            DATASET,
            [as_expected, knows_the_style],
            partial(answer, prompt.template),
            prompt=prompt,
            experiment="which prompt remembers better",
        )
        runs.append(result.run_id)
        scores[f"version {prompt.version}"] = {name: float(value) for name, value in result.metrics.items()}

print(f"\n\n{scores}")
report = MemoryReport.of(memory.store, memory.namespace, runs)
print(report.to_table())
print(report.to_table(view="key"))
print("the memory itself:", memory.get("customer:marta"), memory.get("answers"))
