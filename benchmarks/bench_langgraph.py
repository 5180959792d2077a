"""Stores and checkpointers for LangGraph beside those of langgraph-checkpoint-sqlite, all synced at each commit.

    python benchmarks/bench_langgraph.py
    python benchmarks/bench_langgraph.py --steps 1000 --items 100000
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count, islice
from typing import Any

from graphs import SAVERS, STORES, THREAD, make_item, make_messages, steps
from measure import SYNCED, Round, call_each, interleave, say
from report import Case, Goal, Report, parser

OURS_STORE, OURS_SAVER = "BotWireStore", "BotWireSaver"
BATCH = 5000


def opened(classes: list[Any], stack: ExitStack) -> dict[str, tuple[Any, Any]]:
    """Each contender and what it opened, in a folder of its own."""
    found = {}
    for made in classes:
        contender = made()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-"))
        found[contender.name] = (contender, contender.open(folder))
        stack.callback(contender.close)
    return found


def case(
    report: Report,
    title: str,
    functions: dict[str, Callable[[], list[int]]],
    rounds: int,
    bounds: dict[str, float],
    *,
    synced: bool = False,
) -> None:
    """Measure and add a case; `bounds` says how many times what ours takes a contender has to take."""
    say(title)
    ours = next(iter(functions))
    series = interleave(functions, rounds, {})
    goals = [Goal(f"{title}: {name} to ours", title, name, ours, at_least=bound) for name, bound in bounds.items()]
    report.add(Case(title, ours, series, quickest=SYNCED if synced else 1.0), *goals)


def compare_stores(report: Report, options: argparse.Namespace) -> None:
    from langgraph.store.base import PutOp

    with ExitStack() as stack:
        say(f"fill stores with {options.items:,} items")
        stores = {name: store for name, (_, store) in opened(STORES, stack).items()}
        puts = [PutOp(("users", f"u{n % 100}"), f"k{n}", make_item(n)) for n in range(options.items)]
        for store in stores.values():
            for start in range(0, len(puts), BATCH):
                store.batch(puts[start : start + BATCH])
        both = ["SqliteStore", "SqliteStore in WAL"]
        some = range(7, options.items, options.items // 100)
        keys = [(("users", f"u{n % 100}"), f"k{n}") for n in some]
        title = f"get, {options.items:,} items"
        case(
            report,
            title,
            {name: lambda store=store: call_each(store.get, keys) for name, store in stores.items()},  # type: ignore[misc]
            options.rounds * 2,
            dict.fromkeys(both, 3.0),
        )
        filters = {
            "equality": {"user": "u7"},
            "a range": {"score": {"$gt": 0.99}},
            "equality that most meet": {"kind": "fact"},
        }
        for what, filter in filters.items():

            def search(store: Any, filter: dict[str, Any] = filter) -> list[int]:
                return call_each(lambda: store.search(("users",), filter=filter, limit=10), [()] * 3)

            title = f"search by {what}, {options.items:,} items"
            functions = {name: lambda store=store, search=search: search(store) for name, store in stores.items()}  # type: ignore[misc]
            case(report, title, functions, options.rounds, dict.fromkeys(both, 1.0))
        numbers = count(options.items)

        def put(store: Any) -> list[int]:
            return call_each(store.put, [(("users", "u7"), f"k{n}", make_item(n)) for n in islice(numbers, 5)])

        functions = {name: lambda store=store: put(store) for name, store in stores.items()}  # type: ignore[misc]
        title = f"put, {options.items:,} items"
        case(report, title, functions, options.rounds * 4, dict.fromkeys(both, 1.0), synced=True)


def compare_savers(report: Report, options: argparse.Namespace) -> None:
    messages = make_messages(options.steps)
    config = {"configurable": {"thread_id": THREAD, "checkpoint_ns": ""}}
    with ExitStack() as stack:
        say(f"threads of {options.steps:,} steps")
        found = opened(SAVERS, stack)
        savers = {name: saver for name, (_, saver) in found.items()}
        for saver in savers.values():
            for arguments in steps(saver, options.steps, messages):
                saver.put(**arguments)
        case(
            report,
            f"list {options.steps:,} checkpoints",
            {name: lambda s=saver: call_each(lambda: list(s.list(config)), [()]) for name, saver in savers.items()},  # type: ignore[misc]
            options.rounds,
            {"SqliteSaver": 1.0},
        )
        case(
            report,
            f"list the newest 10 of {options.steps:,} checkpoints",
            {
                name: lambda s=saver: call_each(lambda: list(s.list(config, limit=10)), [()])  # type: ignore[misc]
                for name, saver in savers.items()
            },
            options.rounds,
            {"SqliteSaver": 1.0},
        )
        case(
            report,
            f"the newest of {options.steps:,} checkpoints",
            {name: lambda s=saver: call_each(s.get_tuple, [(config,)] * 5) for name, saver in savers.items()},  # type: ignore[misc]
            options.rounds,
            {},
        )
        more = {name: put_more(saver, options.steps) for name, saver in savers.items()}
        title = f"put a checkpoint after {options.steps:,} steps"
        case(report, title, more, options.rounds * 4, {"SqliteSaver": 1.0}, synced=True)


def put_more(saver: Any, length: int) -> Callable[[], list[int]]:
    """A function that times three more steps of a thread of this length, each with another message at its end."""
    messages = make_messages(length + 1)
    last = list(steps(saver, length + 1, messages, f"{THREAD}-more"))[length - 1 :]
    saver.put(**last[0])
    numbers = count(length)
    state = {"parent": last[0]["checkpoint"]["id"], "version": last[0]["new_versions"]["messages"]}

    def next_step(_: int) -> dict[str, Any]:
        from langgraph.checkpoint.base.id import uuid6

        number = next(numbers)
        version = state["version"] = saver.get_next_version(state["version"], None)
        newest = messages[-1].model_copy(update={"content": f"{messages[-1].content} {number}"})
        values = {"messages": [*messages[: length - 1], newest], "branch:to:model": None}
        checkpoint = {**last[1]["checkpoint"], "id": str(uuid6(clock_seq=number)), "channel_values": values}
        checkpoint["channel_versions"] = versions = {"messages": version, "branch:to:model": version}
        configurable = {"thread_id": f"{THREAD}-more", "checkpoint_ns": "", "checkpoint_id": state["parent"]}
        state["parent"] = checkpoint["id"]
        return {**last[1], "config": {"configurable": configurable}, "checkpoint": checkpoint, "new_versions": versions}

    def put_three() -> list[int]:
        return call_each(lambda arguments: saver.put(**arguments), [(next_step(n),) for n in range(3)])

    return put_three


def compare_bytes(report: Report, options: argparse.Namespace) -> None:
    say("bytes of threads")
    series: dict[str, list[Round]] = {}
    messages = make_messages(4 * options.steps)
    lengths = (options.steps, 2 * options.steps, 4 * options.steps)
    for length in lengths:
        with ExitStack() as stack:
            for name, (contender, saver) in opened(SAVERS, stack).items():
                for arguments in steps(saver, length, messages):
                    saver.put(**arguments)
                size = float(contender.bytes())
                series[f"{name}, {length:,} steps"] = [Round(size, size)]
    title = "bytes that the checkpoints of a thread take"
    longest, half = (f"{OURS_SAVER}, {length:,} steps" for length in (lengths[2], lengths[1]))
    goal = Goal(f"bytes of {lengths[2]:,} steps to those of {lengths[1]:,}, ours", title, longest, half, at_most=2.2)
    report.add(Case(title, f"{OURS_SAVER}, {options.steps:,} steps", series, unit="bytes"), goal)


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    compare_stores(report, options)
    compare_savers(report, options)
    compare_bytes(report, options)
    return report


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--items", type=int, default=10_000, help="in each store")
    arguments.add_argument("--steps", type=int, default=200, help="of each thread, one message each")
    given = arguments.parse_args()
    compare(given).show(given.json)
