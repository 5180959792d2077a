"""D3, D4: power cuts replayed, with un-synced writes that are dropped, kept or torn, in the middle of every op.

The real engine writes to the real disk through a VFS that writes down what it does; thousands of disks are made of
that, as cuts could have left them.
"""

from __future__ import annotations

import random
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from stress.recording import Ack, Disk, Event, recorded
from stress.story import State, open_store, state_of, story

from botwire_core.memory import Memory
from botwire_core.stores.sqlite import SqliteStore

IMAGES = 5_000
CHECKPOINT_EVERY = 24  # pages, so that many fall into a short story


@dataclass(slots=True)
class Verdict:
    """How many images were all right, and how the others were not."""

    fine: int = 0
    lost: int = 0
    corrupt: int = 0
    first: str = ""

    def add(self, problem: str, where: str) -> None:
        if not problem:
            self.fine += 1
        elif problem == "lost":
            self.lost += 1
        else:
            self.corrupt += 1
        if problem and not self.first:
            self.first = f"{where}: {problem}"


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A folder in memory where the system has one: thousands of images need no real disk."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


def tell(path: Path, durability: str, tellers: int = 1, chapters: int = 2) -> tuple[list[Event], list[State]]:
    """Record the story, told by so many stores in turn, and the state after each of its steps."""
    with recorded() as events:
        stores = [open_store(path, durability) for _ in range(tellers)]
        states: list[State] = [{}]
        for number, (_, step) in enumerate(story(chapters)):
            store = stores[number % tellers]
            store._connections.current().wal_autocheckpoint(CHECKPOINT_EVERY)
            step(store)
            events.append(Ack())
            states.append(state_of(store))
        for store in stores:
            store.close()
    assert len(states) == len(story(chapters)) + 1
    assert all(before != after for before, after in pairwise(states)), "a step shows nothing"
    return events, states


def cut(events: list[Event], images: int, seed: int) -> Iterator[tuple[int, int, dict[str, bytes]]]:
    """Images after cuts at random places: the place, how many steps were acknowledged there, and the files."""
    chance = random.Random(seed)
    places = sorted(chance.randint(0, len(events)) for _ in range(images))
    disk, done, acked = Disk(), 0, 0
    for place in places:
        for event in events[done:place]:
            acked += isinstance(event, Ack)
            disk.take(event)
        done = place
        yield place, acked, disk.after_a_cut(chance)


def opened(folder: Path, files: dict[str, bytes]) -> SqliteStore:
    """A store on a disk with these files."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return open_store(folder / "memory.db")


def problem_of(folder: Path, files: dict[str, bytes], states: list[State], acked: int) -> str:
    """What is wrong with an image: nothing, "lost" if an older state stands there, or else what is damaged."""
    store = opened(folder, files)
    try:
        state = state_of(store)
        if state not in states[acked : acked + 2]:
            return "lost" if state in states[:acked] else "a state that never was"
        if (health := store.health().integrity) != "ok":
            return health
        Memory("base", store=store).set("after", acked)
        return "" if Memory("base", store=store).get("after") == acked else "it cannot be written"
    except Exception as error:  # damage is to be named as such, but the kind of error is not judged here
        return f"{type(error).__name__}: {error}"
    finally:
        store.close()
        empty(folder)


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def judge(folder: Path, recording: tuple[list[Event], list[State]], images: int, seed: int) -> Verdict:
    events, states = recording
    verdict = Verdict()
    for place, acked, files in cut(events, images, seed):
        verdict.add(problem_of(folder, files, states, acked), f"seed {seed}, event {place}, {acked} acknowledged")
    return verdict


@pytest.mark.parametrize("tellers", [1, 2])
def test_d3_d4_what_was_acknowledged_is_there_whatever_a_power_cut_leaves_of_un_synced_writes(
    tellers: int, tmp_path: Path, quick_folder: Path, scale: Callable[[int], int]
) -> None:
    recording = tell(tmp_path / "memory.db", "full", tellers)
    verdict = judge(quick_folder, recording, scale(IMAGES // 2), secrets.randbits(32))
    assert (verdict.lost, verdict.corrupt) == (0, 0), verdict.first


def test_d3_d4_a_second_power_cut_while_the_first_is_recovered_from_takes_nothing_either(
    tmp_path: Path, quick_folder: Path, scale: Callable[[int], int]
) -> None:
    events, states = tell(tmp_path / "memory.db", "full")
    chance = random.Random(seed := secrets.randbits(32))
    verdict = Verdict()
    for place, acked, files in cut(events, scale(IMAGES // 10), seed):
        disk = Disk.holding(files)
        with recorded(disk.names) as recovery:
            store = opened(quick_folder, files)
            state_of(store)
            store.close()
        empty(quick_folder)
        for event in recovery[: chance.randint(0, len(recovery))]:
            disk.take(event)
        again = disk.after_a_cut(chance)
        verdict.add(problem_of(quick_folder, again, states, acked), f"seed {seed}, event {place}, cut again")
    assert (verdict.lost, verdict.corrupt) == (0, 0), verdict.first


def test_d3_with_normal_durability_a_power_cut_takes_the_last_writes_and_damages_nothing(
    tmp_path: Path, quick_folder: Path, scale: Callable[[int], int]
) -> None:
    recording = tell(tmp_path / "memory.db", "normal")
    verdict = judge(quick_folder, recording, scale(IMAGES // 5), secrets.randbits(32))
    assert verdict.lost > 0, verdict
    assert verdict.corrupt == 0, verdict.first


def test_d3_without_syncs_a_power_cut_loses_and_damages(
    tmp_path: Path, quick_folder: Path, scale: Callable[[int], int]
) -> None:
    recording = tell(tmp_path / "memory.db", "off")
    verdict = judge(quick_folder, recording, scale(IMAGES // 10), secrets.randbits(32))
    assert verdict.lost > 0, verdict
    assert verdict.corrupt > 0, verdict
