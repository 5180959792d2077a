"""Every example runs, offline and twice, and says what its page says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from botwire import Memory

EXAMPLES = Path(__file__).parents[2] / "examples"
# Examples whose framework cannot be installed beside the others are run where it is: by the tests in that folder.
APART = {"crew_monday_tuesday": "crews"}
SCRIPTS = sorted(path for path in EXAMPLES.glob("*.py") if path.stem not in APART)

# No example may open a connection: a socket is refused before anything is imported that could.
OFFLINE = """
import runpy, socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("an example opened a connection")
socket.socket.connect = refuse
socket.create_connection = refuse
runpy.run_path(sys.argv[1], run_name="__main__")
"""

PRINTED = {
    "first_steps": ("nothing, this is the first run", "'orders': 3"),
    "list_keys": ("all: ['settings', 'user:ana', 'user:tom']", "users: ['user:ana', 'user:tom']"),
    "expire": ("minutes left: 60", "extended to hours: 24", "so it stays: None"),
    "two_variants": ("formal remembers: It is order 48213. 2", "casual remembers: Hi, it's me again! 1"),
    "chat_history": ("messages from earlier runs: 0", "human: I moved to Berlin.", "ai: Noted."),
    "langchain_agent": (
        "answers from earlier runs: 0",
        "I want 2 cups. -> Ordered, to Porto. (message 8 of the thread)",
        "as memory has it: Porto {'state': 'open'}",
    ),
    "langgraph_fork_a_thread": (
        "formal: [\"Hi, it's Ana.\", 'How can I help?', 'Where is my order?', 'Good day, Ana.",
        "brief:  [\"Hi, it's Ana.\", 'How can I help?', 'Where is my order?', '48213: on its way.']",
        "threads: ['ana', 'ana-for-review']",
    ),
    "autogen_team_resumes": (
        "resumed: False",
        "critic: Too long.",
        "the writer was shown: 3 messages",
        "version of the team's state: 1",
    ),
    "fork_and_promote": ('+ contact: "e-mail"', '- city: "Porto"', "promoted: ['customer:ana', 'chat:ana/"),
}


def run(script: Path, folder: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(script)], capture_output=True, text=True, cwd=folder, timeout=100
    )
    assert result.returncode == 0, result.stderr
    if script.stem != "chat_history":  # LangChain warns of its own class there
        assert result.stderr == ""
    return result.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example_runs_offline_and_prints_what_it_shows(script: Path, tmp_path: Path) -> None:
    printed = run(script, tmp_path)
    for line in PRINTED[script.stem]:
        assert line in printed
    again = run(script, tmp_path)
    if script.stem == "first_steps":
        assert "last run left: {'name': 'Pedro'" in again
        assert "runs so far: 2" in again
    elif script.stem == "chat_history":
        assert "messages from earlier runs: 2" in again
    elif script.stem == "langchain_agent":
        assert "answers from earlier runs: 2" in again
        assert "(message 16 of the thread)" in again
    elif script.stem == "autogen_team_resumes":
        assert "resumed: True" in again
        assert "user: Make it shorter.\nwriter: Tea. Porto.\ncritic: Better." in again
        assert "the writer was shown: 6 messages" in again
    else:
        assert again


def test_the_variants_leave_each_other_alone(tmp_path: Path) -> None:
    run(EXAMPLES / "two_variants.py", tmp_path)
    assert Memory("examples-service-formal").get("asked") == 2
    assert Memory("examples-service-casual").get("asked") == 1


def test_the_promoted_prompt_is_in_the_base_and_the_other_is_not(tmp_path: Path) -> None:
    run(EXAMPLES / "fork_and_promote.py", tmp_path)
    base = Memory("examples-service")
    assert base.get("customer:ana") == {"name": "Ana", "city": "Porto", "contact": "e-mail"}
    assert Memory("examples-service-hasty").get("customer:ana") == {"last": "Please write by e-mail."}


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda script: script.stem)
def test_an_example_is_one_short_idea(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert ast.get_docstring(ast.parse(text))


def test_an_example_that_is_not_run_here_is_run_elsewhere() -> None:
    for name, folder in APART.items():
        tests = (Path(__file__).parents[1] / folder).glob("test_*.py")
        assert any(name in test.read_text(encoding="utf-8") for test in tests)


def test_the_page_lists_everything_that_is_there() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    listed = {target.rstrip("/") for target in re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", page, re.MULTILINE)}
    there = {
        path.name for path in EXAMPLES.iterdir() if not path.name.startswith(("_", ".")) and path.name != "README.md"
    }
    assert listed == there
