"""The reference has every error, setting, command, op, hook and method, and nothing that is not there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import typer
from house.tree import MODULES, ROOT

import botwire
from botwire.cli import failures
from botwire.cli.app import app
from botwire_core import errors, hookspecs, protocol
from botwire_core import testing as contracts

REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def in_code(text: str) -> set[str]:
    """The names at the start of what stands between backticks: `Set(key)` gives Set."""
    outside_blocks = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {match[1] for match in re.finditer(r"`([A-Za-z_]+)[^`]*`", outside_blocks)}


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_in_the_reference_with_its_code(name: str) -> None:
    error = getattr(errors, name)
    (row,) = re.findall(rf"^\| `{name}` \|(.*)$", page("errors.md"), re.MULTILINE)
    assert f"| `{error.code}` |" in row
    assert ("retryable" in row) == error.retryable
    for base in error.__bases__:
        if base not in (Exception, errors.BotWireError):
            assert f"`{base.__name__}`" in row


def test_every_environment_variable_is_in_the_reference() -> None:
    modules = [path for path in MODULES if "testing" not in path.parts]  # a contract sets variables of its own
    read = {name for path in modules for name in re.findall(r"\bBOTWIRE_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    documented = set(re.findall(r"^\| `(BOTWIRE_[A-Z_]+)`", page("settings.md"), re.MULTILINE))
    assert read == documented


def test_every_op_is_in_the_reference() -> None:
    assert set(protocol.__all__) - {"Op"} <= in_code(page("protocol.md"))


def test_every_field_of_an_op_in_the_reference_is_one() -> None:
    for name, arguments in re.findall(r"`([A-Z]\w+)\(([a-z_, ]*)\)`", page("protocol.md")):
        fields = getattr(protocol, name).__match_args__
        assert not [argument for argument in arguments.split(", ") if argument and argument not in fields], name


@pytest.mark.parametrize("name", [name for name in hookspecs.__all__ if name.startswith("botwire_")])
def test_every_hook_is_in_the_reference(name: str) -> None:
    assert f"`{name}()`" in page("plugins.md")


def methods() -> list[str]:
    return [name for name, _ in inspect.getmembers(botwire.Memory) if not name.startswith("_")]


def test_every_method_is_in_the_reference() -> None:
    twins = {name for name in methods() if name[0] == "a" and name[1:] in methods()}
    assert set(methods()) - twins <= in_code(page("memory.md"))


def test_every_signature_in_the_reference_is_the_real_one() -> None:
    checked = 0
    cells = "".join(re.findall(r"^\| (`[^|]*) \|", page("memory.md"), re.MULTILINE))
    for name, arguments in re.findall(r"`([a-z_]+)\(([^`]*)\)`", cells):
        if name in methods() and not inspect.ismethoddescriptor(getattr(botwire.Memory, name)):
            parameters = list(inspect.signature(getattr(botwire.Memory, name)).parameters.values())[1:]
            bare = inspect.Signature([one.replace(annotation=inspect.Parameter.empty) for one in parameters])
            if arguments or not parameters:
                assert str(bare).replace("'", '"') == f"({arguments})", name
                checked += 1
    assert checked > 30


@pytest.mark.parametrize("name", contracts.__all__)
def test_every_contract_is_in_the_reference(name: str) -> None:
    assert f"`{name}`" in page("contracts.md")


@pytest.mark.parametrize("folder", ["how-to", "reference", "decisions"])
def test_every_page_is_in_the_list_of_its_folder(folder: str) -> None:
    listed = (ROOT / "docs" / folder / "README.md").read_text(encoding="utf-8")
    pages: list[Path] = [path for path in (ROOT / "docs" / folder).glob("*.md") if path.name != "README.md"]
    assert [path.name for path in pages if f"]({path.name})" not in listed] == []


def test_a_decision_has_four_parts_and_forty_lines_at_most() -> None:
    for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"):
        text = path.read_text(encoding="utf-8")
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Rejected", "When to revisit"], path.name
        assert len(text.splitlines()) <= 40, path.name
        assert text.startswith(f"# {path.name[:4]}: "), path.name


def commands() -> dict[str, typer.core.TyperCommand]:
    """Every command by its words: `token create` is one."""
    group = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {name: command} if inner is None else {f"{name} {one}": inner[one] for one in inner}
    return found


def test_every_command_is_in_the_reference_and_no_other() -> None:
    documented = re.findall(r"^\| `botwire ([a-z]+(?: [a-z]+)?)", page("command-line.md"), re.MULTILINE)
    assert sorted(documented) == sorted(commands())


def test_every_option_of_a_command_is_in_its_row() -> None:
    for_all = set(re.findall(r"--[a-z-]+", page("command-line.md").split("## Entries")[0])) - {"--help"}
    for name, command in commands().items():
        (row,) = re.findall(rf"^\| `botwire {name}[ `].*$", page("command-line.md"), re.MULTILINE)
        options = {option for one in command.params for option in one.opts if option.startswith("--")}
        assert options - for_all == set(re.findall(r"--[a-z-]+", row)) - for_all, name


def test_every_exit_code_is_in_the_reference() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d) \|", page("command-line.md"), re.MULTILINE)}
    assert codes == {0, *(value for name, value in vars(failures).items() if name.isupper() and isinstance(value, int))}
