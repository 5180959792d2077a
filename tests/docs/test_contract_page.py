"""The test module that a page shows is one that passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from house.tree import ROOT

from docs import snippets


def test_the_module_that_runs_the_contracts_passes(tmp_path: Path) -> None:
    (block,) = (
        block
        for block in snippets.blocks(ROOT / "docs" / "how-to" / "test-your-store.md")
        if "by-itself" in block.marks
    )
    module = tmp_path / "test_my_store.py"
    module.write_text(block.text, encoding="utf-8")
    # A part of the contracts is enough to see that the module works; all of them run on DictStore elsewhere.
    command = [sys.executable, "-m", "pytest", "-q", "-k", "whole or fork", "-p", "no:cacheprovider", str(module)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "passed" in result.stdout
