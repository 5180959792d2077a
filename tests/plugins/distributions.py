"""Distributions that are really installed, as pip leaves them behind."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from textwrap import dedent

PREAMBLE = "from botwire_core.hookspecs import AdapterSpec, Scope, StoreSpec, hookimpl\n"
_numbers = count()


class Site:
    """A folder on the path, as pip leaves one behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def install(self, name: str, code: str = "", *, distribution: str | None = None, target: str = "") -> str:
        """Install a distribution with one module that an entry point names; gives the name of the module."""
        module = f"installed_{next(_numbers)}"  # no test may meet the module of another one in sys.modules
        code = PREAMBLE + dedent(code).replace("MODULE", module)
        (self.folder / f"{module}.py").write_text(code, encoding="utf-8")
        distribution = distribution or f"botwire-{name}"
        info = self.folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[botwire]\n{name} = {module}{target}\n")
        return module
