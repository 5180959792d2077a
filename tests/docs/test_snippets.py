"""Every block of the README and the documentation runs, in a process of its own, as a reader would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from house.tree import ROOT, shown

from docs import snippets

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"python", "console", "text", "json", "toml", "http", "sql", "bash"}


def needs_running(page: Path) -> bool:
    return any(
        (block.language == "python" or "$ botwire " in block.text) and block.marks <= snippets.EXTRAS
        for block in snippets.blocks(page)
    )


@pytest.mark.parametrize("page", [page for page in PAGES if needs_running(page)], ids=shown)
def test_the_blocks_of_a_page_run_and_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", snippets.__file__, str(page), *snippets.EXTRAS]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_page_names_the_language_of_each_block(page: Path) -> None:
    for block in snippets.blocks(page):
        assert block.language in LANGUAGES, f"line {block.line}"
        assert block.marks <= snippets.EXTRAS | snippets.APART | {"by-itself"}, f"line {block.line}"


def test_a_page_that_shows_what_is_not_printed_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint('one')\nprint(2)\n```\n\n```text\none\n...\n```\n")
    assert snippets.run(page) == 1
    page.write_text("```python\nprint('one')\n```\n```text\ntwo\n```\n")
    with pytest.raises(AssertionError, match="line 2"):
        snippets.run(page)


def test_blocks_that_need_another_extra_are_left_out(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n```python langchain\nassert x == 1\n```\n```python by-itself\n1 / 0\n```\n")
    assert snippets.run(page, frozenset()) == 1
    assert snippets.run(page) == 2
