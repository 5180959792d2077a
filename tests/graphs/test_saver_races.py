"""`BotWireSaver` where others write, prune and delete between two looks of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from botwire import Memory
from botwire_core.protocol import DeleteMany, GetMany, ListEntries, ListKeys, Op, Transact
from botwire_core.stores.sqlite import SqliteStore
from botwire_langgraph.saver import BotWireSaver

LONG = [f"{number:>2000}" for number in range(12)]
"""Texts of 24 KB together, which are kept in pieces."""


class Interrupted(SqliteStore):
    """A store that does something else first, once, before the next op of a kind."""

    before: tuple[type[Op[Any]], Callable[[], object]] | None = None
    ran = 0

    def run(self, op: Any) -> Any:
        self.ran += 1
        if self.before is not None and isinstance(op, self.before[0]):
            (_, what), self.before = self.before, None
            what()
        return super().run(op)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Interrupted]:
    store = Interrupted(tmp_path / "memory.db", durability="normal")
    yield store
    store.close()


@pytest.fixture
def saver(store: Interrupted) -> BotWireSaver:
    return BotWireSaver(Memory("races", store=store))


def config(id: str | None = None) -> Any:
    return {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": id}}


def put(saver: BotWireSaver, values: dict[str, Any], before: Any = None, **told: Any) -> Any:
    """Put a checkpoint in which every channel has a new version; gives its config."""
    versions = dict.fromkeys(values, saver.get_next_version(None, None))
    made = {**empty_checkpoint(), "channel_values": values, "channel_versions": versions}
    return saver.put(before or config(), made, {"source": "loop", "step": 1, "parents": {}, **told}, versions)  # type: ignore[arg-type,typeddict-item]


def said(saver: BotWireSaver, at: Any = None) -> Any:
    found = saver.get_tuple(at or config())
    return found and found.checkpoint["channel_values"]


@pytest.mark.parametrize("op", [ListEntries, ListKeys, DeleteMany])
def test_a_checkpoint_that_is_put_while_a_thread_is_pruned_stays_whole(
    store: Interrupted, saver: BotWireSaver, op: type[Op[Any]]
) -> None:
    first = put(saver, {"said": LONG[:6]})
    second = put(saver, {"said": LONG[:9]}, first)
    made: list[Any] = []

    def go_on() -> None:
        made.append(put(saver, {"said": LONG}, second))
        saver.put_writes(made[0], [("said", "w")], "task")

    store.before = (op, go_on)
    saver.prune(["t"])
    assert said(saver) == {"said": LONG}
    assert saver.get_tuple(config()).pending_writes == [("task", "said", "w")]  # type: ignore[union-attr]


@pytest.mark.parametrize("op", [ListEntries, ListKeys, DeleteMany, Transact])
def test_a_checkpoint_that_is_put_while_a_run_is_deleted_stays_whole(
    store: Interrupted, saver: BotWireSaver, op: type[Op[Any]]
) -> None:
    first = put(saver, {"said": LONG[:6]}, run_id="r1")
    second = put(saver, {"said": LONG[:9]}, first, run_id="r2")
    made: list[Any] = []
    store.before = (op, lambda: made.append(put(saver, {"said": LONG}, second, run_id="r3")))
    saver.delete_for_runs(["r2"])
    assert said(saver) == {"said": LONG}


@pytest.mark.parametrize("values", [{"said": ["short"]}, {"said": LONG}], ids=["short", "long"])
def test_what_is_read_while_a_thread_is_pruned_is_whole(
    store: Interrupted, saver: BotWireSaver, values: dict[str, Any]
) -> None:
    first = put(saver, values)

    def go_on() -> None:
        put(saver, {"said": ["other"]}, first)
        saver.prune(["t"])

    store.before = (GetMany, go_on)
    assert said(saver) == {"said": ["other"]}


def test_what_is_listed_while_a_thread_is_pruned_is_whole(store: Interrupted, saver: BotWireSaver) -> None:
    first = put(saver, {"said": ["one"]})
    second = put(saver, {"said": ["two"]}, first)
    store.before = (GetMany, lambda: saver.prune(["t"]))
    shown = list(saver.list({"configurable": {"thread_id": "t", "checkpoint_ns": ""}}))
    assert [(one.config, one.checkpoint["channel_values"]) for one in shown] == [(second, {"said": ["two"]})]


def test_a_thread_that_is_deleted_while_it_is_read_is_not_there(store: Interrupted, saver: BotWireSaver) -> None:
    at = put(saver, {"said": LONG})
    for asked in (config(), at):
        put(saver, {"said": LONG}) if asked is not at else saver.put(config(), *_again(at))
        store.before = (GetMany, lambda: saver.delete_thread("t"))
        assert saver.get_tuple(asked) is None


def _again(at: Any) -> tuple[Any, Any, Any]:
    versions = {"said": "1"}
    made = {**empty_checkpoint(), "id": at["configurable"]["checkpoint_id"]}
    return {**made, "channel_values": {"said": LONG}, "channel_versions": versions}, {"source": "loop"}, versions


def test_to_list_a_checkpoint_by_its_id_is_not_to_look_through_its_thread(
    store: Interrupted, saver: BotWireSaver
) -> None:
    first = at = put(saver, {"said": [0]})
    for number in range(1, 30):
        at = put(saver, {"said": [number]}, at)
    store.ran = 0
    assert [one.config for one in saver.list(first, limit=1)] == [first]
    assert list(saver.list(first, before=first)) == []
    assert [one.config for one in saver.list(first, before=at)] == [first]
    assert store.ran < 15
