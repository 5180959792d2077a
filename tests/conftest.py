"""What every test of this repository can ask for: full counts, a clock that obeys, a home of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from with_postgres.fixtures import fresh_schema, postgres, postgres_installation, start_cluster, start_pooler

from botwire_core.testing import ManualClock

__all__ = ["fresh_schema", "postgres", "postgres_installation", "start_cluster", "start_pooler"]

DEEP_TIMEOUT = 3600  # seconds for one test under --deep

settings.register_profile("default", max_examples=50, deadline=None, print_blob=True)
settings.register_profile(
    "deep", max_examples=500, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--deep", action="store_true", help="full counts instead of about a tenth of them")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("deep" if config.getoption("--deep") else "default")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--deep"):
        for item in items:
            item.add_marker(pytest.mark.timeout(DEEP_TIMEOUT), append=False)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """`scale(200)` is 200 with --deep and 20 without; never less than one."""
    deep = request.config.getoption("--deep")
    return lambda count: count if deep else max(1, count // 10)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, so that no test meets the memory of a user or of another test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("BOTWIRE_HOME", str(folder))
    for name in ("BOTWIRE_URL", "BOTWIRE_TOKEN", "BOTWIRE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    return folder
