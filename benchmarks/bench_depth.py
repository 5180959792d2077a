"""Reading through forks of forks, past the versions of a key, and past siblings that overwrote it.

    python benchmarks/bench_depth.py
    python benchmarks/bench_depth.py --keys 10000 --siblings 100      # quicker

Depth is the number of ancestors. All forks of the chain look at the same keys of the base, each has changed 100 others,
and the base has been written to after each fork.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Sequence

from measure import call_each, interleave, keys, make_value, say
from ours import NAMESPACE, Botwire
from peers import ApswOrjson
from report import Case, Goal, Report, parser

from botwire import Memory

SIZE = 200
DEPTHS = (0, 1, 2, 8)
BOUNDS = {2: 1.5, 8: 2.3}
VERSIONS = (1, 10, 64)
HOT = 10  # keys


def chain(base: Memory, names: Sequence[str]) -> dict[int, Memory]:
    """The base and forks of it, by depth."""
    members = {0: base}
    for depth in range(1, max(DEPTHS) + 1):
        members[depth] = members[depth - 1].fork(f"depth-{depth}")
        own = names[depth * 200 :][:100]
        members[depth].set_many({key: make_value(SIZE, depth) for key in own})
        base.set_many({key: make_value(SIZE, -depth) for key in names[depth * 200 + 100 :][:100]})
    return members


def gets(memory: Memory, names: Sequence[str], choice: random.Random, count: int = 300) -> Callable[[], list[int]]:
    return lambda: call_each(memory.get, [(names[choice.randrange(len(names))],) for _ in range(count)])


def by_depth(
    report: Report, members: dict[int, Memory], bare: ApswOrjson, names: Sequence[str], options: argparse.Namespace
) -> None:
    choice = random.Random(6)
    title = f"get, {options.keys:,} keys in the base"
    say(title)
    functions = {f"depth {depth}": gets(members[depth], names, choice) for depth in DEPTHS}
    functions["a bare table, apsw+orjson"] = lambda: call_each(
        bare.get, [(names[choice.randrange(len(names))],) for _ in range(300)]
    )
    goals = [
        Goal(f"get at depth {depth} to depth 0", title, f"depth {depth}", "depth 0", at_most=bound)
        for depth, bound in BOUNDS.items()
    ]
    goals.append(Goal("get at depth 0 to a bare table", title, "depth 0", "a bare table, apsw+orjson", at_most=1.3))
    report.add(Case(title, "depth 0", interleave(functions, options.rounds, {})), *goals)

    title = "list 100 keys of a prefix"
    say(title)
    prefixes = sorted({name.partition(":")[0] + ":" for name in names})
    functions = {}
    for depth in (0, 2, 8):
        functions[f"depth {depth}"] = lambda memory=members[depth]: call_each(  # type: ignore[misc]
            memory.list_keys, [(choice.choice(prefixes),) for _ in range(20)]
        )
    functions["a bare table, apsw"] = lambda: call_each(
        bare.list_prefix, [(choice.choice(prefixes),) for _ in range(20)]
    )
    goal = Goal("list at depth 0 to a bare table", title, "depth 0", "a bare table, apsw", at_most=2.5)
    report.add(Case(title, "depth 0", interleave(functions, options.rounds, {})), goal)


def past_siblings(options: argparse.Namespace, report: Report, members: dict[int, Memory], names: list[str]) -> None:
    """Keys that many forks of the base have overwritten, against as many keys that none has."""
    base, choice = members[0], random.Random(7)
    hot, quiet = names[5000 : 5000 + HOT], names[6000 : 6000 + HOT]
    say(f"make {options.siblings:,} siblings that overwrite {HOT} keys")
    for number in range(options.siblings):
        base.fork(f"sibling-{number}").set_many({key: make_value(SIZE, number) for key in hot})
    assert all(members[depth].get(hot[0]) == base.get(hot[0]) for depth in DEPTHS)
    title = f"get of a key that {options.siblings:,} siblings overwrote"
    say(title)
    functions = {"untouched key, depth 0": gets(base, quiet, choice)}
    for depth in DEPTHS:
        functions[f"overwritten key, depth {depth}"] = gets(members[depth], hot, choice)
    goals = [
        Goal(
            f"{title}, depth {depth}, to an untouched key at depth 0",
            title,
            f"overwritten key, depth {depth}",
            "untouched key, depth 0",
            at_most=BOUNDS.get(depth, 1.1),
        )
        for depth in (0, 2, 8)
    ]
    report.add(Case(title, "untouched key, depth 0", interleave(functions, options.rounds, {})), *goals)


def by_versions(options: argparse.Namespace, report: Report, base: Memory) -> None:
    choice = random.Random(8)
    groups = {count: [f"versions-{count}:{number}" for number in range(300)] for count in VERSIONS}
    for round_number in range(max(VERSIONS)):
        for count, group in groups.items():
            if round_number < count:
                base.set_many({key: make_value(SIZE, round_number) for key in group})
    title = "get by versions of the key"
    say(title)
    functions = {plural(count): gets(base, group, choice) for count, group in groups.items()}
    report.add(Case(title, "1 version", interleave(functions, options.rounds, {})))


def plural(count: int) -> str:
    return f"{count} version{'s' if count != 1 else ''}"


def compare(options: argparse.Namespace) -> Report:
    report = Report()
    names = keys(options.keys)
    with tempfile.TemporaryDirectory(prefix="botwire-bench-") as folder:
        ours, bare = Botwire(), ApswOrjson()
        for contender in (ours, bare):
            say(f"fill {contender.name} with {options.keys:,} keys")
            contender.open(folder)
            contender.load((name, make_value(SIZE, number)) for number, name in enumerate(names))
        assert ours.memory.namespace == NAMESPACE
        members = chain(ours.memory, names)
        by_depth(report, members, bare, names[2000:], options)
        past_siblings(options, report, members, names)
        by_versions(options, report, ours.memory)
        for contender in (ours, bare):
            contender.close()
    return report


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--keys", type=int, default=100_000)
    arguments.add_argument("--siblings", type=int, default=1000)
    given = arguments.parse_args()
    compare(given).show(given.json)
