from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.running import Command, Result


@pytest.fixture(scope="session")
def command() -> Iterator[Command]:
    with Command.loaded() as loaded:
        yield loaded


@pytest.fixture
def botwire(command: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """The command as a process of its own, in the test's folder and with the test's store."""
    streams = tmp_path_factory.mktemp("streams")

    def call(*arguments: str, stdin: bytes = b"", **environment: str) -> Result:
        return command.run(*arguments, folder=tmp_path, streams=streams, stdin=stdin, **environment)

    return call
