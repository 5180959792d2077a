"""Append one message to a chat history, and read it, by its length, beside LangChain's own histories.

    python benchmarks/bench_chat.py
    python benchmarks/bench_chat.py --lengths 10,1000,10000 --contender my_module:MyHistory

What BotWire takes at 10,000 messages against at 1,000 is measured in rounds of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pkgutil import resolve_name
from typing import Any

from histories import HISTORIES, make_message
from measure import SYNCED, call_each, interleave, say
from ours import BotwireHistory, BotwireHistoryFull
from report import Case, Goal, Report, parser

APPENDS, READS = 5, 20
LIMIT = "row each, apsw"


def filled(made: Any, length: int, stack: ExitStack, missing: dict[str, str]) -> Any:
    """A contender in a folder of its own with so many messages; None where it is not installed, or that is too long."""
    contender = made()
    if length > getattr(contender, "longest", length):
        return None
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-"))
    try:
        contender.open(folder)
    except (ImportError, NotImplementedError) as error:
        missing[contender.name] = f"{error or 'not installed'}"
        return None
    stack.callback(contender.close)
    contender.fill([make_message(number) for number in range(length)])
    found = contender.read()
    assert len(found) == length
    assert found[3].content == make_message(3).content
    return contender


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    report.add(*append_goals(by_length(options)))
    classes = [BotwireHistory, BotwireHistoryFull, *HISTORIES, *map(resolve_name, options.contender)]
    for length in options.lengths:
        missing: dict[str, str] = {}
        with ExitStack() as stack:
            say(f"fill histories with {length:,} messages")
            found = [filled(made, length, stack, missing) for made in classes]
            contenders = {one.name: one for one in found if one is not None}
            # Reads first: appends make the histories longer.
            report.add(case(f"read all {length:,} messages", contenders, "read", [()] * READS, options, missing))
            title = f"the last 10 of {length:,} messages"
            report.add(case(title, contenders, "last", [(10,)] * READS, options, missing))
            title = f"append one message at {length:,}"
            goals = []
            if length == max(options.lengths):
                text = f"{title}: SQLChatMessageHistory to ours, both synced"
                goals.append(Goal(text, title, "SQLChatMessageHistory", "botwire FULL", at_least=3))
            arguments = [(make_message(5),)] * APPENDS
            report.add(case(title, contenders, "append", arguments, options, missing), *goals)
    return report


def by_length(options: argparse.Namespace) -> Case:
    """Our own histories of all lengths in the same rounds, with nobody else around."""
    functions: dict[str, Callable[[], list[int]]] = {}
    arguments = [(make_message(5),)] * APPENDS
    with ExitStack() as stack:
        for made in (BotwireHistory, BotwireHistoryFull):
            for length in options.lengths:
                contender = filled(made, length, stack, {})
                # A write-ahead log that has grown once is written over from then on, which a disk does quicker.
                contender.history.memory.set_many({f"warm-{number}": "x" * 1000 for number in range(6000)})
                functions[f"{made.name}, {length:,} messages"] = lambda one=contender: call_each(  # type: ignore[misc]
                    one.append, arguments
                )
        title = "append one message, by length"
        say(title)
        lengths = sorted(options.lengths)
        reference = f"botwire, {lengths[-2] if len(lengths) > 1 else lengths[0]:,} messages"
        return Case(title, reference, interleave(functions, options.rounds * 12, {}), quickest=SYNCED)


def append_goals(case: Case) -> tuple[Case, Goal, Goal]:
    def goal(name: str, durability: str) -> Goal:
        text = f"append a message at 10,000 to one at 1,000, {durability}"
        return Goal(text, case.title, f"{name}, 10,000 messages", f"{name}, 1,000 messages", at_most=1.5)

    return case, goal("botwire FULL", "FULL"), goal("botwire", "NORMAL")


def case(
    title: str,
    contenders: dict[str, Any],
    method: str,
    arguments: list[tuple[Any, ...]],
    options: argparse.Namespace,
    missing: dict[str, str],
) -> Case:
    say(title)
    left_out = dict(missing)

    def timed(one: Any) -> Callable[[], list[int]]:
        return lambda: call_each(getattr(one, method), arguments)

    appends = method == "append"
    rounds = options.rounds * (4 if appends else 1)
    series = interleave({name: timed(one) for name, one in contenders.items()}, rounds, left_out)
    notes = {name: one.note for name, one in contenders.items()} if appends else {}
    return Case(title, LIMIT, series, notes=notes, missing=left_out, quickest=SYNCED if appends else 1.0)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument(
        "--lengths", type=lambda text: [int(one) for one in text.split(",")], default=[10, 1000, 10_000]
    )
    arguments.add_argument("--contender", action="append", default=[], help="module:Class, may be repeated")
    given = arguments.parse_args()
    compare(given).show(given.json)
