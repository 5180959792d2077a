"""D1: processes killed with SIGKILL at random moments, in the middle of whatever they do."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stress.story import State, open_store, state_of, story
from stress.writer import CHAPTERS, acks_at_hand, acks_of, check_written, killed, running

from botwire_core.memory import Memory
from botwire_core.stores.sqlite import SqliteStore

KILLS = 200
KINDS = sorted({kind for kind, _ in story()})


def spin(seconds: float) -> None:
    """Stay awake for so long: a sleep ends when the scheduler likes, and so mostly between two ops."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def check_opens(path: Path) -> None:
    """It opens in under a second, is whole, and takes writes."""
    started = time.perf_counter()
    store = SqliteStore(path)
    try:
        Memory("writer", store=store).get("count")
        assert time.perf_counter() - started < 1
        assert store.health().integrity == "ok"
    finally:
        store.close()


def test_d1_a_writer_that_is_killed_loses_nothing_that_was_acknowledged(
    tmp_path: Path, scale: Callable[[int], int]
) -> None:
    path, chance, acked = tmp_path / "memory.db", random.Random(), 0
    for _ in range(scale(KILLS)):
        with running("writer", path) as process:
            wanted = chance.randint(0, 40)
            assert acks_of(process, wanted) == wanted
            acked += wanted
            spin(chance.uniform(0, 0.003))
            acked += killed(process)
        check_opens(path)
        more = check_written(path, "writer", acked)
        assert more in (0, 1)
        acked += more


def test_d1_a_writer_that_acknowledges_too_early_is_seen_to_lose(tmp_path: Path, scale: Callable[[int], int]) -> None:
    path, acked, lost = tmp_path / "memory.db", 0, 0
    for _ in range(scale(KILLS // 4)):
        with running("early", path) as process:
            acked += acks_of(process, 1) + killed(process)
        more = check_written(path, "writer", acked)
        acked += more
        lost += more < 0
    assert lost > 0


def test_d1_a_writer_that_is_killed_holds_nobody_up(tmp_path: Path, scale: Callable[[int], int]) -> None:
    path, chance, acked, stayed = tmp_path / "memory.db", random.Random(), 0, 0
    with running("survivor", path) as survivor:
        stayed += acks_of(survivor, 1)
        for _ in range(scale(KILLS // 4)):
            with running("writer", path) as process:
                acked += acks_of(process, chance.randint(1, 10))
                spin(chance.uniform(0, 0.003))
                acked += killed(process)
            stayed += acks_at_hand(survivor)
            started = time.perf_counter()
            stayed += (went_on := acks_of(survivor, 2))
            assert went_on == 2  # the first may have been done before
            assert time.perf_counter() - started < 1
            acked += (more := check_written(path, "writer", acked))
            assert more in (0, 1)
        stayed += killed(survivor)
    assert check_written(path, "survivor", stayed) in (0, 1)
    check_opens(path)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[State], list[float]]:
    """The states of the story, and how many seconds each step takes."""
    store = open_store(tmp_path_factory.mktemp("told") / "memory.db")
    states: list[State] = [{}]
    seconds = []
    for _, step in story(CHAPTERS):
        started = time.perf_counter()
        step(store)
        seconds.append(time.perf_counter() - started)
        states.append(state_of(store))
    store.close()
    return states, seconds


@pytest.mark.parametrize("kind", KINDS)
def test_d1_what_is_killed_in_the_middle_happened_whole_or_not_at_all(
    kind: str, told: tuple[list[State], list[float]], tmp_path: Path, scale: Callable[[int], int]
) -> None:
    states, seconds = told
    places = [number for number, (name, _) in enumerate(story(CHAPTERS)) if name == kind]
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    for round in range(scale(20)):
        path, place = tmp_path / f"{round}.db", chance.choice(places)
        with running("story", path) as process:
            acked = acks_of(process, place)
            assert acked == place
            spin(chance.uniform(0, 1.2 * seconds[place]))
            acked += killed(process)
        store = open_store(path)
        assert store.health().integrity == "ok"
        assert state_of(store) in states[acked : acked + 2], f"seed {seed}, killed after {acked} steps"
        store.close()
