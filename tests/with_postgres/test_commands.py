"""The `botwire` command with a `postgresql://` URL: every command, what doctor finds, and no password anywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cli.running import Command, Result
from with_postgres.invariants import schema_of
from with_postgres.servers import Database

from botwire_core import protocol as p
from botwire_core.codec import encode
from botwire_core.connect import connect
from botwire_core.errors import BotWireError, SchemaTooNewError, StoreUnavailableError, UnknownStoreError
from botwire_core.memory import Memory
from botwire_postgres.store import PostgresStore
from botwire_postgres.url import open_url

Botwire = Callable[..., Result]

SECRET = "open%20sesame"
SPELLINGS = ("open sesame", "open%20sesame", "open+sesame", "sesame")


@pytest.fixture
def url(fresh_schema: Callable[..., str]) -> str:
    """Of an empty store, with a password that the database does not ask for."""
    made = fresh_schema()
    host = urlsplit(made).netloc
    user, _, place = host.rpartition("@")
    return made.replace(host, f"{user.partition(':')[0] or 'botwire'}:{SECRET}@{place}")


@pytest.fixture(scope="module")
def command() -> Iterator[Command]:
    with Command.loaded() as loaded:
        yield loaded


@pytest.fixture
def botwire(command: Command, tmp_path: Path, url: str) -> Botwire:
    """The command, with the store as its own; nothing that it says gives the password away."""

    def call(*arguments: str, stdin: bytes = b"") -> Result:
        result = command.run(*arguments, folder=tmp_path, streams=tmp_path / "streams", stdin=stdin, BOTWIRE_URL=url)
        for spelling in SPELLINGS:
            assert spelling not in result.out + result.err
        return result

    return call


def lines(botwire: Botwire, *arguments: str) -> list[str]:
    result = botwire(*arguments)
    assert result.code == 0, result.err
    return result.lines


def test_every_command_works(botwire: Botwire, url: str, tmp_path: Path) -> None:
    assert lines(botwire, "set", "notes", "likes", '"tea"')
    assert lines(botwire, "get", "notes", "likes") == ['"tea"']
    assert lines(botwire, "append", "notes", "chat", '"hello"')
    assert "hello" in lines(botwire, "read", "notes", "chat")[0]
    assert any("likes" in line for line in lines(botwire, "ls", "notes"))
    assert any("likes" in line for line in lines(botwire, "search", "notes", "tea"))
    assert lines(botwire, "fork", "notes", "copy")
    assert lines(botwire, "set", "copy", "likes", '"coffee"')
    assert any("likes" in line for line in lines(botwire, "diff", "notes", "copy"))
    assert lines(botwire, "snapshot", "notes", "before")
    assert lines(botwire, "merge", "notes", "copy")
    assert lines(botwire, "get", "notes", "likes") == ['"coffee"']
    assert len(lines(botwire, "history", "notes", "likes")) >= 2
    assert lines(botwire, "restore", "notes", "likes", "1")
    assert lines(botwire, "get", "notes", "likes") == ['"tea"']
    assert botwire("stats", "notes", "--json").json["keys"] == 2
    assert {one["name"] for one in botwire("namespaces", "--json").json["namespaces"]} == {"notes", "copy"}
    assert lines(botwire, "export", "notes", "notes.jsonl")
    assert lines(botwire, "import", "again", "notes.jsonl")
    assert lines(botwire, "token", "create", "--grant", "notes:read", "--label", "ann")
    assert any("ann" in line for line in lines(botwire, "token", "list"))
    assert botwire("scopes", "list").code == 0
    assert lines(botwire, "purge", "notes", "likes", "--yes")
    assert lines(botwire, "rm", "copy", "chat/0000000000000000000")
    assert lines(botwire, "drop", "copy", "--yes")
    states = {one["provides"]: one["state"] for one in botwire("plugins", "--json").json["plugins"]}
    assert states["postgresql:"] == "ready"
    assert Memory("again", url).list_keys() == ["chat/0000000000000000000", "likes"]


def test_a_backup_is_left_to_the_tools_of_postgresql(botwire: Botwire) -> None:
    result = botwire("backup", "copy.db")
    assert result.code != 0
    assert "pg_dump" in result.err


class TestDoctor:
    def test_it_makes_no_tables(self, botwire: Botwire, url: str, postgres: Database) -> None:
        report = botwire("doctor", "--json")
        assert report.code == 0
        assert "not there yet" in report.json["store"]["integrity"]
        assert postgres.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema_of(url),)) == []

    def test_it_tells_what_the_server_and_the_store_are(self, botwire: Botwire, url: str, postgres: Database) -> None:
        memory = Memory("notes", url)
        memory.set_many({"a": 1, "b": 2})
        memory.fork("copy")
        memory.snapshot("now")
        memory.merge(Memory("copy", url))
        report = botwire("doctor", "--json")
        assert report.code == 0, report.out
        store = report.json["store"]
        assert (store["kind"], store["integrity"], store["error"]) == ("PostgresStore", "ok", None)
        assert (store["namespaces"], store["versions"], store["schema_version"]) == (2, 2, 1)
        assert store["server_version"] in postgres.execute("SHOW server_version")[0][0]
        assert store["synchronous_replication"] == "off"
        assert store["bytes"] > 0
        assert "PostgresStore" in botwire("doctor").out

    @pytest.mark.parametrize(
        ("damage", "told"),
        [
            ("UPDATE {}.spaces SET forked_at = 0 WHERE name = 'copy'", "1 of the namespaces"),
            ("UPDATE {}.snapshots SET revision = 7", "1 of the snapshots"),
            ("DELETE FROM {}.spaces WHERE name = 'notes'", "versions of 1 namespaces that are not there"),
        ],
    )
    def test_it_finds_what_does_not_fit_together(
        self, botwire: Botwire, url: str, postgres: Database, damage: str, told: str
    ) -> None:
        memory = Memory("notes", url)
        memory.set("a", 1)
        memory.fork("copy")
        memory.snapshot("now")
        postgres.execute(damage.format(schema_of(url)))
        report = botwire("doctor", "--json")
        assert report.code == 3
        assert told in report.json["store"]["integrity"]

    def test_a_database_that_cannot_be_reached_is_not_well(self, botwire: Botwire) -> None:
        report = botwire("doctor", "--json", "--url", f"postgresql://ana:{SECRET}@127.0.0.1:1/none?connect_timeout=1")
        assert report.code == 3
        assert "127.0.0.1" in report.json["store"]["error"]

    def test_newer_tables_are_told(self, url: str, postgres: Database) -> None:
        store = open_url(url)
        store.run(p.Set("notes", "a", encode(1)))
        postgres.execute(f"UPDATE {schema_of(url)}.about SET value = 99")
        with pytest.raises(SchemaTooNewError):
            store.health()
        store.close()


@pytest.mark.parametrize(
    "bad",
    [
        f"postgresql://ana:{SECRET}%zz@host/db",
        f"postgresql://ana:{SECRET}@host/db?no_such_option={SECRET}",
        f"postgresql://ana:{SECRET}@[::1/db",
    ],
)
def test_a_url_that_cannot_be_read_is_told_without_its_password(bad: str) -> None:
    with pytest.raises(UnknownStoreError) as caught:
        connect(bad)
    error: BaseException | None = caught.value
    while error is not None:
        for spelling in SPELLINGS:
            assert spelling not in f"{error!r} {error} {getattr(error, 'hint', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_no_repr_log_or_error_shows_the_password(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = open_url(url)
    store.run(p.Set("notes", "a", encode(1)))
    nowhere = open_url(f"postgresql://ana:{SECRET}@127.0.0.1:1/none?connect_timeout=1", timeout=1)
    with pytest.raises(StoreUnavailableError) as caught:
        nowhere.run(p.Get("notes", "a"))
    chain: list[BaseException] = [caught.value]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    shown = [repr(store), repr(Memory("notes", store=store)), repr(Memory("notes", url)), caplog.text]
    shown += [f"{error!r} {error}" for error in chain]
    shown += [error.hint for error in chain if isinstance(error, BotWireError)]
    for text in shown:
        for spelling in SPELLINGS:
            assert spelling not in text
    assert isinstance(store, PostgresStore)
    store.close()
    nowhere.close()
