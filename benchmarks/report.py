"""What a benchmark found: cases, the goals taken from them, and both as Markdown.

A case holds the rounds of everything that ran side by side. A goal is a ratio of two of its series, or a plain number,
and the bound it has to keep. The rounds of several runs of a script can be put together: `Report.joined`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from measure import Round, Series

__all__ = ["Case", "Goal", "Report", "goals_table", "markdown", "parser"]


@dataclass(slots=True)
class Case:
    """Everything that ran side by side; a ratio in its table is to `reference`, round by round.

    Only the share `quickest` of its rounds counts, by what all contenders took together. Where commits wait for the
    disk this leaves out the rounds in which they waited for a processor instead, and in which everything looks alike.
    """

    title: str
    reference: str
    series: dict[str, Series]
    unit: str = "µs"
    notes: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    quickest: float = 1.0

    def counted(self) -> dict[str, Series]:
        """The rounds that count, of each contender."""
        together = [sum(one.median for one in rounds) for rounds in zip(*self.series.values(), strict=True)]
        order = sorted(range(len(together)), key=lambda index: together[index])
        chosen = order[: max(1, round(len(order) * self.quickest))]
        return {name: [rounds[index] for index in chosen] for name, rounds in self.series.items()}

    def ratios(self, name: str, against: str) -> list[float]:
        counted = self.counted()
        return [a.median / b.median for a, b in zip(counted[name], counted[against], strict=True)]

    def table(self) -> str:
        header = [self.title, f"x {self.reference}", "rounds", f"median {self.unit}", f"p99 {self.unit}"]
        rows = []
        for name, rounds in self.counted().items():
            median = statistics.median(one.median for one in rounds)
            ratios = self.ratios(name, self.reference)
            row = [name, f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}"]
            row += [_number(median), _number(statistics.median(one.p99 for one in rounds))]
            rows.append((median, [*row, self.notes.get(name, "")] if self.notes else row))
        rows.sort(key=lambda row: row[0])
        lines = markdown([*header, "durability"] if self.notes else header, (row for _, row in rows))
        left_out = [f"{name} ({why})" for name, why in self.missing.items()]
        return lines + (f"\nLeft out: {', '.join(left_out)}.\n" if left_out else "")


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound: the median ratio of `of` to `against` in a case, times `factor`; without `against`, `of` itself."""

    text: str
    case: str
    of: str
    against: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    factor: float = 1.0

    def row(self, runs: Sequence[Report]) -> list[str] | None:
        """The row of the table of goals, or None where it was not measured."""
        by_run = [values for run in runs if (values := self._values(run))]
        if not by_run:
            return None
        together = [value for values in by_run for value in values]
        found = statistics.median(together)
        medians = [statistics.median(values) for values in by_run]
        bound = f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"
        quarters = statistics.quantiles(together, n=4) if len(together) > 1 else [found] * 3
        half = f"{_number(quarters[0])} to {_number(quarters[2])}"
        spread = f"{_number(min(medians))} to {_number(max(medians))}" if len(medians) > 1 else ""
        verdict = self._verdict(found)
        if any(self._kept(median) != self._kept(found) for median in medians):
            verdict += f", {sum(self._kept(median) for median in medians)} of {len(medians)} runs met it"
        return [self.text, bound, _number(found), half, spread, verdict]

    def _values(self, run: Report) -> list[float]:
        case = next((case for case in run.cases if case.title == self.case), None)
        if case is None or self.of not in case.series or (self.against and self.against not in case.series):
            return []
        if self.against is None:
            return [one.median * self.factor for one in case.counted()[self.of]]
        return [ratio * self.factor for ratio in case.ratios(self.of, self.against)]

    def _kept(self, value: float) -> bool:
        return value <= self.at_most if self.at_most is not None else value >= (self.at_least or 0.0)

    def _verdict(self, value: float) -> str:
        if self._kept(value):
            return "met"
        bound = self.at_most if self.at_most is not None else self.at_least or 1.0
        return f"**missed by {abs(value / bound - 1):.0%}**"


@dataclass(slots=True)
class Report:
    """The cases and goals of one run of a script."""

    cases: list[Case] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    load: float = 0.0
    """Of the machine, over the last minute of the run; the run itself is 1 of it."""

    def add(self, case: Case, *goals: Goal) -> None:
        self.cases.append(case)
        self.goals += goals

    def show(self, json_path: Path | None) -> None:
        """Print ratios against goals first, then all cases; also write everything as JSON if asked."""
        self.load = os.getloadavg()[0]
        print(goals_table([[self]]))
        for case in self.cases:
            print(case.table())
        if json_path is not None:
            json_path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Report:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        cases = []
        for case in data["cases"]:
            series = {name: [Round(**one) for one in rounds] for name, rounds in case.pop("series").items()}
            cases.append(Case(series=series, **case))
        return cls(cases, [Goal(**goal) for goal in data["goals"]], data["load"])

    @classmethod
    def joined(cls, runs: Sequence[Report]) -> Report:
        """All runs as one: the rounds of each series one run after the other."""
        cases = []
        for index, first in enumerate(runs[0].cases):
            parts = [run.cases[index] for run in runs]
            whole = [name for name in first.series if all(name in part.series for part in parts)]
            series = {name: [one for part in parts for one in part.series[name]] for name in whole}
            cases.append(replace(first, series=series))
        return cls(cases, runs[0].goals)


def goals_table(scripts: Iterable[Sequence[Report]]) -> str:
    """The goals of some scripts, each with its runs: over all rounds, and the medians of the runs."""
    rows = [row for runs in scripts for goal in runs[0].goals if (row := goal.row(runs))]
    header = ["goal", "bound", "measured", "middle half of the rounds", "medians of the runs", "verdict"]
    return markdown(header, rows) if rows else ""


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; numbers to the right."""
    body = list(rows)
    right = [all(row[i][:1].isdigit() or not row[i] for row in body) and i > 0 for i in range(len(header))]
    lines = [header, [("---:" if one else "---") for one in right], *body]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def parser(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark takes."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=20, help="rounds of each case")
    arguments.add_argument("--json", type=Path, help="also write every round to this file")
    return arguments


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"
