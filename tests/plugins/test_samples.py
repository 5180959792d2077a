"""The sample plugins are built, installed and tested like anybody's: from a wheel, through their entry points."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house.tree import ROOT

SAMPLES = {"plugin_store": "test_folder_store.py", "plugin_adapter": "test_memory_retriever.py"}
REPORT = """
from botwire_core.plugins import Registry
for row in Registry().status():
    if row.distribution != "botwire":
        print(row.name, row.distribution, row.provides, row.state)
"""

# The wheels are built once for this module, so one worker runs it.
pytestmark = [pytest.mark.xdist_group("samples"), pytest.mark.timeout(600)]


def run(command: list[str], cwd: Path, **environ: str) -> str:
    result = subprocess.run(
        [sys.executable, *command], cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both samples installed in it, and nothing else."""
    folder = tmp_path_factory.mktemp("samples")
    for sample in SAMPLES:
        source = shutil.copytree(ROOT / "examples" / sample, folder / "source" / sample)
        run(["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "wheels"), str(source)], folder)
    wheels = [str(wheel) for wheel in (folder / "wheels").iterdir()]
    assert len(wheels) == len(SAMPLES)
    run(["-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(folder / "site"), *wheels], folder)
    return folder / "site"


def test_the_registry_finds_both_and_each_is_ready(installed: Path, tmp_path: Path) -> None:
    assert run(["-c", REPORT], tmp_path, PYTHONPATH=path_with(installed)).splitlines() == [
        "folder botwire-folder-store folder: ready",
        "memory-retriever botwire-memory-retriever langchain: retriever ready",
    ]


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_tests_of_the_sample_pass_on_what_was_installed(sample: str, installed: Path, tmp_path: Path) -> None:
    test = shutil.copy(ROOT / "examples" / sample / SAMPLES[sample], tmp_path)
    command = [
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "--import-mode=importlib",
        "-p",
        "no:asyncio",
        "-p",
        "no:cacheprovider",
        "-n0",
        str(test),
    ]
    output = run([*command, "--rootdir", str(tmp_path)], tmp_path, PYTHONPATH=path_with(installed))
    assert " passed" in output
    assert "skipped" not in output


@pytest.mark.parametrize("module", sorted(ROOT.glob("examples/plugin_*/**/*.py")), ids=lambda path: path.name)
def test_a_sample_is_less_than_forty_lines(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) < 40


def path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
