"""MLflow on a local file: nothing goes to its makers, and nothing is written outside of the test.

It has an environment of its own in .ci/run, since it is large; elsewhere these tests are skipped.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from witness import make_memory

from botwire_core.memory import Memory
from botwire_core.scopes.runs import active_runs

QUIET = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "TQDM_DISABLE": "1",
}
HERE = Path(__file__).parent

if INSTALLED := find_spec("mlflow") is not None:
    os.environ.update(QUIET)  # some are read when it is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.genai.evaluation.harness


class Absent(pytest.File):
    def collect(self) -> Any:
        pytest.skip("needs mlflow, which has an environment of its own in .ci/run", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return None if INSTALLED else Absent.from_parent(parent, path=module_path)  # type: ignore[no-any-return]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            # MLflow uses what others have deprecated, and leaves connections to the collector.
            for ignored in ("DeprecationWarning", "FutureWarning", "ResourceWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{ignored}"))
            item.add_marker(pytest.mark.xdist_group("mlflow"))  # its file takes seconds to make


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's store with two versions of a prompt in it; the second one is called the candidate."""
    folder = tmp_path_factory.mktemp("mlflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.create_experiment("support", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("support")
        for text in ("Be brief.", "Be kind."):
            mlflow.genai.register_prompt("answer", text)
        mlflow.genai.set_prompt_alias("answer", "candidate", 2)
    return folder


@pytest.fixture(autouse=True)
def _held_in(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_GENAI_EVAL_MAX_WORKERS", "4")
    yield
    assert mlflow.active_run() is None


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = make_memory(tmp_path)
    yield memory
    memory.store.close()
    assert active_runs() == []
