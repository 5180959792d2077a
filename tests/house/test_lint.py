"""ruff and mypy --strict find nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from house.tree import ROOT


@pytest.mark.parametrize("command", [["ruff", "check", "--no-cache"], ["mypy"]], ids=["ruff", "mypy"])
@pytest.mark.timeout(600)
def test_it_finds_nothing(command: list[str]) -> None:
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
