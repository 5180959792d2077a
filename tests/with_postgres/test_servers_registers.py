"""C4 on three servers over one PostgreSQL: over lines that lose things, every key is as if there were one of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
import stress.linearizable
from client.proxy import Losses, lossy
from client.registers import understood, use_registers
from stress.crowd import run_in_processes
from stress.linearizable import UNKNOWN, Call, is_linearizable
from with_postgres.cutter import Cutter
from with_postgres.fleet import Fleet, fleet
from with_postgres.servers import Database

from botwire import Memory

CLIENTS = 4
EACH = 500
KEYS = 8


@pytest.fixture(scope="module")
def line(postgres: Database) -> Iterator[Cutter]:
    """What stands between the servers and PostgreSQL."""
    with Cutter(postgres.server) as line:
        yield line


@pytest.fixture(scope="module")
def servers(postgres: Database, line: Cutter, fresh_schema: Callable[[], str]) -> Iterator[Fleet]:
    schema = fresh_schema().rpartition("=")[2]
    with fleet(line.url(postgres.name, schema=schema)) as started:
        yield started


def let_nobody_have_touched(servers: Fleet) -> None:
    """Empty the registers, as if there had been none."""
    with Memory("registers", servers.url) as memory:
        memory.drop()


def by_key(told: list[list[Call]]) -> dict[str, list[Call]]:
    calls = defaultdict(list)
    for call in (call for calls in told for call in calls):
        calls[call.key].append(call)
    return calls


def wrong(told: list[list[Call]]) -> list[str]:
    return [key for key, calls in sorted(by_key(told).items()) if not is_linearizable(calls)]


def answered_from_memory(calls: list[Call]) -> list[Call]:
    """The calls of a client that keeps what it reads, and asks for every third read only."""
    kept: dict[str, object] = {}
    found = []
    for number, call in enumerate(calls):
        if call.what == "entry":
            if call.key not in kept or number % 3 == 0:
                kept[call.key] = call.result
            call = replace(call, result=kept[call.key])
        found.append(call)
    return found


def test_c4_what_four_processes_do_at_three_servers_over_lines_that_lose_is_linearizable(
    servers: Fleet, line: Cutter, scale: Callable[[int], int]
) -> None:
    losses = Losses()
    with ExitStack() as stack:
        urls = [stack.enter_context(lossy(url, losses, 0.03, seed=n)) for n, url in enumerate(servers.urls)]
        stack.callback(setattr, line, "chance", 0.0)
        for first in range(0, scale(10) * CLIENTS, CLIENTS):
            let_nobody_have_touched(servers)
            line.chance = 0.005
            seeds = range(first, first + CLIENTS)
            arguments = [(",".join([*urls[n % 3 :], *urls[: n % 3]]), n, EACH, KEYS) for n in seeds]
            told = [understood(calls) for calls in run_in_processes(use_registers, arguments)]
            line.chance = 0.0
            assert sum(map(len, told)) > CLIENTS * EACH * 0.9
            assert sum(call.result is UNKNOWN for calls in told for call in calls) < CLIENTS * EACH * 0.1
            assert wrong(told) == []
            # The control: with one client that believes an old read, the same calls are seen to be wrong.
            assert wrong([*told[1:], answered_from_memory(told[0])]) != []
    assert min(losses.requests, losses.replies, line.losses.requests, line.losses.replies) > 0


def test_c4_control_increments_of_two_steps_at_three_servers_are_seen_not_to_be_linearizable(servers: Fleet) -> None:
    let_nobody_have_touched(servers)
    clients = [(servers.url_from(seed % 3), seed, 100, 2, False) for seed in range(CLIENTS)]
    assert wrong(run_in_processes(stress.linearizable.use_registers, clients)) != []
