"""plugins and doctor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cli.running import Result

from botwire import Memory, __version__

Botwire = Callable[..., Result]


class TestPlugins:
    def test_it_shows_what_is_provided_and_in_what_state(self, botwire: Botwire) -> None:
        statuses = botwire("plugins", "--json").json["plugins"]
        provided = {status["provides"]: status["state"] for status in statuses}
        assert provided["sqlite:"] == provided["memory:"] == "ready"
        head, *rows = botwire("plugins").lines
        assert head.split()[:3] == ["plugin", "provides", "state"]
        assert len(rows) == len(statuses)

    def test_the_allow_list_is_obeyed(self, botwire: Botwire) -> None:
        names = {status["name"] for status in botwire("plugins", "--json", BOTWIRE_PLUGINS="").json["plugins"]}
        assert names == {"core"}


class TestDoctor:
    def test_it_tells_where_the_memory_is_and_how_it_is(self, botwire: Botwire, home: Path) -> None:
        Memory("notes").set("a", 1)
        report = botwire("doctor", "--json").json
        store = report["store"]
        assert report["botwire"] == __version__
        assert store["path"] == str(home / "memory.db")
        assert store["bytes"] >= 4096
        assert (store["durability"], store["integrity"], store["error"]) == ("full", "ok", None)
        assert tuple(map(int, store["sqlite_version"].split("."))) >= (3, 51, 3)
        assert {status["name"] for status in report["plugins"]} >= {"core", "langchain"}
        out = botwire("doctor").out
        assert str(home / "memory.db") in out
        assert "langchain" in out

    def test_it_does_not_make_a_store_that_is_not_there(self, botwire: Botwire, home: Path) -> None:
        result = botwire("doctor")
        assert result.code == 0
        assert "not there yet" in result.out
        assert not (home / "memory.db").exists()

    def test_it_says_what_is_wrong_and_still_shows_the_plugins(self, botwire: Botwire, home: Path) -> None:
        home.mkdir()
        (home / "memory.db").write_text("this is a text file, and no memory at all. " * 100)
        result = botwire("doctor", "--json")
        assert result.code == 3
        assert result.json["store"]["error"]
        assert result.json["plugins"]
        shown = botwire("doctor")
        assert shown.code == 3
        assert "not well: " in shown.out
        assert "langchain" in shown.out

    def test_a_flipped_bit_is_found(self, botwire: Botwire, home: Path) -> None:
        memory = Memory("notes")
        memory.set("a", "XYZZY" * 100)
        memory.close()  # the last connection brings the log into the file
        file = home / "memory.db"
        data = bytearray(file.read_bytes())
        data[data.index(b"XYZZY") + 2] ^= 1
        file.write_bytes(data)
        result = botwire("doctor", "--json")
        assert result.code == 3
        assert result.json["store"]["integrity"] != "ok"

    def test_other_stores_are_reached_by_their_url(self, botwire: Botwire) -> None:
        report = botwire("doctor", "--url", "memory:", "--json").json
        assert (report["store"]["kind"], report["store"]["namespaces"]) == ("DictStore", 0)
        unknown = botwire("doctor", "--url", "gopher://example")
        assert unknown.code == 3
        assert "gopher" in unknown.out

    def test_a_password_in_the_url_is_not_shown(self, botwire: Botwire) -> None:
        result = botwire("doctor", "--url", "gopher://ana:XYZZY@example/?token=XYZZY")
        assert "XYZZY" not in result.out + result.err
