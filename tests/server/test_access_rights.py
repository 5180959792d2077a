"""Who may do what where: rows A2, A8 and A11."""

from __future__ import annotations

from typing import Any

import pytest
from server.granting import Desk, put
from server.test_access_demands import TABLE

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.errors import ForbiddenError, InvalidNamespaceError
from botwire_core.results import Retention
from botwire_core.scopes.ops import ListScoped, OpenScoped
from botwire_core.scopes.scope import Scope
from botwire_core.service import CreateToken, GetUsage, ListTokens
from botwire_core.stores.dict import DictStore

ONE = encode(1)


@pytest.fixture
def desk() -> Desk:
    return Desk(DictStore())


def moved(op: p.Op[Any], namespace: str) -> p.Op[Any]:
    """The same op on another namespace."""
    from botwire_core.records import replace

    steps = {"steps": tuple(moved(step, namespace) for step in op.steps)} if isinstance(op, p.Transact) else {}
    return replace(op, namespace=namespace, **steps)


@pytest.mark.parametrize(
    "op", [op for op, demanded in TABLE if demanded and hasattr(op, "namespace")], ids=lambda op: type(op).__name__
)
async def test_a2_a_token_of_one_namespace_does_nothing_in_another_and_cannot_tell_whether_it_is_there(
    desk: Desk, op: p.Op[Any]
) -> None:
    theirs = desk.known("a:all,admin", "a@~r:all", "b:all", "b@~r:all", "c@~r:all")
    told = []
    for exists in (False, True):
        if exists:
            put(desk.store, "foreign")
        with pytest.raises(ForbiddenError) as caught:
            await desk.access.authorise(theirs, moved(op, "foreign"))
        told.append((str(caught.value), caught.value.hint, caught.value.code))
    assert told[0] == told[1]


async def test_a2_source_and_target_are_both_looked_at(desk: Desk) -> None:
    put(desk.store, "mine")
    put(desk.store, "foreign")
    mine = desk.known("mine:all,admin", "mine.*:all")
    for op in (
        p.Fork("mine", "foreign"), p.Fork("mine", "new"), p.Fork("foreign", "mine.new"), p.Compare("mine", "foreign"),
        p.Compare("foreign", "mine"), p.Merge("mine", "foreign"), p.Merge("foreign", "mine"),
        p.Merge("mine", "foreign", dry_run=True), p.ExportAll("foreign", print), p.ExportFamily("mine", print),
    ):  # fmt: skip
        assert not await desk.may(mine, op), op
    assert await desk.may(mine, p.Fork("mine", "mine.new"))
    assert await desk.may(mine, p.Merge("mine", "mine.new"))


async def test_a2_a_transaction_is_refused_for_one_step_that_is(desk: Desk) -> None:
    writer = desk.known("a:write")
    assert await desk.may(writer, p.Transact("a", (p.Set("a", "k", ONE),)))
    assert not await desk.may(writer, p.Transact("a", (p.Set("a", "k", ONE), p.Delete("a", "k"))))
    assert not await desk.may(writer, p.Transact("a", (p.Set("a", "k", ONE), p.Set("b", "k", ONE))))
    assert not await desk.may(writer, p.Transact("b", ()))


async def test_a2_a_list_shows_the_namespaces_that_one_may_read(desk: Desk) -> None:
    for name in ("a", "a.x", "a2", "b"):
        put(desk.store, name)
    desk.store.run(p.Fork("b", "a.fork"))
    op = p.ListNamespaces()

    async def seen(*grants: str) -> dict[str, str | None]:
        found = await desk.access.visible(desk.known(*grants), op, desk.store.run(op))
        return {info.name: info.parent for info in found}

    assert await seen("a:read", "a.*:read") == {"a": None, "a.x": None, "a.fork": None}
    assert await seen("a:write", "b:history") == {}
    assert await seen("*:read") == {"a": None, "a.x": None, "a2": None, "a.fork": "b", "b": None}
    assert await seen("*:admin") == await seen("*:read")
    assert await seen("a:read,admin") == {"a": None}


@pytest.mark.parametrize("name", [".tokens", ".scopes", ".", "", "a/b", "*", "é"])
async def test_a2_what_no_user_can_name_is_open_to_nobody(desk: Desk, name: str) -> None:
    for op in (p.Get(name, "k"), p.Set(name, "k", ONE), p.Fork("a", name), p.Merge("a", name), p.Transact(name, ())):
        with pytest.raises(InvalidNamespaceError):
            await desk.access.authorise(desk.known("*:all,admin"), op)


DEEDS: dict[str, p.Op[Any]] = {
    "get": p.Get("a", "k"),
    "list": p.ListKeys("a"),
    "usage": GetUsage("a"),
    "export": p.ExportAll("a", print),
    "look back": p.Get("a", "k", at=1),
    "history": p.GetHistory("a", "k"),
    "set": p.Set("a", "k", ONE),
    "increment": p.Increment("a", "k"),
    "restore": p.Restore("a", "k", 1),
    "snapshot": p.Snapshot("a"),
    "delete": p.Delete("a", "k"),
    "clear": p.Clear("a"),
    "drop": p.Drop("a"),
    "fork": p.Fork("a", "a@v1"),
    "purge": p.Purge("a", "k"),
    "configure": p.SetRetention("a", Retention()),
    "tokens": ListTokens(),
}


@pytest.mark.parametrize(
    ("verbs", "allowed"),
    [
        ("read", "get list usage export"),
        ("write", "set"),
        ("delete", "delete clear drop"),
        ("fork", ""),
        ("history", ""),
        ("admin", "purge configure"),
        ("read,write", "get list usage export set increment"),
        ("read,fork", "get list usage export"),
        ("read,write,fork", "get list usage export set increment fork"),
        ("read,history", "get list usage export look-back history"),
        ("write,history", "set restore snapshot"),
        ("all", " ".join(deed.replace(" ", "-") for deed in DEEDS if deed not in ("purge", "configure", "tokens"))),
        ("all,admin", " ".join(deed.replace(" ", "-") for deed in DEEDS if deed != "tokens")),
    ],
)
async def test_a8_a_verb_allows_what_it_says_and_nothing_else(desk: Desk, verbs: str, allowed: str) -> None:
    put(desk.store, "a")
    who = desk.known(f"a:{verbs}")
    can = {name for name, op in DEEDS.items() if await desk.may(who, op)}
    assert can == {deed.replace("-", " ") for deed in allowed.split()}


async def test_a8_what_belongs_to_the_whole_server_needs_admin_on_all_of_it(desk: Desk) -> None:
    for op in (ListTokens(), CreateToken(b"", ()), p.ExportFamily("a", print)):
        assert not await desk.may(desk.known("*:all", "a:admin", "a.*:admin"), op)
        assert await desk.may(desk.known("*:admin"), op)
    with pytest.raises(ForbiddenError, match="admin on the whole store"):
        desk.access.check_admin(desk.known("*:all", "a:admin"))
    desk.access.check_admin(desk.known("*:admin"))


async def test_a11_a_fork_needs_read_and_fork_on_its_source_and_write_on_its_name(desk: Desk) -> None:
    put(desk.store, "a")
    op = p.Fork("a", "b")
    assert await desk.may(desk.known("a:read,fork", "b:write"), op)
    for grants in (
        ["a:read", "b:write"], ["a:fork", "b:write"], ["a:read,fork"], ["a:all,admin"], ["b:all,admin"],
        ["a:read,fork", "b:read"], ["a:read,fork", "b.*:write"], ["a.*:read,fork", "b:write"],
    ):  # fmt: skip
        assert not await desk.may(desk.known(*grants), op), grants


async def test_a11_a_fork_does_not_inherit_the_rights_on_its_source(desk: Desk) -> None:
    put(desk.store, "a", "b", "a.b", "ab", "a-b")
    who = desk.known("a:all")
    for name in ("b", "a.b", "ab", "a-b"):
        assert not await desk.may(who, p.Get(name, "key"))
    assert not await desk.may(desk.known("b:all"), p.Get("a", "key"))


async def test_a11_fork_on_a_base_covers_its_forks_that_are_named_after_it(desk: Desk) -> None:
    put(desk.store, "a", "a@v1", "other", "a2@v1")
    desk.store.run(p.Fork("a@v1", "a@v1~copy"))
    desk.store.run(p.Fork("other", "a@stray"))
    who = desk.known("a:read,write,fork")
    for name in ("a@v1", "a@v1~copy"):
        assert await desk.may(who, p.Get(name, "key")), name
        assert await desk.may(who, p.Set(name, "key", ONE)), name
        assert not await desk.may(who, p.Delete(name, "key")), name
    assert not await desk.may(who, p.Get("a2@v1", "key")), "named after somebody else"
    assert not await desk.may(desk.known("a:read,write"), p.Get("a@v1", "key")), "without fork"
    assert not await desk.may(desk.known("a:fork"), p.Get("a@v1", "key")), "without read on the base"


async def test_a11_a_list_shows_the_forks_that_are_named_after_a_base(desk: Desk) -> None:
    put(desk.store, "a", "a@v1", "x@of-a")
    desk.store.run(p.Fork("a@v1", "a@v1~copy"))
    put(desk.store, "a@foreign")
    who = desk.known("a:read,fork")
    for op, expected in (
        (p.ListNamespaces(), ["a", "a@v1", "a@v1~copy"]),
        (p.ListNamespaces("a@v1~"), ["a@v1~copy"]),
        (p.ListNamespaces("x"), []),
    ):
        found = await desk.access.visible(who, op, desk.store.run(op))
        assert [info.name for info in found] == expected


async def test_a11_a_namespace_that_only_looks_like_a_fork_stays_closed(desk: Desk) -> None:
    put(desk.store, "a")
    put(desk.store, "a@foreign")
    put(desk.store, "b", "a@of-b")
    who = desk.known("a:all,admin")
    for name in ("a@foreign", "a@of-b", "a@not-there", "@a", "a@"):
        for op in (
            p.Get(name, "key"),
            p.Set(name, "key", ONE),
            p.Fork(name, "a@new"),
            p.Merge("a", name),
            p.Drop(name),
        ):
            assert not await desk.may(who, op), op


async def test_a11_a_fork_under_a_base_can_be_made_by_whoever_may_fork_the_base(desk: Desk) -> None:
    put(desk.store, "a", "a@v1")
    put(desk.store, "b")
    who = desk.known("a:read,write,fork", "b:read,fork")
    assert await desk.may(who, p.Fork("a", "a@v2"))
    assert await desk.may(who, p.Fork("a@v1", "a@v1~again"))
    assert not await desk.may(who, p.Fork("b", "a@v2")), "its root would not be a"
    assert not await desk.may(who, p.Fork("b", "b@v1")), "no write on b"
    assert not await desk.may(who, p.Fork("a", "a2@v1"))
    assert not await desk.may(desk.known("a:read,fork"), p.Fork("a", "a@v2")), "no write on a"


async def test_a11_the_name_of_a_fork_that_is_gone_opens_nothing_of_its_successor(desk: Desk) -> None:
    put(desk.store, "a", "a@v1")
    who = desk.known("a:read,write,fork")
    assert await desk.may(who, p.Get("a@v1", "key"))
    desk.store.run(p.Drop("a@v1"))
    put(desk.store, "a@v1")
    desk.clock.advance(5)
    assert not await desk.may(who, p.Get("a@v1", "key"))


async def test_a11_a_registered_scope_belongs_to_its_base_even_without_a_parent(desk: Desk) -> None:
    name = "a@v1~r1"
    op = OpenScoped("a", name, Scope(variant="v1", run_id="r1"), "run", "r1")
    who = desk.known("a:read,write,fork")
    assert not await desk.may(who, p.Get(name, "key")), "not there yet"
    assert await desk.may(who, op)
    assert not await desk.may(desk.known("a:read,write"), op)
    desk.store.run(op)
    assert await desk.may(who, p.Get(name, "key"))
    assert await desk.may(who, p.Set(name, "key", ONE))
    assert not await desk.may(desk.known("b:all", "a:read"), p.Get(name, "key"))

    async def seen(listing: p.Op[Any], *grants: str) -> list[str]:
        found = await desk.access.visible(desk.known(*grants), listing, desk.store.run(listing))
        return [one.name for one in found]

    for listing in (p.ListNamespaces(), ListScoped(), ListScoped("a")):
        assert name in await seen(listing, "a:read,fork")
        assert await seen(listing, "a:write,fork") == []
        assert name not in await seen(listing, "a:read")


async def test_a11_a_scope_cannot_be_registered_under_a_name_of_somebody_else(desk: Desk) -> None:
    put(desk.store, "victim", "victim@v1")
    thief = desk.known("a:all,admin")
    for name in ("victim@v2~r", "victim@v1", "victim"):
        op = OpenScoped("a", name, Scope(variant="v2", run_id="r"), "run", "r")
        assert not await desk.may(thief, op)
