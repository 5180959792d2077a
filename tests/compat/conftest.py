from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from compat.first_sdk import FirstSdk, NoEnvironmentError, python_with_first_sdk
from compat.first_service import FirstService, first_service


@pytest.fixture(scope="session")
def first_sdk_python() -> Path:
    try:
        return python_with_first_sdk()
    except NoEnvironmentError as error:
        pytest.skip(f"SDK 0.2.1 could not be installed: {error}")


@pytest.fixture(scope="session")
def shared_first_service() -> Iterator[FirstService]:
    with first_service() as service:
        yield service


@pytest.fixture(scope="session")
def sdk_at_first_service(first_sdk_python: Path, shared_first_service: FirstService) -> Iterator[FirstSdk]:
    with FirstSdk.talking_to(shared_first_service.url, first_sdk_python) as sdk:
        yield sdk


@pytest.fixture
def service() -> Iterator[FirstService]:
    with first_service() as made:
        yield made
