"""What the README says of the packaging is what the packaging says, and CI runs what the README tells people to run."""

from __future__ import annotations

import re
import tomllib

from house.tree import PACKAGES, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_extra_and_its_state_is_in_the_readme() -> None:
    rows = re.findall(r"^\| (.*) \| .* \| (works|reserved.*) \|$", README, re.MULTILINE)
    states = {name: state for names, state in rows for name in re.findall(r"`(\w+)`", names)}
    assert states.keys() == PROJECT["optional-dependencies"].keys()
    packages = {package.removeprefix("botwire_") for package in PACKAGES}
    works = {name for name, state in states.items() if state == "works"}
    assert works - {"testing", "dev"} == states.keys() & packages


def test_ci_runs_the_test_command_of_the_readme_and_each_extra_that_works() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ (pip install .*pytest)$", README, re.MULTILINE)
    assert command in script
    (extras,) = re.findall(r"^for extra in (.*); do$", script, re.MULTILINE)
    packages = {package.removeprefix("botwire_") for package in PACKAGES}
    alone = set(extras.split()) | set(re.findall(r"^step \"only what '(\w+)' installs\"$", script, re.MULTILINE))
    assert alone == {"base"} | packages & PROJECT["optional-dependencies"].keys()


def test_the_first_line_of_the_changelog_is_for_those_who_come_from_021() -> None:
    first = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("Coming from 0.2.1: memory is now a private file on your machine")
    assert "docs/how-to/come-from-0.2.1.md" in first


def test_the_version_has_its_place_in_the_changelog() -> None:
    assert f"\n## {PROJECT['version']}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
