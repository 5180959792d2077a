"""A folder to install plugins into, for one test each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from plugins.distributions import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = tmp_path / "site-packages"
    made = Site(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return made
