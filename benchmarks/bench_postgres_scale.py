"""Get, set, list and fork on a store of 1,000,000 keys in 100,000 namespaces, with 10,000 forks, beside one of 1,000.

    python benchmarks/bench_postgres_scale.py
    python benchmarks/bench_postgres_scale.py --plans docs/reference/query-plans.md

Both stores are schemas of one database. In the large one a third of the keys are in one namespace, so that nothing
holds only while all namespaces are alike. `--plans` puts what PostgreSQL does for each statement there between
the marks of a page.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench_postgres import database, pair
from measure import SYNCED, call_each, interleave, make_value, say
from postgres_filling import Filling, in_schema
from postgres_plans import GENERIC, explained, plans_table, taken_down
from report import Case, Goal, Report, parser

from botwire_core import codec
from botwire_core import protocol as p
from botwire_postgres.url import open_url

GETS, SINGLE, LISTS, FIRST = 200, 5, 20, 10
SHOWN = {"get", "get from a fork", "list 100 keys of a prefix", "set", "append"}
FINER = 8  # the disk's mood changes within milliseconds: more rounds, each of them short


class Side:
    """One of the two stores, and ops on it that a round takes at random."""

    def __init__(self, url: str, schema: str, filling: Filling) -> None:
        self.filling = filling
        self.url = in_schema(url, schema)
        self.store = open_url(self.url)
        self.name = f"{filling.keys:,} keys"
        self.choice = random.Random(3)
        self.numbers = itertools.count()
        self.known = self.choice.sample(filling.middle, min(50, len(filling.middle)))
        self.known_forks = self.choice.sample(filling.forks, 10)
        self.all = [filling.large, *filling.middle, *filling.small]

    def key(self, keys: int) -> str:
        number = self.choice.randrange(keys)
        return f"user{number // 100:05}:fact-{number % 100:03}"

    def get_large(self) -> p.Op[Any]:
        return p.Get(self.filling.large, self.key(self.filling.large_keys))

    def get_middle(self) -> p.Op[Any]:
        return p.Get(self.choice.choice(self.known), self.key(200))

    def get_any(self) -> p.Op[Any]:
        return p.Get(self.choice.choice(self.all), self.key(5))

    def get_fork(self) -> p.Op[Any]:
        return p.Get(self.choice.choice(self.known_forks), self.key(200))

    def list_large(self) -> p.Op[Any]:
        return p.ListKeys(self.filling.large, self.key(self.filling.large_keys // 100 * 100)[:10], limit=100)

    def list_middle(self) -> p.Op[Any]:
        return p.ListKeys(self.choice.choice(self.filling.middle), self.key(200)[:10], limit=100)

    def set_large(self) -> p.Op[Any]:
        payload = codec.encode(make_value(200, self.choice.randrange(10**6)))
        return p.Set(self.filling.large, self.key(self.filling.large_keys), payload)

    def set_middle(self) -> p.Op[Any]:
        payload = codec.encode(make_value(200, self.choice.randrange(10**6)))
        return p.Set(self.choice.choice(self.filling.middle), self.key(200), payload)

    def fork_large(self) -> p.Op[Any]:
        return p.Fork(self.filling.large, f"new-{next(self.numbers):06}")

    def fork_middle(self) -> p.Op[Any]:
        return p.Fork(self.choice.choice(self.filling.middle), f"new-{next(self.numbers):06}")

    def some_names(self) -> p.Op[Any]:
        return p.ListNamespaces("small-00001")

    def timed(self, op: Callable[[], p.Op[Any]], count: int) -> list[int]:
        return call_each(self.store.run, [(op(),) for _ in range(count)])

    def first_look(self) -> list[int]:
        return self.first_looks(self.filling.small)

    def first_look_at_forks(self) -> list[int]:
        return self.first_looks(self.filling.forks)

    def first_looks(self, names: list[str]) -> list[int]:
        """Through a store that has just been opened, and knows no namespace but one."""
        store = open_url(self.url)
        try:
            store.run(p.Get("first", "key"))
            chosen = self.choice.sample(names, FIRST)
            return call_each(store.run, [(p.Get(name, self.key(5)),) for name in chosen])
        finally:
            store.close()


def ops(filling: Filling) -> dict[str, p.Op[Any]]:
    """What is explained."""
    large, fork = filling.large, filling.forks[1]
    key, value = "user00001:fact-042", codec.encode(make_value(200))
    return {
        "get": p.Get(large, key),
        "get from a fork": p.Get(fork, key),
        "get_many of 128": p.GetMany(large, tuple(f"user00001:fact-{number:03}" for number in range(128))),
        "list 100 keys of a prefix": p.ListKeys(large, "user00001:", limit=100),
        "list 100 keys from the first": p.ListKeys(large, limit=100),
        "list 100 keys after one": p.ListKeys(large, after=key, limit=100),
        "list 100 entries, last first": p.ListEntries(large, limit=100, reverse=True),
        "list 100 keys of a fork": p.ListKeys(fork, "user00001:", limit=100),
        "set": p.Set(large, key, value),
        "set in a fork": p.Set(fork, key, value),
        "set of many": p.SetMany(large, ((key, value), ("user00001:fact-043", value))),
        "increment": p.Increment(large, "visits"),
        "append": p.Append(large, "chat", (value,)),
        "read the last of a log": p.ReadLog(large, "chat", last=10),
        "delete": p.Delete(large, "user00001:fact-044"),
        "fork": p.Fork(large, "explained"),
        "changes since a revision": p.ListChanges(large, since=filling.large_keys - 50),
        "history of a key": p.GetHistory(large, key),
    }


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    large = Filling(options.namespaces, options.keys, options.forks, middle=options.namespaces // 100)
    little = Filling(23, 1000, 10, middle=2)
    with ExitStack() as stack:
        url = stack.enter_context(database(options.postgres, **dict(options.setting)))
        sides = []
        for schema, filling in (("large", large), ("little", little)):
            say(f"fill a store of {filling.keys:,} keys")
            filling.write(url, schema)
            filling.check(url, schema)
            sides.append(Side(url, schema, filling))
            stack.callback(sides[-1].store.close)
        gc.collect()
        gc.freeze()
        wide, narrow = (side.name for side in sides)

        def case(title: str, method: str, count: int, *, finer: int = 1, bound: float | None = 1.5) -> None:
            say(title)
            functions = {}
            for side in sides:
                op = getattr(side, method)
                functions[side.name] = lambda s=side, o=op: s.timed(o, count) if count else o()
            series = interleave(functions, options.rounds * finer, {})
            goals = [Goal(f"{title}: {wide} to {narrow}", title, wide, narrow, at_most=bound)] if bound else []
            report.add(Case(title, narrow, series, quickest=1.0 if finer == 1 else SYNCED), *goals)

        case("get from the namespace with most keys", "get_large", GETS)
        case("get from a namespace of 200 keys", "get_middle", GETS)
        case("get from a fork", "get_fork", GETS)
        case("first get from a namespace that the process does not know", "first_look", 0)
        case("first get from a fork that the process does not know", "first_look_at_forks", 0)
        case("get from any namespace", "get_any", GETS, bound=None)
        case("list 100 keys of the namespace with most keys", "list_large", LISTS)
        case("list 100 keys of a namespace of 200", "list_middle", LISTS)
        case("fork of the namespace with most keys", "fork_large", SINGLE, finer=FINER)
        case("fork of a namespace of 200 keys", "fork_middle", SINGLE, finer=FINER)
        case("set in the namespace with most keys", "set_large", SINGLE, finer=FINER, bound=None)
        case("set in a namespace of 200 keys", "set_middle", SINGLE, finer=FINER, bound=None)
        case("list the namespaces of a prefix, ten", "some_names", 2, bound=None)
        if options.plans is not None:
            write_plans(options.plans, url, large)
    return report


def write_plans(path: Path, url: str, filling: Filling) -> None:
    """Put the plans between the marks of a page, those that hold for all values in full."""
    say("explain the statements")
    plans = list(explained(url, "large", taken_down(url, "large", ops(filling))))
    shown = [plan for plan in plans if plan.mode == GENERIC and plan.statement.op in SHOWN]
    text = [plans_table(plans), *(f"For {one.statement.op}:\n\n```text\n{one.text}\n```\n" for one in shown)]
    page = path.read_text(encoding="utf-8") if path.exists() else "<!-- begin plans --><!-- end plans -->\n"
    whole = "<!-- begin plans -->\n\n" + "\n".join(text) + "\n<!-- end plans -->"
    path.write_text(re.sub("<!-- begin plans -->.*<!-- end plans -->", lambda _: whole, page, flags=re.DOTALL))


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--postgres", metavar="URL", help="an empty database; else a server is started")
    arguments.add_argument("--namespaces", type=int, default=100_000)
    arguments.add_argument("--keys", type=int, default=1_000_000)
    arguments.add_argument("--forks", type=int, default=10_000)
    arguments.add_argument("--plans", type=Path, help="also write the query plans to this file")
    arguments.add_argument(
        "--setting", type=pair, action="append", default=[], metavar="NAME=VALUE", help="of the PostgreSQL it starts"
    )
    given = arguments.parse_args()
    compare(given).show(given.json)
