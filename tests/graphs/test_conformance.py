"""Row S14: langgraph-checkpoint-conformance finds all eight capabilities, and all its tests pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

from langgraph.checkpoint.conformance import checkpointer_test, validate

from botwire import Memory
from botwire_langgraph.saver import BotWireSaver


async def test_s14_the_conformance_suite_passes_whole(url: str) -> None:
    @checkpointer_test(name="BotWireSaver")
    async def saver() -> AsyncIterator[BotWireSaver]:
        async with Memory(f"test-{uuid4().hex}", url) as memory:
            yield BotWireSaver(memory)

    report = await validate(saver)
    found = {name: (result.tests_passed, result.failures) for name, result in report.results.items()}
    assert found == {
        "put": (17, []),
        "put_writes": (10, []),
        "get_tuple": (10, []),
        "list": (16, []),
        "delete_thread": (5, []),
        "delete_for_runs": (7, []),
        "copy_thread": (8, []),
        "prune": (8, []),
    }
    assert report.passed_all()
