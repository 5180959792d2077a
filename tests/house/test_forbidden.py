"""What may stand nowhere: code that runs stored data, SQL made of input, traces of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
from house.tree import MODULES, ROOT, parsed, shown

BANNED_MODULES = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}
# Statements only: "Delete" in a sentence is no SQL.
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|PRAGMA|ATTACH|VACUUM|WITH|SAVEPOINT)\b\s")
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
# Joined here, because a page that names one is what the test looks for.
REGISTRIES = ["pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "deb.debian" + ".org"]
LOCK_FILES = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "package-lock.json", "requirements.lock"}


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:  # an unpacked source archive
        names = [path for path in ROOT.rglob("*") if path.is_file() and not path.name.startswith(".")]
    else:
        names = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in names if path.is_file()]


# Compiles constructors from the names of members, as the standard dataclasses do.
COMPILER = "botwire_core/records.py"
# Puts statements together from its own fragments, by numbers and yes or no; what users give is always bound.
COMPOSERS = {
    "botwire_core/stores/sqlite/statements.py",
    "botwire_postgres/statements.py",
    "botwire_postgres/schema.py",  # the name of the schema too, which is checked to be letters, digits and underscores
}


def constants(tree: ast.AST) -> set[str]:
    """The names that are set to literal text, and to nothing else, in a module."""
    literal: set[str] = set()
    other: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            (literal if isinstance(node.value, ast.Constant) else other).update(names)
        elif isinstance(node, ast.arg):
            other.add(node.arg)
    return literal - other


def constant_enough(node: ast.expr, literal: set[str]) -> bool:
    """Whether what is put into SQL is a constant of a module, or literal text or a number."""
    if isinstance(node, ast.Name):
        # Names of columns are passed on inside of a store; test_bound_sql.py sees that nothing else comes with them.
        return node.id in literal | {"column", "columns"} or bool(CONSTANT.fullmatch(node.id))
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Attribute) and bool(CONSTANT.fullmatch(node.attr)))


def sql_made_of_variables(tree: ast.AST) -> list[int]:
    """The lines where text that looks like SQL is put together from anything but constants."""
    lines = []
    literal = constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            fixed = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
            put_in = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            if not (isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)):
                continue
            fixed, put_in = node.left.value, [node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            if not (isinstance(node.func.value, ast.Constant) and isinstance(node.func.value.value, str)):
                continue
            fixed, put_in = node.func.value.value, [*node.args, *(keyword.value for keyword in node.keywords)]
        else:
            continue
        if SQL.search(fixed) and not all(constant_enough(part, literal) for part in put_in):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_nothing_that_runs_stored_data_is_imported(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
            if shown(path) == COMPILER:
                continue
            pytest.fail(f"line {node.lineno} calls {node.func.id}")
        for name in names:
            assert name.split(".")[0] not in BANNED_MODULES, f"line {node.lineno} imports {name}"
            # `load` builds objects of the classes that the stored data names.
            assert not re.fullmatch(r"langchain_core\.load(\..*)?\.(load|loads|Reviver)|langchain_core\.load", name)


@pytest.mark.parametrize("path", [path for path in MODULES if shown(path) not in COMPOSERS], ids=shown)
def test_sql_is_made_of_constants(path: Path) -> None:
    assert not sql_made_of_variables(parsed(path))


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('f"SELECT {x} FROM t"', [1]),
        ('"DELETE FROM %s" % table', [1]),
        ('"DROP TABLE " + table', [1]),
        ('"PRAGMA {} = 1".format(name)', [1]),
        ('f"SELECT {COLUMNS} FROM t"', []),
        ('columns = "a, b"; f"SELECT {columns} FROM t"', []),
        ('def f(table="t"): return f"SELECT a FROM {table}"', [1]),
        ('f"{x} is no statement"', []),
    ],
)
def test_the_search_for_sql_finds_it(code: str, lines: list[int]) -> None:
    assert sql_made_of_variables(ast.parse(code)) == lines


def test_no_file_names_a_registry_or_locks_versions() -> None:
    files = tracked()
    assert not {path.name for path in files} & LOCK_FILES
    found = [
        f"{shown(path)}: {host}" for path in files for host in REGISTRIES if host.encode() in path.read_bytes().lower()
    ]
    assert not found
