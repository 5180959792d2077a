"""SDK 0.2.1 as it was published, in an environment of its own, asked from here: see `first_sdk_agent.py`."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import platformdirs

__all__ = ["FirstSdk", "NoEnvironmentError", "python_with_first_sdk"]

_AGENT: Final = Path(__file__).with_name("first_sdk_agent.py")
_VARIABLE: Final = "BOTWIRE_FIRST_SDK_PYTHON"
_REQUIREMENTS: Final = ("botwire==0.2.1", "langchain-core")


class NoEnvironmentError(Exception):
    """The environment could not be made, most likely since there is no network."""


def python_with_first_sdk() -> Path:
    """The Python that has SDK 0.2.1: the one that `BOTWIRE_FIRST_SDK_PYTHON` names, else one that is made and kept."""
    if named := os.environ.get(_VARIABLE):
        return Path(named)
    name = f"botwire-0.2.1-python{sys.version_info.major}.{sys.version_info.minor}"
    folder = Path(platformdirs.user_cache_dir("botwire-tests", appauthor=False)) / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = folder / "bin" / "python"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may come at once
        finished = folder / "finished"
        if not finished.exists():
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_REQUIREMENTS)
            finished.touch()
    return python


class FirstSdk:
    """A process in which SDK 0.2.1 talks to one server."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders = orders
        self._answers = answers

    @classmethod
    @contextmanager
    def talking_to(cls, url: str, python: Path) -> Iterator[FirstSdk]:
        environment = {**os.environ, "BOTWIRE_URL": url}
        environment.pop("PYTHONPATH", None)
        with subprocess.Popen(
            [python, "-I", _AGENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            yield cls(process.stdin, process.stdout)
            process.stdin.close()

    def ask(self, method: str, *arguments: Any) -> Any:
        """What the SDK gives, as JSON carries it.

        Raises:
            RuntimeError: what the SDK raised, as text.
        """
        self._orders.write(json.dumps([method, *arguments]) + "\n")
        self._orders.flush()
        answer = json.loads(self._answers.readline())
        if "raised" in answer:
            raise RuntimeError(answer["raised"])
        return answer["gave"]

    def set(self, namespace: str, key: str, value: Any) -> None:
        self.ask("set", namespace, key, value)

    def get(self, namespace: str, key: str, default: Any = None) -> Any:
        return self.ask("get", namespace, key, default)


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    if result.returncode:
        raise NoEnvironmentError(result.stderr.strip().splitlines()[-1] if result.stderr.strip() else "unknown reason")
