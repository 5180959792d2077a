"""The page of the server has every setting and option with its default."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer
from house.tree import ROOT

from botwire.cli.app import app
from botwire_server.attempts import WrongTokens
from botwire_server.config import ServerConfig
from botwire_server.plans import PLANS, Plan

PAGE = (ROOT / "docs" / "reference" / "server.md").read_text(encoding="utf-8")


def row_of(setting: str) -> str:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| ") and f"`{setting}`" in line]
    return row


def shown(default: Any) -> str:
    if isinstance(default, bool):
        return "| yes |" if default else "| no |"
    if default is None or default == ():
        return "| none |"
    return f"{default:,.0f}" if isinstance(default, int | float) and default != 8765 else f"`{default}`"


@pytest.mark.parametrize("name", [name for name in ServerConfig.__match_args__ if name != "plan"])  # type: ignore[attr-defined]
def test_every_setting_is_on_the_page_with_its_default(name: str) -> None:
    assert shown(getattr(ServerConfig(), name)) in row_of(name)


@pytest.mark.parametrize("name", Plan.__match_args__)  # type: ignore[attr-defined]
def test_every_limit_of_the_free_plan_is_on_the_page(name: str) -> None:
    assert f"`free`: {getattr(PLANS['free'], name):,}" in row_of(f"plan.{name}")


def test_every_option_of_serve_is_on_the_page_and_no_other() -> None:
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    rows = [line.split("|")[1] for line in PAGE.split("## Limits of a namespace")[0].splitlines() if line[:2] == "| "]
    assert set(re.findall(r"--[a-z][a-z-]+", " ".join(rows))) == options - {"--help"}


def test_the_page_tells_how_many_wrong_tokens_an_address_may_send() -> None:
    attempts = WrongTokens()
    assert f"{attempts._burst} at once and then one a second" in PAGE
    assert attempts._per_second == 1.0
