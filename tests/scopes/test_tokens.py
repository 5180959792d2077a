"""An evaluation over HTTP by somebody who may use one memory and no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from botwire_core.errors import ForbiddenError
from botwire_core.grants import grant_from_text
from botwire_core.memory import Memory
from botwire_core.protocol import Op
from botwire_core.scopes.blocks import scope
from botwire_core.scopes.ops import FindScoped, ForgetScoped, ListScoped, OpenScoped, ReadUses, RecordUses, Use
from botwire_core.scopes.policy import scope_policy
from botwire_core.scopes.report import MemoryReport
from botwire_core.scopes.scope import Scope
from botwire_core.scopes.upkeep import collect, promote
from botwire_core.service import CreateToken
from botwire_core.store import Store
from botwire_core.stores.dict import DictStore
from botwire_core.stores.http import HttpStore
from botwire_core.tokens import digest_of, new_token
from botwire_server.testing import served


@pytest.fixture
def kept() -> Iterator[Store]:
    store = DictStore()
    yield store
    store.close()


@pytest.fixture
def tenant(kept: Store) -> Iterator[Memory]:
    """The memory "support" of somebody whose token is good for it alone."""
    secret = new_token()
    grant = grant_from_text("support:read,write,delete,history,fork")
    kept.run(CreateToken(digest_of(secret), (grant,)))
    with served(kept) as url:
        client = HttpStore(url, token=secret)
        yield Memory("support", store=client)
        client.close()


def test_an_evaluation_needs_rights_on_its_memory_alone(tenant: Memory, kept: Store) -> None:
    tenant.set("tone", "formal")
    thread = threading.Thread(target=lambda: tenant.get("tone"))
    with (
        scope_policy(isolation="datapoint", on_unscoped="base"),
        scope(variant="v1", run_id="r1", experiment="e"),
    ):
        with scope(datapoint_id="d1"):
            tenant.set("tone", "brief")
            assert tenant.get("tone") == "brief"
        thread.start()
        thread.join()
    report = MemoryReport.of(tenant.store, "support", ["r1"])
    assert (report.unscoped, report.columns[0].after) == (1, {("d1", "tone"): "brief"})
    assert promote(tenant.store, "support@v1~r1~d1", keys="tone").written == ["tone"]
    assert collect(tenant.store, "support") == ["support@v1~r1~d1"]
    assert kept.run(ListScoped()) == []


@pytest.mark.parametrize(
    "op",
    [
        FindScoped("other@v~r"),
        ReadUses("other@v~r"),
        ReadUses("other@v~r", "other"),
        ReadUses("other@v~r", "support"),
        RecordUses("other", (Use("other@v~r", "", "unscoped", 1, 1, 0, 1.0, 1.0),)),
        RecordUses("support", (Use("other@v~r", "", "unscoped", 1, 1, 0, 1.0, 1.0),)),
        ForgetScoped("other", ("other@v~r",)),
        OpenScoped("other", "other@v~s", Scope(variant="v", run_id="s"), "run", "run s"),
        OpenScoped("support", "other@v~s", Scope(variant="v", run_id="s"), "run", "run s"),
    ],
    ids=repr,
)
def test_the_scopes_of_another_memory_are_out_of_reach(tenant: Memory, kept: Store, op: Op[object]) -> None:
    with scope(variant="v", run_id="r"):
        Memory("other", store=kept).set("k", 1)
    with pytest.raises(ForbiddenError):
        tenant.store.run(op)
    assert tenant.store.run(ListScoped()) == []
    assert tenant.store.run(ForgetScoped("support", ("other@v~r",))) == 0
    assert [one.name for one in kept.run(ListScoped())] == ["other@v~r"]
