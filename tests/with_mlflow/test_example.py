"""The example runs on MLflow's local store and says the same each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from house.tree import ROOT

SCRIPT = ROOT / "examples" / "prompt_iteration" / "with_mlflow.py"
SHOWN = (
    "{'version 1': {'as_expected/mean': 0.66",
    "'version 2': {'as_expected/mean': 1.0, 'knows_the_style/mean': 1.0}}",
    "Memory of examples-support: 2 runs, seeds equal",
    "unscoped operations     0    ",
    "the memory itself: {'name': 'Marta'} None",
)


def test_two_prompts_are_compared_on_equal_terms(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, cwd=tmp_path, timeout=200)
    assert result.returncode == 0, result.stderr
    assert [line for line in SHOWN if line not in result.stdout] == []
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []
