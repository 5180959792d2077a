"""What is loaded when: `import botwire` and an embedded get stay light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = {
    "autogen_core", "crewai", "httpx", "humanloop", "hypothesis", "langchain_core", "langfuse", "langgraph",
    "mlflow", "opentelemetry", "psycopg",
    "pydantic", "pydantic_core", "pytest", "rich", "starlette", "typer",
}  # fmt: skip
REPORT = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"


def loaded_by(code: str, folder: Path) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"], capture_output=True, text=True, check=False, cwd=folder
    )
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_import_botwire_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_by("import botwire; botwire.Memory", tmp_path)
    assert "botwire" in loaded
    assert not loaded & HEAVY


def test_an_embedded_get_and_set_load_nothing_heavy(tmp_path: Path) -> None:
    code = "from botwire import Memory; m = Memory('x'); assert m.get('k') is None; m.set('k', 1); assert m.get('k')"
    loaded = loaded_by(code, tmp_path)
    assert "apsw" in loaded
    assert not loaded & HEAVY


def test_validating_into_a_dataclass_is_what_loads_pydantic(tmp_path: Path) -> None:
    code = """
from dataclasses import dataclass
from botwire import Memory
@dataclass
class Point:
    x: int
memory = Memory("x")
memory.set("k", {"x": 1})
assert memory.get("k", as_=Point) == Point(1)
"""
    assert "pydantic" in loaded_by(code, tmp_path)


def test_listing_the_plugins_loads_no_framework(tmp_path: Path) -> None:
    loaded = loaded_by(
        "import botwire_langchain, botwire_langchain.plugin, botwire_langgraph, botwire_langgraph.plugin\n"
        "import botwire_crewai, botwire_crewai.plugin\n"
        "import botwire_humanloop, botwire_humanloop.plugin, botwire_humanloop.evaluations\n"
        "import botwire_langfuse, botwire_langfuse.plugin, botwire_langfuse.experiments\n"
        "import botwire_mlflow, botwire_mlflow.plugin\n"
        "import botwire_opentelemetry, botwire_opentelemetry.plugin, botwire_opentelemetry.receiving\n"
        "import botwire_autogen, botwire_autogen.plugin",
        tmp_path,
    )
    assert {"botwire_autogen", "botwire_crewai", "botwire_langchain", "botwire_langgraph"} <= loaded
    assert not loaded & HEAVY


def test_an_op_goes_over_the_wire_and_back_without_anything_heavy(tmp_path: Path) -> None:
    code = """
from botwire_core.codec import encode
from botwire_core.protocol import GetEntry, Merge, Set
from botwire_core.wire import ops, problems, results, text
op = Set("space", "key", encode([1]))
assert ops.op_from_json(text.parse(text.dump(ops.op_to_json(op)))) == op
assert results.result_from_json(GetEntry, results.result_to_json(GetEntry, None)) is None
"""
    assert not loaded_by(code, tmp_path) & HEAVY
