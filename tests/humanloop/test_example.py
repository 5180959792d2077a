"""The example runs, with the real SDK and without a network, and says the same each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from house.tree import ROOT

pytestmark = pytest.mark.xdist_group("humanloop")

SCRIPT = ROOT / "examples" / "prompt_iteration" / "with_humanloop.py"
SHOWN = (
    "judges/as-expected: 1.00",
    "judges/knows-the-style: 1.00",
    "judges/as-expected: 0.67",
    "judges/knows-the-style: 0.33",
    "Memory of examples-support: 2 runs, seeds equal",
    "unscoped operations     0    ",
    "the memory itself: {'name': 'Marta'} None",
)


def test_two_prompts_are_compared_on_equal_terms_and_each_time_anew(tmp_path: Path) -> None:
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, str(SCRIPT)], capture_output=True, text=True, cwd=tmp_path, timeout=100
        )
        assert result.returncode == 0, result.stderr
        assert [line for line in SHOWN if line not in result.stdout] == []
        assert "failed" not in result.stderr
