"""What is built is what stands in the tree: every package, its type marker, the demo's conversations."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile

import pytest
from house.tree import MODULES, PACKAGES, ROOT, shown


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.mark.xdist_group("wheel")
class TestWheel:
    def test_it_holds_every_module_and_type_marker(self, wheel: zipfile.ZipFile) -> None:
        names = set(wheel.namelist())
        assert {shown(path) for path in MODULES} <= names
        assert {f"{package}/py.typed" for package in PACKAGES} <= names

    def test_it_holds_nothing_that_is_not_ours(self, wheel: zipfile.ZipFile) -> None:
        tops = {name.split("/")[0] for name in wheel.namelist()}
        assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)

    def test_it_holds_the_conversations_of_the_demo(self, wheel: zipfile.ZipFile) -> None:
        ours = {path.name for path in (ROOT / "examples" / "conversations").iterdir()}
        theirs = {name.rsplit("/", 1)[1] for name in wheel.namelist() if "botwire/demo/conversations/" in name}
        assert ours
        assert ours == theirs

    def test_it_declares_the_command_and_every_plugin(self, wheel: zipfile.ZipFile) -> None:
        (path,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        parser = configparser.ConfigParser()
        parser.read_string(wheel.read(path).decode())
        assert parser["console_scripts"]["botwire"] == "botwire.cli:main"
        plugins = {package: f"{package}.plugin" for package in PACKAGES if (ROOT / package / "plugin.py").is_file()}
        assert sorted(parser["botwire"].values()) == sorted(plugins.values())
