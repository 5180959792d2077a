"""Transactions: one op at the end of the block, or none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from core.wrappers import RecordingStore

from botwire_core.errors import ConflictError, InvalidKeyError, InvalidValueError
from botwire_core.memory import Memory
from botwire_core.protocol import Op, Transact
from botwire_core.transaction import Transaction


class Block:
    """Runs the same block under `with` and under `async with`."""

    def __init__(self, colour: str) -> None:
        self.colour = colour

    async def __call__(self, transaction: Transaction, fill: Any) -> Transaction:
        if self.colour == "sync":
            with transaction as tx:
                fill(tx)
        else:
            async with transaction as tx:
                fill(tx)
        assert tx is transaction
        return tx


@pytest.fixture(params=["sync", "async"])
def block(request: pytest.FixtureRequest) -> Block:
    return Block(request.param)


async def test_all_steps_are_one_op_and_one_revision(store: RecordingStore, memory: Memory, block: Block) -> None:
    memory.set("old", 1)
    store.ops.clear()

    def fill(tx: Transaction) -> None:
        places = [
            tx.set("a", 1, ttl=60),
            tx.set("a", 2, if_version=1),
            tx.delete("old"),
            tx.delete("absent"),
            tx.append("log", "x", "y"),
            tx.increment("n", 2),
            tx.expire("n", 60),
            tx.check("a", 2),
        ]
        assert places == list(range(8))
        assert store.ops == []

    tx = await block(memory.transaction(), fill)
    rows = ["log/0000000000000000000", "log/0000000000000000001"]
    assert tx.results == [1, 2, True, False, rows, 2, True, None]
    assert len(store.ops) == 1
    assert isinstance(store.ops[0], Transact)
    assert {entry.revision for entry in memory.entries()} == {2}
    assert memory.get("a") == 2


async def test_an_exception_in_the_block_sends_nothing(store: RecordingStore, memory: Memory, block: Block) -> None:
    def fill(tx: Transaction) -> None:
        tx.set("a", 1)
        raise LookupError("mine")

    transaction = memory.transaction()
    with pytest.raises(LookupError, match="mine"):
        await block(transaction, fill)
    assert store.ops == []
    with pytest.raises(InvalidValueError, match="not committed"):
        _ = transaction.results


async def test_a_step_that_makes_no_sense_is_refused_at_once(
    store: RecordingStore, memory: Memory, block: Block
) -> None:
    def fill(tx: Transaction) -> None:
        for bad in (
            lambda: tx.set("k", {1}),
            lambda: tx.set("k", 1, ttl=0),
            lambda: tx.check("k", None),  # type: ignore[arg-type]
            lambda: tx.check("k", -1),
            lambda: tx.increment("k", float("nan")),
        ):
            with pytest.raises(InvalidValueError):
                bad()
        with pytest.raises(InvalidKeyError):
            tx.set("", 1)
        tx.set("good", 1)

    assert (await block(memory.transaction(), fill)).results == [1]
    assert memory.list_keys() == ["good"]


async def test_a_check_that_fails_undoes_all(memory: Memory, block: Block) -> None:
    memory.set("guard", 1)

    def fill(tx: Transaction) -> None:
        tx.set("a", 1)
        tx.check("guard", 7)

    with pytest.raises(ConflictError) as caught:
        await block(memory.transaction(), fill)
    assert caught.value.version == 1
    assert memory.list_keys() == ["guard"]


async def test_an_empty_transaction_sends_nothing(store: RecordingStore, memory: Memory, block: Block) -> None:
    assert (await block(memory.transaction(), lambda tx: None)).results == []
    assert store.ops == []


async def test_a_transaction_that_is_over_cannot_be_used_again(memory: Memory, block: Block) -> None:
    tx = await block(memory.transaction(), lambda tx: tx.set("a", 1))
    with pytest.raises(InvalidValueError, match="is over"):
        tx.set("b", 1)
    with pytest.raises(InvalidValueError, match="once"):
        await block(tx, lambda tx: None)
    with pytest.raises(InvalidValueError, match="has not begun"):
        memory.transaction().set("b", 1)
    assert memory.list_keys() == ["a"]


async def test_a_transaction_cannot_be_entered_inside_itself(memory: Memory) -> None:
    with memory.transaction() as tx:
        with pytest.raises(InvalidValueError, match="once"), tx:
            pass
        tx.set("a", 1)
    assert tx.results == [1]


async def test_the_author_of_a_memory_signs_its_transactions(store: RecordingStore, block: Block) -> None:
    memory = Memory("demo", store=store, author="ada")
    await block(memory.transaction(), lambda tx: tx.append("log", 1))
    assert {entry.author for entry in memory.entries()} == {"ada"}


class StalledStore(RecordingStore):
    """Commits, and then keeps the answer back until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.committed, self.let_go = asyncio.Event(), asyncio.Event()

    async def arun(self, op: Op[Any]) -> Any:
        result = await super().arun(op)
        self.committed.set()
        await self.let_go.wait()
        return result


async def test_a_transaction_cancelled_at_its_end_has_no_results() -> None:
    store = StalledStore()
    memory = Memory("demo", store=store)
    transaction = memory.transaction()

    async def work() -> None:
        async with transaction as tx:
            tx.set("a", 1)

    task = asyncio.create_task(work())
    await store.committed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(InvalidValueError, match="not committed"):
        _ = transaction.results
