"""The plans of PostgreSQL for the statements of some ops, as a table; `tests/with_postgres/plans.py` takes them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from report import markdown

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from with_postgres.plans import GENERIC, MODES, Plan, explained, taken_down

__all__ = ["GENERIC", "explained", "plans_table", "taken_down"]


def plans_table(plans: Sequence[Plan]) -> str:
    """What each op read by either kind of plan: the most rows that a step looked at, and the pages of all statements.

    A statement is counted once, in the first op that sends it.
    """
    rows = []
    for op in dict.fromkeys(plan.statement.op for plan in plans):
        mine = {mode: [one for one in plans if one.statement.op == op and one.mode == mode] for mode in MODES}
        row = [op, f"{len(mine[MODES[0]])}"]
        for mode in MODES:
            row += [f"{max(one.rows for one in mine[mode]):,}", f"{sum(one.pages for one in mine[mode]):,}"]
        worst = max(mine[MODES[1]], key=lambda one: one.rows)
        rows.append([*row, worst.steps])
    header = ["op", "statements", "rows, planned for values", "pages"]
    return markdown([*header, "rows, generic", "pages", "steps of the generic plan with most rows"], rows)
