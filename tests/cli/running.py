"""How the tests run the command: as a process of its own, its output as text, its JSON parsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

__all__ = ["Command", "Result", "environment_for", "run", "run_on_a_terminal"]


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        assert self.raw, self.err
        return json.loads(self.raw)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True, slots=True)
class Command:
    """Runs the command in processes that are forked from one which has loaded it: see `forking.py`."""

    orders: IO[str]
    answers: IO[str]

    @classmethod
    @contextmanager
    def loaded(cls) -> Iterator[Command]:
        server = Path(__file__).with_name("forking.py")
        with subprocess.Popen(
            [sys.executable, server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            yield cls(process.stdin, process.stdout)
            process.stdin.close()

    def run(self, *arguments: str, folder: Path, streams: Path, stdin: bytes = b"", **environment: str) -> Result:
        streams.mkdir(exist_ok=True)
        files = [streams / name for name in ("in", "out", "err")]
        files[0].write_bytes(stdin)
        order = {
            "arguments": arguments,
            "environment": environment_for(**environment),
            "folder": str(folder),
            "streams": list(map(str, files)),
        }
        self.orders.write(json.dumps(order) + "\n")
        self.orders.flush()
        return Result(int(self.answers.readline()), files[1].read_bytes(), files[2].read_text())


def environment_for(**more: str) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", **more}


def run(*arguments: str, folder: Path, stdin: bytes = b"", **environment: str) -> Result:
    """Run `python -m botwire` from its start."""
    result = subprocess.run(
        [sys.executable, "-m", "botwire", *arguments],
        input=stdin,
        capture_output=True,
        cwd=folder,
        env=environment_for(**environment),
        timeout=100,
    )
    return Result(result.returncode, result.stdout, result.stderr.decode())


def run_on_a_terminal(*arguments: str, folder: Path) -> bytes:
    """What the command writes where standard output and error are a terminal."""
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "botwire", *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=folder,
        env=environment_for(TERM="xterm-256color"),
    )
    os.close(follower)
    written = bytearray()
    while True:
        try:
            some = os.read(leader, 65536)
        except OSError:  # Linux reports the end of a terminal as an error
            break
        if not some:
            break
        written += some
    os.close(leader)
    process.wait(timeout=60)
    return bytes(written)
