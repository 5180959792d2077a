"""get, set, rm, ls, append, read, search: as processes of their own on a file that this process shares."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.running import Result

from botwire import Memory

Botwire = Callable[..., Result]


class TestSetAndGet:
    def test_what_one_process_sets_another_gets(self, botwire: Botwire) -> None:
        assert botwire("set", "notes", "user", '{"name": "Ana", "n": 1}').out == "user: version 1\n"
        assert botwire("get", "notes", "user").json == {"name": "Ana", "n": 1}
        assert Memory("notes").get("user") == {"name": "Ana", "n": 1}

    def test_get_with_json_prints_the_whole_entry(self, botwire: Botwire) -> None:
        Memory("notes", author="ana").set("n", 10**40, ttl=60)
        entry = botwire("get", "notes", "n", "--json").json
        assert entry["value"] == 10**40
        assert (entry["namespace"], entry["key"], entry["version"], entry["author"]) == ("notes", "n", 1, "ana")
        assert 0 < entry["expires_at"] - entry["updated_at"] <= 60

    def test_a_stored_null_is_there_and_an_absent_key_is_not(self, botwire: Botwire) -> None:
        Memory("notes").set("nothing", None)
        assert (botwire("get", "notes", "nothing").code, botwire("get", "notes", "nothing").out) == (0, "null\n")
        absent = botwire("get", "notes", "absent")
        assert (absent.code, absent.out) == (1, "")
        assert "absent" in absent.err

    def test_a_value_is_text_a_file_or_standard_input(self, botwire: Botwire, tmp_path: Path) -> None:
        (tmp_path / "value.json").write_text('["from", "a file"]')
        assert botwire("set", "notes", "a", "plain, no quotes", "--text").code == 0
        assert botwire("set", "notes", "b", "@value.json").code == 0
        assert botwire("set", "notes", "c", "-", stdin=b'{"from": "stdin"}').code == 0
        memory = Memory("notes")
        assert memory.get_many(["a", "b", "c"]) == {
            "a": "plain, no quotes",
            "b": ["from", "a file"],
            "c": {"from": "stdin"},
        }

    def test_bytes_go_in_and_come_out_as_they_are(self, botwire: Botwire) -> None:
        data = bytes(range(256))
        assert botwire("set", "notes", "a", "-", "--bytes", stdin=data).code == 0
        assert botwire("set", "notes", "b", base64.b64encode(data).decode(), "--bytes").code == 0
        assert Memory("notes").get("a") == Memory("notes").get("b") == data
        assert botwire("get", "notes", "a", "--raw").raw == data
        entry = botwire("get", "notes", "a", "--json").json
        assert (base64.b64decode(entry["value"]), entry["encoding"]) == (data, "base64")
        assert botwire("get", "notes", "a").out == "<256 bytes>\n"

    def test_raw_text_has_no_quotes(self, botwire: Botwire) -> None:
        Memory("notes").set("a", "café\nline two")
        assert botwire("get", "notes", "a", "--raw").out == "café\nline two\n"

    @pytest.mark.parametrize("value", ["{", "hello", "NaN", '{"a": 1, "a": 2}', "@no-such-file", ""])
    def test_what_is_no_strict_json_is_refused(self, botwire: Botwire, value: str) -> None:
        result = botwire("set", "notes", "a", value)
        assert result.code == 2
        assert result.err.startswith("botwire: ")
        assert "Traceback" not in result.err
        assert "a" not in Memory("notes")

    def test_if_version_guards_a_write(self, botwire: Botwire) -> None:
        assert botwire("set", "notes", "a", "1", "--if-version", "0").code == 0
        refused = botwire("set", "notes", "a", "2", "--if-version", "0", "--json")
        assert refused.code == 4
        assert botwire("set", "notes", "a", "2", "--if-version", "1", "--json").json["version"] == 2


class TestRm:
    def test_it_deletes_keys_and_says_how_many_were_there(self, botwire: Botwire) -> None:
        memory = Memory("notes")
        memory.set_many({"a": 1, "b": 2, "user:1": 3, "user:2": 4})
        assert botwire("rm", "notes", "a", "b", "c", "--json").json == {"namespace": "notes", "deleted": 2}
        assert botwire("rm", "notes", "--prefix", "user:").out == "2 deleted\n"
        assert memory.list_keys() == []
        assert botwire("rm", "notes", "a").code == 1

    @pytest.mark.parametrize(
        "arguments", [(), ("--prefix", ""), ("a", "--prefix", "b"), ("a", "b", "--if-version", "1")]
    )
    def test_what_could_delete_too_much_is_refused(self, botwire: Botwire, arguments: tuple[str, ...]) -> None:
        Memory("notes").set("a", 1)
        assert botwire("rm", "notes", *arguments).code == 2
        assert Memory("notes").list_keys() == ["a"]


class TestLs:
    def test_it_lists_keys_in_byte_order_with_prefix_after_and_limit(self, botwire: Botwire) -> None:
        Memory("notes").set_many({"b": 1, "a/2": 2, "a/1": 3, "é": 4})
        assert botwire("ls", "notes").lines == ["a/1", "a/2", "b", "é"]
        assert botwire("ls", "notes", "a/").lines == ["a/1", "a/2"]
        assert botwire("ls", "notes", "--after", "a/1", "--limit", "2", "--json").json == {
            "namespace": "notes",
            "count": 2,
            "keys": ["a/2", "b"],
        }

    def test_without_a_namespace_it_lists_the_namespaces(self, botwire: Botwire) -> None:
        Memory("notes").set("a", 1)
        Memory("crm").set("a", 1)
        assert botwire("ls").lines == ["crm", "notes"]
        assert botwire("ls", "--json").json == {"count": 2, "namespaces": ["crm", "notes"]}

    def test_long_shows_versions_and_values(self, botwire: Botwire) -> None:
        Memory("notes").set("a", {"deep": [1, 2]})
        (head, row) = botwire("ls", "notes", "--long").lines
        assert head.split() == ["key", "version", "updated", "expires", "value"]
        assert '{"deep": [1, 2]}' in row
        (entry,) = botwire("ls", "notes", "--long", "--json").json["entries"]
        assert (entry["key"], entry["value"], entry["version"]) == ("a", {"deep": [1, 2]}, 1)

    def test_it_looks_at_the_past(self, botwire: Botwire) -> None:
        memory = Memory("notes")
        memory.set("a", 1)
        memory.snapshot("then")
        memory.delete("a")
        assert botwire("ls", "notes").lines == []
        assert botwire("ls", "notes", "--at", "then").lines == ["a"]
        assert botwire("get", "notes", "a", "--at", "1").out == "1\n"


class TestLogs:
    def test_a_log_is_appended_to_and_read(self, botwire: Botwire) -> None:
        keys = botwire("append", "notes", "chat", '"one"', '{"two": 2}', "--json").json["keys"]
        assert keys == [f"chat/{n:019d}" for n in range(2)]
        assert botwire("read", "notes", "chat").lines == ['"one"', '{"two": 2}']
        assert botwire("read", "notes", "chat", "--last", "1", "--json").json["values"] == [{"value": {"two": 2}}]


class TestSearch:
    def test_it_finds_by_words_and_by_fields(self, botwire: Botwire) -> None:
        Memory("notes").set_many({"a": {"kind": "fact", "text": "likes tea"}, "b": {"kind": "task", "text": "buy tea"}})
        found = botwire("search", "notes", "tea", "--where", '{"kind": "task"}', "--json").json
        assert [entry["key"] for entry in found["entries"]] == ["b"]
        assert "buy tea" in botwire("search", "notes", "buy").out

    def test_conditions_are_a_json_object(self, botwire: Botwire) -> None:
        assert botwire("search", "notes", "--where", "[1]").code == 2
