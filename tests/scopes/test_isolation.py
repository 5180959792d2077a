"""What code in a scope sees and changes: its own fork, from the same start as everybody else's."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime

import pytest

from botwire_core.codec import encode
from botwire_core.errors import ConflictError, InvalidValueError, ScopeError
from botwire_core.memory import Memory
from botwire_core.protocol import ListNamespaces, Set
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.ops import FindScoped, ForgetScoped, ListScoped
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.store import ScopedStore
from botwire_core.service import Request, Serve
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.testing import ManualClock


def exported(memory: Memory) -> bytes:
    file = io.BytesIO()
    memory.export(file)
    return file.getvalue()


def test_what_is_written_in_a_scope_is_seen_in_it_alone(memory: Memory) -> None:
    memory.set("tone", "formal")
    before = exported(memory)
    with scope(variant="v1", run_id="r1"):
        assert memory.get("tone") == "formal"
        memory.set("tone", "brief")
        memory.append("log", "one")
        memory.delete("tone")
        assert memory.keys() == ["log/0000000000000000000"]
    with scope(variant="v2", run_id="r1"):
        assert memory.get("tone") == "formal"
        assert memory.read("log") == []
    assert exported(memory) == before
    with scope(variant="v1", run_id="r1"):
        assert memory.get("tone") is None


async def test_async_calls_work_on_the_same_forks(memory: Memory) -> None:
    await memory.aset("tone", "formal")

    async def one(variant: str) -> list[object]:
        with scope(variant=variant, run_id="r1"):
            await memory.aappend("log", variant)
            await asyncio.sleep(0)
            async with memory.transaction() as tx:
                tx.set("who", variant)
            seen = [entry.value async for entry in memory.aentries()]
            return [await memory.aread("log"), *seen]

    results = await asyncio.gather(*(one(f"v{n}") for n in range(8)))
    for n, result in enumerate(results):
        assert result == [[f"v{n}"], f"v{n}", "formal", f"v{n}"]
    assert memory.keys() == ["tone"]


@pytest.mark.parametrize(
    ("isolation", "names"),
    [
        ("version", {"support@v1", "support@v2"}),
        ("run", {"support@v1~r1", "support@v1~r2", "support@v2~r1", "support@v2~r2"}),
        ("datapoint", {f"support@{v}~{r}~d{n}" for v in ("v1", "v2") for r in ("r1", "r2") for n in (1, 2)}),
        ("off", set()),
    ],
)
def test_the_isolation_says_who_shares(memory: Memory, isolation: str, names: set[str]) -> None:
    with scope_policy(isolation=isolation):  # type: ignore[arg-type]
        for variant in ("v1", "v2"):
            for run in ("r1", "r2"):
                for datapoint in ("d1", "d2"):
                    with scope(variant=variant, run_id=run, datapoint_id=datapoint, experiment="e"):
                        memory.increment("count")
    found = memory.store.run(ListScoped("support"))
    assert {one.name for one in found} == names
    counts = {one.name: Memory(one.name, store=memory.store).get("count") for one in found}
    assert set(counts.values()) == ({8 // len(names)} if names else set())
    assert memory.get("count") == (8 if isolation == "off" else None)


def test_all_variants_of_an_experiment_start_from_one_pin(memory: Memory) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1", experiment="e"):
        assert memory.get("tone") == "formal"
    memory.set("tone", "changed since")
    memory.set("new", 1)
    with scope(variant="v2", run_id="r2", experiment="e"):
        assert (memory.get("tone"), memory.get("new")) == ("formal", None)
    with scope(variant="v2", run_id="r3", experiment="another"):
        assert (memory.get("tone"), memory.get("new")) == ("changed since", 1)
    one, two, other = memory.store.run(ListScoped("support"))
    assert (one.pin, one.seed_revision) == (two.pin, two.seed_revision)
    assert one.pin != other.pin


def test_the_pinned_moment_outlives_what_is_pruned(memory: Memory) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1", experiment="e"):
        memory.drop()  # so that no fork needs the moment
    for number in range(200):
        memory.set("tone", number)
    with scope(variant="v2", run_id="r2", experiment="e"):
        assert memory.get("tone") == "formal"


def test_a_scope_may_start_empty_or_from_a_snapshot(memory: Memory) -> None:
    memory.set("tone", "old")
    memory.snapshot("monday")
    memory.set("tone", "new")
    with scope(variant="v1", run_id="r1"), scope_policy(seed="empty"):
        assert memory.keys() == []
    with scope(variant="v1", run_id="r2"), scope_policy(seed="snapshot:monday"):
        assert memory.get("tone") == "old"
    refused = pytest.raises(InvalidValueError, match="has no snapshot 'nobody'")
    with scope(variant="v1", run_id="r3"), scope_policy(seed="snapshot:nobody"), refused:
        memory.get("tone")
    with pytest.raises(InvalidValueError, match="seed"), scope_policy(seed="yesterday"):
        pass


def test_a_memory_that_is_not_there_yet_is_empty_in_a_scope_and_stays_absent(memory: Memory) -> None:
    with scope(variant="v1", run_id="r1"):
        assert memory.get("tone") is None
        memory.set("tone", 1)
    assert not memory.exists("tone")
    assert "support" not in {one.name for one in memory.store.run(ListNamespaces())}


def test_a_fork_in_a_scope_belongs_to_it(memory: Memory) -> None:
    memory.set("tone", "formal")
    for variant in ("v1", "v2"):
        with scope(variant=variant, run_id="r1"):
            memory.set("tone", variant)
            draft = memory.fork("draft")
            draft.set("tone", f"draft of {variant}")
            assert Memory("draft", store=memory.store).get("tone") == f"draft of {variant}"
            assert [change.key for change in memory.diff("draft").changed] == ["tone"]
            with pytest.raises(ConflictError):
                memory.fork("draft")
    assert Memory("draft", store=memory.store).keys() == []
    assert draft.get("tone") == "draft of v2"


def test_a_scoped_name_is_opened_as_it_is(memory: Memory) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1"):
        memory.set("tone", "brief")
    scoped = Memory("support@v1~r1", store=memory.store)
    assert scoped.get("tone") == "brief"
    with scope(variant="v2", run_id="r2"):
        assert scoped.get("tone") == "brief"
        other = Memory("team@home", store=memory.store)
        other.set("k", 1)
    assert other.get("k") is None
    assert memory.store.run(FindScoped("team@home")) is None


def test_names_that_are_taken_are_refused(memory: Memory) -> None:
    Memory("support@v1~r1", store=memory.store).set("mine", 1)
    with scope(variant="v1", run_id="r1"), pytest.raises(ScopeError, match="belongs to no scope"):
        memory.get("tone")
    assert Memory("support@v1~r1", store=memory.store).get("mine") == 1


def test_an_iterator_and_a_transaction_stay_in_the_scope_where_they_began(memory: Memory) -> None:
    memory.set_many({"a": "base", "b": "base"})
    with scope(variant="v1", run_id="r1"):
        memory.set("a", "v1")
        entries = memory.entries()
        changes = memory.watch(since=0, timeout=0)
        transaction = memory.transaction()
        with transaction as tx:
            tx.set("b", "v1")
            with scope(off=True):
                assert memory.get("b") == "base"
    assert [entry.value for entry in entries] == ["v1", "v1"]
    assert [change.value for change in changes][-2:] == ["v1", "v1"]
    begun = memory.transaction()
    with scope(variant="v1", run_id="r1"), begun as tx:
        tx.set("c", 1)
    assert memory.get("c") is None


def test_a_merge_brings_chosen_keys_back(memory: Memory) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1"):
        memory.set("tone", "brief")
        memory.set("noise", 1)
    result = memory.merge("support@v1~r1", keys="tone")
    assert result.written == ["tone"]
    assert (memory.get("tone"), memory.get("noise")) == ("brief", None)


def test_a_scoped_memory_expires_with_all_that_is_known_of_it(memory: Memory, clock: ManualClock) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1"), scope_policy(expires_after=60):
        memory.set("tone", "brief")
    clock.advance(61)
    assert memory.store.run(ListScoped("support")) == []
    assert memory.snapshots() == []
    with scope(variant="v1", run_id="r1"):
        # As another process would, which remembers nothing.
        assert Memory("support", store=ScopedStore(memory.store.inner)).get("tone") == "formal"


def test_forgetting_leaves_nothing_of_a_scope(memory: Memory) -> None:
    memory.set("tone", "formal")
    names = []
    for number in range(5):
        with scope(variant="v1", run_id=f"r{number}"):
            memory.set("tone", number)
        names.append(f"support@v1~r{number}")
    assert memory.store.run(ForgetScoped("other", tuple(names))) == 0
    assert memory.store.run(ForgetScoped("support", (*names, "support", "nobody"))) == 5
    assert memory.store.run(ListScoped()) == []
    assert memory.snapshots() == []
    assert memory.get("tone") == "formal"
    assert [one.name for one in memory.store.run(ListNamespaces())] == ["support"]


def test_the_registry_keeps_every_id_whole(memory: Memory, clock: ManualClock) -> None:
    with scope(variant="answer/3", run_id="r 1", experiment="e", prompt_path="support/answer"):
        memory.set("k", 1)
    (one,) = memory.store.run(ListScoped("support"))
    assert one.name == "support@answer-3-h89c7ab2710~r-1-h" + one.name[-10:]
    assert (one.base, one.scope.variant, one.scope.run_id, one.scope.prompt_path) == (
        "support",
        "answer/3",
        "r 1",
        "support/answer",
    )
    assert one.created_at == datetime.fromtimestamp(clock(), UTC)


def test_another_process_finds_the_same_forks(store: Store, memory: Memory) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1"):
        memory.set("tone", "brief")
        # A wrapper of its own knows nothing of what the first one opened.
        other = Memory("support", store=ScopedStore(store))
        assert other.get("tone") == "brief"


def test_dropping_in_a_scope_drops_the_fork(memory: Memory) -> None:
    memory.set("tone", "formal")
    with scope(variant="v1", run_id="r1"):
        assert memory.drop()
        assert memory.get("tone") is None
    assert memory.get("tone") == "formal"


def test_what_is_asked_of_scopes_themselves_means_the_same_in_a_scope(memory: Memory) -> None:
    with scope(variant="v1", run_id="r1"):
        memory.set("tone", "brief")
        (place,) = memory.store.run(ListScoped("support"))
        assert memory.store.run(FindScoped("support@v1~r1")) == place
        assert memory.store.run(FindScoped("support")) is None
        assert memory.store.run(ForgetScoped("support", (place.name,))) == 1
    assert memory.store.run(ListScoped()) == []


def test_nothing_is_served_to_clients_in_a_scope() -> None:
    memory = Memory("support", store=DictStore())
    request = Request((Set("support", "k", encode(1)),))
    with scope(variant="v1", run_id="r1"), pytest.raises(ScopeError, match="belongs to no scope"):
        memory.store.run(Serve((request,)))
    assert memory.keys() == []
