"""Real processes that start together, and a writer that can be held in the middle of its write."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

PATIENCE = 110  # seconds until a process that says nothing counts as hanging

# Not forked: a child must not have what the test runner has open.
_context = multiprocessing.get_context("spawn")


def run_in_processes(work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], **named: Any) -> list[Any]:
    """Run `work(barrier, *arguments)` in one process for each tuple, all let go at once; what each gave, in order.

    `work` comes from a module that a new process can import, and may meet the others again at the barrier.
    """
    barrier = _context.Barrier(len(arguments), timeout=PATIENCE)
    started = [start(work, barrier, *own, **named) for own in arguments]
    try:
        return [result_of(connection) for _, connection in started]
    finally:
        for process, connection in started:
            stop(process, connection)


def start(work: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[SpawnProcess, Connection]:
    """Start one process; `result_of` its connection gives what `work` returned."""
    ours, theirs = _context.Pipe()
    process = _context.Process(target=_run, args=(theirs, work, arguments, named), daemon=False)
    process.start()
    theirs.close()
    return process, ours


@contextmanager
def talking_to(work: Callable[..., Any], *arguments: Any) -> Iterator[tuple[SpawnProcess, Connection, Connection]]:
    """A process that runs `work(connection, *arguments)`, the other end of that, and the one for its result."""
    ours, theirs = _context.Pipe()
    process, result = start(work, theirs, *arguments)
    theirs.close()
    try:
        yield process, ours, result
    finally:
        stop(process, result)
        ours.close()


def result_of(connection: Connection) -> Any:
    """What the process at the other end returned; an AssertionError with its traceback if it failed, hung or died."""
    assert connection.poll(PATIENCE), "a process hangs"
    try:
        failed, result = connection.recv()
    except EOFError:
        raise AssertionError("a process died") from None
    assert not failed, result
    return result


def heard(connection: Connection, result: Connection) -> Any:
    """The next that a process says on its own connection; as `result_of` where it has ended instead."""
    try:
        assert connection.poll(PATIENCE), "a process hangs"
        return connection.recv()
    except (EOFError, ConnectionResetError):
        raise AssertionError(f"a process ended early with {result_of(result)!r}") from None


def stop(process: SpawnProcess, connection: Connection) -> None:
    connection.close()
    process.join(5)
    if process.is_alive():
        process.kill()
        process.join()
    process.close()


def _run(connection: Connection, work: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        reply = (False, work(*arguments, **named))
    except BaseException:
        reply = (True, traceback.format_exc())
        traceback.print_exc()
    connection.send(reply)
