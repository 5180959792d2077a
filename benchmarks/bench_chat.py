"""Append one message to a chat history, and read it, by its length, beside LangChain's own histories.

    python benchmarks/bench_chat.py
    python benchmarks/bench_chat.py --lengths 10,1000,10000 --contender my_module:MyHistory

All lengths are measured in the same rounds, so that "at 10,000 messages against at 1,000" is a ratio like any other.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pkgutil import resolve_name
from typing import Any

from histories import HISTORIES, make_message
from measure import call_each, interleave, say
from ours import BotwireHistory, BotwireHistoryFull
from report import Case, Goal, Report, parser

APPENDS, READS = 5, 20
LIMIT = "row each, apsw"


def compare(options: argparse.Namespace) -> Report:
    classes = [BotwireHistory, BotwireHistoryFull, *HISTORIES, *map(resolve_name, options.contender)]
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        live: dict[int, dict[str, Any]] = {length: {} for length in options.lengths}
        for length in options.lengths:
            say(f"fill histories with {length:,} messages")
            for made in classes:
                contender = made()
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-"))
                try:
                    contender.open(folder)
                except (ImportError, NotImplementedError) as error:
                    missing[contender.name] = f"{error or 'not installed'}"
                    continue
                stack.callback(contender.close)
                contender.fill([make_message(number) for number in range(length)])
                found = contender.read()
                assert len(found) == length
                assert found[3].content == make_message(3).content
                live[length][contender.name] = contender
        report = Report()
        for length, contenders in live.items():  # reads first: appends make the histories longer
            report.add(case(f"read all {length:,} messages", contenders, "read", [()] * READS, options, missing))
            title = f"the last 10 of {length:,} messages"
            report.add(case(title, contenders, "last", [(10,)] * READS, options, missing))
        for length, contenders in live.items():
            title = f"append one message at {length:,}"
            arguments = [(make_message(5),)] * APPENDS
            goals = []
            if length == max(options.lengths):
                text = f"{title}: SQLChatMessageHistory to ours, both synced"
                goals.append(Goal(text, title, "SQLChatMessageHistory", "botwire FULL", at_least=3))
            report.add(case(title, contenders, "append", arguments, options, missing), *goals)
        report.add(*append_goals(by_length(live, options.rounds, missing)))
        return report


def by_length(live: dict[int, dict[str, Any]], rounds: int, missing: dict[str, str]) -> Case:
    """Our own histories against themselves, at all lengths."""
    say("append by length")
    functions: dict[str, Callable[[], list[int]]] = {}
    message = make_message(5)
    for length, contenders in live.items():
        for name in ("botwire", "botwire FULL"):
            functions[f"{name}, {length:,} messages"] = lambda one=contenders[name]: call_each(  # type: ignore[misc]
                one.append, [(message,)] * APPENDS
            )
    lengths = sorted(live)
    reference = f"botwire, {lengths[-2]:,} messages" if len(lengths) > 1 else next(iter(functions))
    return Case("append one message, by length", reference, interleave(functions, rounds * 4, dict(missing)))


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

    series = interleave({name: timed(one) for name, one in contenders.items()}, options.rounds, left_out)
    notes = {name: one.note for name, one in contenders.items()} if method == "append" else {}
    return Case(title, LIMIT, series, notes=notes, missing=left_out)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument(
        "--lengths", type=lambda text: [int(one) for one in text.split(",")], default=[10, 1000, 10_000]
    )
    arguments.add_argument("--contender", action="append", default=[], help="module:Class, may be repeated")
    given = arguments.parse_args()
    compare(given).show(given.json)
