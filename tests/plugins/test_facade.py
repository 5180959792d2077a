"""`import botwire`: what it shows, and what it leaves until it is asked for."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pluggy
import pytest
from house.tree import ROOT

import botwire
import botwire_langchain.history
from botwire_core import errors


def run(code: str, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})


@pytest.fixture
def path_without_langchain(tmp_path: Path) -> str:
    """All that is installed here, apart from LangChain; to be run with -S, so that the rest is not found."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    installed = Path(pluggy.__file__).parents[1]
    for path in installed.iterdir():
        if not path.name.startswith("langchain"):
            (folder / path.name).symlink_to(path)
    ours = Path(botwire.__file__).parents[1]  # the checkout, where it was installed with -e
    return str(folder) if ours == installed else os.pathsep.join([str(folder), str(ours)])


def test_it_shows_every_error_and_the_lazy_names() -> None:
    assert set(errors.__all__) <= set(botwire.__all__)
    assert dir(botwire) == sorted([*botwire.__all__, "BotWireChatHistory"])
    assert botwire.BotWireChatHistory is botwire_langchain.history.BotWireChatHistory


def test_what_it_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'botwire' has no attribute 'Memmory'"):
        botwire.Memmory  # noqa: B018


def test_the_version_is_the_one_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert botwire.__version__ == project["project"]["version"]


def test_memory_stands_where_the_first_botwire_had_it() -> None:
    assert run("from botwire.memory import Memory; import botwire; assert Memory is botwire.Memory").returncode == 0


def test_everything_but_the_chat_history_works_without_langchain(path_without_langchain: str) -> None:
    code = "from botwire import *; Memory('x').set('k', 1); assert Memory('x').get('k') == 1"
    result = run(code, "-S", PYTHONPATH=path_without_langchain)
    assert result.returncode == 0, result.stderr


def test_without_langchain_the_chat_history_says_what_to_install(path_without_langchain: str) -> None:
    result = run("from botwire import BotWireChatHistory", "-S", PYTHONPATH=path_without_langchain)
    assert result.returncode == 1
    kind, _, message = result.stderr.splitlines()[-1].partition(": ")
    assert kind == "botwire_core.errors.MissingExtraError"
    assert message == "BotWireChatHistory needs langchain-core: pip install 'botwire[langchain]'"


def test_without_langchain_its_plugin_is_missing(path_without_langchain: str) -> None:
    code = "from botwire_core.plugins import registry; print(*registry().status())"
    result = run(code, "-S", PYTHONPATH=path_without_langchain)
    assert "state='missing', install='botwire[langchain]', reason='langchain-core is not installed'" in result.stdout


@pytest.mark.parametrize("module", [botwire, botwire_langchain.history], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_work(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
