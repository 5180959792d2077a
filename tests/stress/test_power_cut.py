"""D2, D4: the power of a real file system is cut while a process writes to it.

ext4 on a loop device is shut down by an ioctl that drops all that is not on the disk yet, its own journal too; what
mounts again afterwards is what a machine finds when the power is back. That takes root and a loop device.

A real machine tells nobody anything while its power goes; here the ioctl takes milliseconds, and the one sync that is
under way meanwhile may come back as done though the cut took it (measured on Linux 6.18: 3 of 308 cuts, each of a write
that ended after the ioctl had begun). So what was acknowledged before the ioctl has to be there, and of what came back
later the last write may be missing.
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
from stress.writer import CHAPTERS, acks_at_hand, acks_of, check_written, killed, running

from botwire_core.stores.sqlite import SqliteStore

CUTS = 60
SHUT_DOWN = 0x8004587D  # FS_IOC_SHUTDOWN
WITHOUT_FLUSH = 2
SIZE = 64 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Acks:
    """How many writes have to be there, and how many acks there were: one more at most."""

    certain: int
    told: int


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

    def cut_power(self, writer: subprocess.Popen[bytes], acked: int) -> Acks:
        """Cut it while a writer of which so many acks were read goes on, and kill that."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            before = acked + acks_at_hand(writer)
            fcntl.ioctl(descriptor, SHUT_DOWN, WITHOUT_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(descriptor)
        told = before + killed(writer)
        return Acks(max(before, told - 1), told)


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


def cut_while_writing(machine: Machine, durability: str, already: int, wanted: int) -> Acks:
    """Cut the power of a writer in mode "append" after so many acks more than there were already."""
    with machine.powered(), running("writer", machine.folder / "memory.db", durability) as process:
        assert acks_of(process, wanted) == wanted
        return machine.cut_power(process, already + wanted)


def written_after(machine: Machine, acks: Acks) -> int:
    """How many writes stand there after the power is back; never a hole, never damage."""
    path = machine.folder / "memory.db"
    with machine.powered():
        if not path.exists():
            return 0
        store = SqliteStore(path)
        try:
            assert store.health().integrity == "ok"
        finally:
            store.close()
        return acks.told + check_written(path, "writer", acks.told)


def test_d2_a_power_cut_takes_nothing_that_was_acknowledged(machine: Machine, scale: Callable[[int], int]) -> None:
    chance, written = random.Random(), 0
    for _ in range(scale(CUTS)):
        acks = cut_while_writing(machine, "full", written, chance.randint(0, 60))
        written = written_after(machine, acks)
        assert acks.certain <= written <= acks.told + 1


def test_d2_with_normal_durability_a_power_cut_takes_the_last_writes_and_only_those(
    machine: Machine, scale: Callable[[int], int]
) -> None:
    chance, written, losses = random.Random(), 0, 0
    for number in range(CUTS):
        if losses and number >= scale(CUTS):
            break
        acks = cut_while_writing(machine, "normal", written, chance.randint(30, 300))
        written = written_after(machine, acks)
        assert written <= acks.told + 1
        losses += written < acks.certain
    assert losses > 0


def test_d4_a_power_cut_in_the_middle_of_an_op_leaves_all_of_it_or_nothing(
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
            acks = machine.cut_power(process, acks_of(process, chance.randrange(len(states))))
        with machine.powered():
            store = open_store(path)
            try:
                assert store.health().integrity == "ok"
                assert state_of(store) in states[acks.certain : acks.told + 2], f"cut after {acks}"
            finally:
                store.close()
            for file in machine.folder.glob(f"{number}.db*"):
                file.unlink()
