"""A report as text: a table for a terminal, or Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from botwire_core.codec import Value
from botwire_core.protocol import Missing
from botwire_core.scopes.report import MemoryReport, Place, RunColumn

__all__ = ["View", "markdown", "table"]

View: TypeAlias = Literal["version", "datapoint", "key"]
Row: TypeAlias = Sequence[str]

_MOST_KEYS = 6
_LONGEST_VALUE = 40


def table(report: MemoryReport, *, view: View = "version", keys_only: bool = False) -> str:
    """The report in aligned columns; `keys_only` leaves every value out, since memory holds personal data."""
    rows = [list(map(_printable, row)) for row in _rows(report, view, keys_only)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([_head(report), "", *lines, *_notes(report)]) + "\n"


def markdown(report: MemoryReport, *, view: View = "version", keys_only: bool = False) -> str:
    """The report as a Markdown table, for a comment on a change."""
    head, *rows = ([_cell(cell) for cell in row] for row in _rows(report, view, keys_only))
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join([f"**{_head(report)}**", "", *lines, *_notes(report)]) + "\n"


def _head(report: MemoryReport) -> str:
    seeds = "seeds equal" if report.seeds_equal else "SEEDS DIFFER: the variants cannot be compared"
    return f"Memory of {report.base}: {len(report.columns)} runs, {seeds}"


def _notes(report: MemoryReport) -> list[str]:
    notes = [f"- {_printable(reason)}" for reason in report.contamination(strict=True)]
    return ["", *notes] if notes else []


def _rows(report: MemoryReport, view: View, keys_only: bool) -> list[Row]:
    head = ["", *(column.label for column in report.columns)]
    if view == "version":
        return [head, *_by_version(report)]
    if view == "datapoint":
        return [head, *_by_datapoint(report)]
    return [head, *_by_key(report, keys_only)]


def _by_version(report: MemoryReport) -> Iterable[Row]:
    columns = report.columns
    differing = report.differing()
    yield ["isolation", *(column.isolation for column in columns)]
    yield ["seed", *(f"{column.seed[1]} at revision {column.seed[2]}" for column in columns)]
    yield ["datapoints", *(str(column.datapoints) for column in columns)]
    yield ["reads seed/own/missing", *(_reads(column) for column in columns)]
    yield ["writes/deletes", *(f"{column.writes} / {column.deletes}" for column in columns)]
    yield ["places changed", *(str(len(column.after)) for column in columns)]
    yield ["seed keys changed", *(_places(column.seed_changed) for column in columns)]
    yield ["only in this version", *(_places(report.only_in(column)) for column in columns)]
    yield ["same key, other value", *(_places([at for at in differing if at in column.after]) for column in columns)]
    yield ["order-dependent keys", *(_names(column.order_dependent) for column in columns)]
    yield ["unscoped operations", *(str(column.unscoped) for column in columns)]


def _by_datapoint(report: MemoryReport) -> Iterable[Row]:
    for point, cells in report.by_datapoint().items():
        row = [point]
        for column in report.columns:
            read, written = cells.get(column.label, ([], []))
            row.append(f"read {_names(read)}; wrote {_names(written)}")
        yield row


def _by_key(report: MemoryReport, keys_only: bool) -> Iterable[Row]:
    for place in report.places():
        yield [_place(place), *(_value(report.value_at(column, place), keys_only) for column in report.columns)]


def _reads(column: RunColumn) -> str:
    return f"{column.reads_seed} / {column.reads_own} / {column.reads_missing}"


def _places(places: Sequence[Place]) -> str:
    return _names([_place(place) for place in places])


def _place(place: Place) -> str:
    point, key = place
    return key if point is None else f"{key} ({point})"


def _names(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:_MOST_KEYS])
    return f"{shown} and {len(names) - _MOST_KEYS} more" if len(names) > _MOST_KEYS else shown or "-"


def _value(value: Value | Missing, keys_only: bool) -> str:
    if isinstance(value, Missing):
        return "-"
    if keys_only:
        return "(hidden)"
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _printable(text: str) -> str:
    # Memory holds what strangers typed: no control character of theirs reaches a terminal.
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _cell(text: str) -> str:
    # No cell ends early, and nothing in it is taken for a link, a tag or code.
    shown = _printable(text)
    for mark in "\\`*_[]<>|":
        shown = shown.replace(mark, f"\\{mark}")
    return shown
