"""The shape of a module: its size, its names, its docstring."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
from house.tree import MODULES, PACKAGES, ROOT, module_name, parsed, shown

from botwire_core import errors

MAX_LINES = 400
# The ops, one after the other: a page that is read from top to end, and whose docstrings are the specification.
LONGER = {"botwire_core/protocol.py": 550}
# Frameworks that cannot be installed beside the others; their steps in .ci/run test these modules too.
APART = {"crewai", "mlflow"}


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGER.get(shown(path), MAX_LINES)
    assert ast.get_docstring(parsed(path)) or not parsed(path).body, "no docstring"


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__main__.py"], ids=shown)
def test_a_module_names_what_is_public_and_has_it(path: Path) -> None:
    if not [node for node in parsed(path).body if not isinstance(node, ast.Expr)]:
        return  # only a docstring: nothing to name
    try:
        module = importlib.import_module(module_name(path))
        missing = [name for name in module.__all__ if not hasattr(module, name)]
    except ModuleNotFoundError as error:
        if error.name not in APART:
            raise
        pytest.skip(f"{error.name} is tested in an environment of its own")
    assert len(set(module.__all__)) == len(module.__all__)
    assert not missing


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_error_tree_in_the_docstring_is_the_error_tree() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, str | None] = {}
    above: dict[int, str] = {}
    for line in errors.__doc__.splitlines():
        if match := re.match(r"([│├└─ ]*)(\w+Error)\b", line):
            depth = len(match[1])
            drawn[match[2]] = next((above[d] for d in sorted(above, reverse=True) if d < depth), None)
            above = {d: name for d, name in above.items() if d < depth} | {depth: match[2]}
    real = {name: getattr(errors, name) for name in errors.__all__}
    assert drawn.keys() == real.keys()
    for name, parent in drawn.items():
        assert real[name].__bases__[0] is (Exception if parent is None else real[parent])
        named = re.search(rf"\b{name} \((\w+)\)", errors.__doc__)
        assert not named or named[1] in {base.__name__ for base in real[name].__bases__}


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [getattr(errors, name).code for name in errors.__all__]
    assert len(set(codes)) == len(codes)
