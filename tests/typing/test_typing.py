"""The types that users see, judged by mypy as they run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).with_name("api.py")


def test_mypy_infers_what_a_user_expects(tmp_path: Path) -> None:
    options = ["--strict", "--config-file", "", "--python-version", "3.11", "--cache-dir", str(tmp_path)]
    # From another folder, so that the packages are found as a user has them.
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(SAMPLE)], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
