"""Every block of the README and the documentation runs, in a process of its own, as a reader would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

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


def surroundings(page: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a page: what libpq looks at leads to the database of the tests, where a block needs one."""
    if not any("postgres" in block.marks for block in snippets.blocks(page)):
        return dict(os.environ)
    database = urlsplit(request.getfixturevalue("postgres").url)
    found = {"PGHOST": database.hostname, "PGPORT": database.port, "PGUSER": database.username}
    found |= {"PGDATABASE": database.path.removeprefix("/"), "PGPASSWORD": database.password}
    return {**os.environ, **{name: str(value) for name, value in found.items() if value}}


@pytest.mark.parametrize("page", [page for page in PAGES if needs_running(page)], ids=shown)
def test_the_blocks_of_a_page_run_and_print_what_it_shows(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    command = [sys.executable, "-W", "error", snippets.__file__, str(page), *snippets.EXTRAS]
    environment = surroundings(page, request)
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
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
