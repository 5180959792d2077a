"""A program that writes until it is killed: `python -m stress.writer MODE PATH [DURABILITY]`, run in `tests/`.

It tells on its standard output, a byte for each, that it has been loaded, and then which of its writes came back.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from stress.story import open_store, story

from botwire_core.memory import Memory
from botwire_core.stores.sqlite import SqliteStore

__all__ = ["CHAPTERS", "acks_at_hand", "acks_of", "check_written", "killed", "running"]

CHAPTERS = 2
READY = b"!"
TESTS = Path(__file__).parent.parent


@contextmanager
def running(mode: str, path: Path, durability: str = "full") -> Iterator[subprocess.Popen[bytes]]:
    """Such a program, about to open its file; dead at the end of the block."""
    command = [sys.executable, "-m", "stress.writer", mode, str(path), durability]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.read(1) == READY
            yield process
        finally:
            process.kill()


def acks_of(process: subprocess.Popen[bytes], wanted: int) -> int:
    """Wait for so many acks, or for the end, and give how many there were."""
    assert process.stdout is not None
    got = 0
    while got < wanted and (more := process.stdout.read(wanted - got)):
        got += len(more)
    return got


def acks_at_hand(process: subprocess.Popen[bytes]) -> int:
    """The acks that can be read without waiting."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    try:
        return len(process.stdout.read(1 << 20) or b"")
    finally:
        os.set_blocking(process.stdout.fileno(), True)


def killed(process: subprocess.Popen[bytes]) -> int:
    """Kill it at once, and give the acks that nobody had read."""
    process.kill()
    assert process.stdout is not None
    return len(process.stdout.read())


def check_written(path: Path, writer: str, acked: int) -> int:
    """Look whether all that a writer in mode "append" was told is there, without a hole; gives how much more is.

    One more at most: the write that was on its way.
    """
    memory = Memory(writer, store=SqliteStore(path))
    try:
        rows = memory.read("log")
        assert [row["n"] for row in rows] == list(range(len(rows))), "a hole"
        assert memory.get("count", 0) == len(rows), "half a transaction"
        assert memory.get_many([f"key/{i}" for i in range(len(rows) and 7)]) == {
            f"key/{n % 7}": n for n in sorted(range(len(rows))[-7:], key=lambda n: n % 7)
        }, "an old value"
        return len(rows) - acked
    finally:
        memory.store.close()


def _append(store: SqliteStore, writer: str, early: bool) -> Iterator[None]:
    """Write transactions that go on from what is there; with `early` each is told before it is done."""
    memory = Memory(writer, store=store)
    for n in count(memory.get("count", 0)):
        with memory.transaction() as together:
            together.append("log", {"n": n, "text": "t" * (n * 37 % 900)})
            together.set(f"key/{n % 7}", n)
            together.increment("count")
            if early:
                yield
        if not early:
            yield


def _tell(path: str, durability: str) -> Iterator[None]:
    store = open_store(path, durability)
    for _, step in story(CHAPTERS):
        step(store)
        yield


def main(mode: str, path: str, durability: str) -> None:
    match mode:
        case "story":
            acks = _tell(path, durability)
        case "early":
            acks = _append(open_store(path, durability), "writer", True)
        case writer:
            acks = _append(open_store(path, durability), writer, False)
    os.write(1, READY)
    for _ in acks:
        os.write(1, b".")


if __name__ == "__main__":
    main(*sys.argv[1:])
