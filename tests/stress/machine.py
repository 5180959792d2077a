"""What the tests need of the machine: small disks, failing disks, processes with limits; skipped where it has none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from botwire_core.memory import Memory
from botwire_core.stores.sqlite import SqliteStore

__all__ = ["SMALL", "outcome", "report", "run_child", "small_disk", "strace"]

SMALL = 1024 * 1024
"""Bytes of a small disk."""

_PREAMBLE = "import sys; from stress.machine import *; from botwire_core.memory import Memory\n"


@contextmanager
def small_disk(folder: Path, size: int = SMALL) -> Iterator[Path]:
    """A disk of so many bytes, mounted on a folder."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def strace(call: str, error: str, when: str) -> list[str]:
    """The command before a command that makes a system call fail, at the given counts of it."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
    command += ["-e", f"inject={call}:error={error}:when={when}"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this process may not trace others")
    return command


def run_child(code: str, *arguments: object, before: list[str] | None = None) -> list[Any]:
    """Run code in a process of its own and give what it reported."""
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [*(before or []), sys.executable, "-c", _PREAMBLE + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tests)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def report(thing: object) -> None:
    """Tell the parent process, in a child."""
    print(json.dumps(thing), flush=True)


def outcome(memory: Memory, method: str, *arguments: Any) -> Any:
    """What a method gives, or the name of the error that it raises."""
    try:
        return getattr(memory, method)(*arguments)
    except Exception as error:
        return type(error).__name__


def open_memory(path: str | os.PathLike[str], namespace: str = "notes", **options: Any) -> Memory:
    """A memory in a file."""
    return Memory(namespace, store=SqliteStore(path, **options))


__all__ += ["open_memory"]
