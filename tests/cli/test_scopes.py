"""scopes list, report, promote, gc, and leaktest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.running import Result

from botwire import Memory, scope, scope_policy

Botwire = Callable[..., Result]


@pytest.fixture
def base() -> Memory:
    memory = Memory("support")
    memory.set_many({"tone": "formal", "secret": "of Ada"})
    for variant in ("v1", "v2"):
        with scope(variant=variant, run_id=f"run-{variant}", experiment="e"):
            for point in ("d1", "d2"):
                with scope(datapoint_id=point):
                    memory.set("tone", f"{variant} in {point}")
    memory.close()  # writes down what was counted
    return memory


class TestScopes:
    def test_list_names_the_memories_with_their_ids(self, botwire: Botwire, base: Memory) -> None:
        assert [line.split()[:3] for line in botwire("scopes", "list").lines[1:]] == [
            ["support@v1~run-v1", "v1", "run-v1"],
            ["support@v2~run-v2", "v2", "run-v2"],
        ]
        (one,) = botwire("scopes", "list", "support", "--variant", "v2", "--json").json
        assert (one["base"], one["run"], one["experiment"], one["isolation"]) == ("support", "run-v2", "e", "run")
        assert botwire("scopes", "list", "nobody", "--json").json == []

    def test_report_compares_and_exits_by_what_it_finds(self, botwire: Botwire, base: Memory) -> None:
        plain = botwire("scopes", "report", "support")
        assert plain.code == 0
        assert "same key, other value" in plain.out
        strict = botwire("scopes", "report", "support", "run-v1", "run-v2", "--strict", "--format", "json")
        assert strict.code == 1
        assert strict.json["contamination"] == ["'tone' depends on the order of the datapoints"]
        markdown = botwire("scopes", "report", "support", "--by", "key", "--format", "markdown")
        assert '| tone | "v1 in d2" | "v2 in d2" |' in markdown.lines

    def test_report_can_hide_the_values(self, botwire: Botwire, base: Memory) -> None:
        for form in ("table", "markdown", "json"):
            result = botwire("scopes", "report", "support", "--by", "key", "--format", form, "--keys-only")
            assert "v1 in" not in result.out
            assert "tone" in result.out

    def test_report_says_what_it_does_not_know(self, botwire: Botwire, base: Memory) -> None:
        for arguments in (["nobody"], ["--by", "colour"], ["--format", "xml"]):
            result = botwire("scopes", "report", "support", *arguments)
            assert result.code == 2
            assert result.err

    def test_promote_brings_chosen_keys_back(self, botwire: Botwire, base: Memory) -> None:
        would = botwire("scopes", "promote", "support@v2~run-v2", "--dry-run")
        assert would.out.endswith("would be: 1 written, 0 deleted, 0 appended, 0 conflicts\n")
        assert botwire("scopes", "promote", "support@v2~run-v2", "--keys", "tone").code == 0
        assert botwire("get", "support", "tone").json == "v2 in d2"
        assert botwire("scopes", "promote", "support").code == 2
        conflict = botwire("scopes", "promote", "support@v1~run-v1")
        assert conflict.code == 1
        assert "nothing was merged: 1 conflicts" in conflict.out

    def test_promote_of_a_datapoint_needs_keys(self, botwire: Botwire) -> None:
        memory = Memory("support")
        with scope_policy(isolation="datapoint"), scope(variant="v", run_id="r", datapoint_id="d"):
            memory.set("k", 1)
        memory.close()
        assert botwire("scopes", "promote", "support@v~r~d").code == 2
        assert botwire("scopes", "promote", "support@v~r~d", "--keys", "k").code == 0

    def test_gc_drops_what_it_names_and_nothing_else(self, botwire: Botwire, base: Memory) -> None:
        assert botwire("scopes", "gc", "--dry-run").lines[-1] == "2 would go"
        assert botwire("scopes", "gc", "--older-than", "3600", "-y").out == "nothing to drop\n"
        assert botwire("scopes", "gc", "--run", "run-v1", "-y").lines == ["support@v1~run-v1", "1 dropped"]
        assert botwire("scopes", "gc", "support", stdin=b"n\n").code == 1
        assert botwire("scopes", "gc", "support", stdin=b"y\n").lines[-1].strip() == "1 dropped"
        assert [line.split()[0] for line in botwire("namespaces").lines] == ["support"]


class TestLeaktest:
    def test_it_names_every_key_that_depends_on_the_order(self, botwire: Botwire, tmp_path: Path) -> None:
        (tmp_path / "support_task.py").write_text(
            "from botwire import Memory\n"
            "memory = Memory('support')\n"
            "def task(point):\n"
            "    memory.set('last', point['n'])\n"
            "    memory.set(f\"asked/{point['n']}\", 1)\n"
        )
        (tmp_path / "data.jsonl").write_text('{"n": 1}\n{"n": 2}\n\n{"n": 3}\n{"n": 4}\n')
        result = botwire("leaktest", "support_task:task", "data.jsonl", "--memory", "support", "--json")
        assert result.code == 1, result.err
        (leak,) = result.json
        assert (leak["key"], leak["values"]["serial"], len(leak["datapoints"])) == ("last", {"value": 4}, 4)
        shown = botwire("leaktest", "support_task:task", "data.jsonl", "--memory", "support")
        assert shown.lines[-1] == "1 keys leak between datapoints in 3 orders"

    @pytest.mark.parametrize("task", ["support_task", "nobody_has:this", "json:nothing", "json:__doc__"])
    def test_a_task_that_cannot_be_called_is_refused(self, botwire: Botwire, tmp_path: Path, task: str) -> None:
        (tmp_path / "data.jsonl").write_text("1\n")
        assert botwire("leaktest", task, "data.jsonl", "--memory", "support").code == 2

    def test_a_dataset_that_is_no_json_names_the_line(self, botwire: Botwire, tmp_path: Path) -> None:
        (tmp_path / "data.jsonl").write_text("1\nnonsense\n")
        result = botwire("leaktest", "json:dumps", "data.jsonl", "--memory", "support")
        assert result.code == 2
        assert "line 2" in result.err
