"""The whole test of the store: the contract that every store keeps, on a fresh folder."""

from pathlib import Path

import pytest
from folder_store import FolderStore

from botwire import Memory
from botwire_core.testing import ManualClock, StoreContract


class TestFolderStore(StoreContract):
    """All that a store has to do; the fixture says how to make a fresh one."""

    @pytest.fixture
    def store(self, tmp_path: Path, clock: ManualClock) -> FolderStore:
        return FolderStore(f"folder:{tmp_path}", clock=clock)


def test_a_memory_finds_it_by_its_url(tmp_path: Path) -> None:
    memory = Memory("diary", f"folder:{tmp_path / 'notes'}")
    memory.set("weather", "rain")
    assert (tmp_path / "notes" / "diary.json").read_text("utf-8").startswith('[{"key": "weather"')
    assert Memory("diary", f"folder:{tmp_path / 'notes'}").get("weather") == "rain"
