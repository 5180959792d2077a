"""What the pages and the example say of CrewAI, run as a reader would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from house.tree import ROOT

from docs import snippets


def test_the_blocks_of_the_page_run_and_print_what_it_shows(tmp_path: Path) -> None:
    command = [sys.executable, snippets.__file__, str(ROOT / "docs/how-to/crewai.md"), "crewai"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_crew_does_on_tuesday_what_it_learned_on_monday(tmp_path: Path) -> None:
    def run_a_day() -> str:
        command = [sys.executable, str(ROOT / "examples/crew_monday_tuesday.py")]
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert run_a_day() == "Monday: How would you like the report? ... Noted, from now on.\n"
    assert run_a_day() == "Tuesday: Sent as a PDF, in Portuguese, before nine, as you like it.\n"


def test_nothing_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys, botwire, botwire.memory, botwire.crewai, botwire_crewai, botwire_crewai.plugin\n"
        "from botwire_core.plugins import registry\n"
        "rows = [row for row in registry().status() if row.name == 'crewai']\n"
        "assert [row.state for row in rows] == ['ready'], rows\n"
        "assert not {name for name in sys.modules if name.split('.')[0] in ('crewai', 'pydantic')}\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
