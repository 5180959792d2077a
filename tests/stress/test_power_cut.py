"""D2, D4: the power of a real file system is cut while a process writes to it.

ext4 on a loop device is shut down by an ioctl that drops all that is not on the disk yet, its own journal too; what
mounts again afterwards is what a machine finds when the power is back. That takes root and a loop device.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from stress.story import State, open_store, state_of, story
from stress.writer import CHAPTERS, acks_of, check_written, killed, running

from botwire_core.stores.sqlite import SqliteStore

CUTS = 60
SHUT_DOWN = 0x8004587D  # FS_IOC_SHUTDOWN
WITHOUT_FLUSH = 2
SIZE = 64 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Machine:
    """A file system of its own that can lose its power."""

    image: Path
    folder: Path

    def mount(self) -> str:
        """Give why it could not be done, or nothing."""
        done = subprocess.run(["mount", "-o", "loop", self.image, self.folder], capture_output=True, text=True)
        return done.stderr.strip() if done.returncode else ""

    def unmount(self) -> None:
        subprocess.run(["umount", self.folder], check=True, capture_output=True)

    @contextmanager
    def powered(self) -> Iterator[None]:
        """A block with the file system there; the journal is replayed at its beginning."""
        assert not self.mount()
        try:
            yield
        finally:
            self.unmount()

    def cut_power(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUT_DOWN, WITHOUT_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(descriptor)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if os.geteuid() != 0:
        pytest.skip("to mount a file system takes root")
    if missing := [tool for tool in ("mkfs.ext4", "mount", "umount") if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
    machine = Machine(tmp_path / "disk.img", tmp_path / "disk")
    machine.folder.mkdir()
    with machine.image.open("wb") as image:
        image.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", machine.image], check=True, capture_output=True)
    if problem := machine.mount():
        pytest.skip(f"no loop device can be mounted here: {problem}")
    machine.unmount()
    return machine


def cut_while_writing(machine: Machine, durability: str, acked: int, wanted: int) -> int:
    """Cut the power of a writer in mode "append" after so many acks more; gives how many it was told in all."""
    with machine.powered(), running("writer", machine.folder / "memory.db", durability) as process:
        assert acks_of(process, wanted) == wanted
        machine.cut_power()
        return acked + wanted + killed(process)


def check_after(machine: Machine, acked: int) -> int:
    """What stands there beyond the acks, after the power is back: below 0 what is lost. Never a hole, never damage."""
    path = machine.folder / "memory.db"
    with machine.powered():
        if not path.exists():
            return -acked
        store = SqliteStore(path)
        assert store.health().integrity == "ok"
        store.close()
        return check_written(path, "writer", acked)


def test_a_power_cut_takes_nothing_that_was_acknowledged(machine: Machine, scale: Callable[[int], int]) -> None:
    chance, acked = random.Random(), 0
    for _ in range(scale(CUTS)):
        acked = cut_while_writing(machine, "full", acked, chance.randint(0, 60))
        more = check_after(machine, acked)
        assert more in (0, 1)
        acked += more


def test_with_normal_durability_a_power_cut_takes_the_last_writes_and_only_those(
    machine: Machine, scale: Callable[[int], int]
) -> None:
    chance, acked, losses = random.Random(), 0, 0
    for number in range(CUTS):
        if losses and number >= scale(CUTS):
            break
        acked = cut_while_writing(machine, "normal", acked, chance.randint(30, 300))
        more = check_after(machine, acked)
        assert more <= 1
        acked += more
        losses += more < 0
    assert losses > 0


def test_a_power_cut_in_the_middle_of_an_op_leaves_all_of_it_or_nothing(
    machine: Machine, tmp_path: Path, scale: Callable[[int], int]
) -> None:
    store = open_store(tmp_path / "told.db")
    states: list[State] = [{}]
    for _, step in story(CHAPTERS):
        step(store)
        states.append(state_of(store))
    store.close()
    chance = random.Random()
    for number in range(scale(CUTS)):
        path = machine.folder / f"{number}.db"
        with machine.powered(), running("story", path) as process:
            acked = acks_of(process, chance.randrange(len(states)))
            machine.cut_power()
            acked += killed(process)
        with machine.powered():
            store = open_store(path)
            assert store.health().integrity == "ok"
            assert state_of(store) in states[acked : acked + 2], f"cut after {acked} steps"
            store.close()
            for file in machine.folder.glob(f"{number}.db*"):
                file.unlink()
