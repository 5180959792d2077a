"""Imports run one way: botwire -> botwire_core <- botwire_x, and a framework stays in its own package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from house.tree import MODULES, PACKAGES, module_name, parsed, shown

# The one package, or the one module, that may import each of these, at any depth of the code.
HOMES = {
    "autogen_agentchat": "botwire_autogen",
    "autogen_core": "botwire_autogen",
    "crewai": "botwire_crewai",
    "granian": "botwire_server",
    "greenlet": "botwire_postgres",
    "httpcore": "botwire_core/stores/http",
    "httpx": "botwire_core/stores/http",
    "humanloop": "botwire_humanloop",
    "hypothesis": "botwire_core/testing",
    "langchain": "botwire_langchain",
    "langchain_classic": "botwire_langchain",
    "langchain_core": ("botwire_langchain", "botwire_langgraph"),  # LangGraph stands on it
    "langgraph": "botwire_langgraph",
    "langfuse": "botwire_langfuse",
    "mlflow": "botwire_mlflow",
    "opentelemetry": "botwire_opentelemetry",
    "prometheus_client": "botwire_server",
    "psycopg": "botwire_postgres",
    "psycopg_pool": "botwire_postgres",
    "pytest": ("botwire_core/testing", "botwire_pytest"),
    "rich": "botwire/",
    "starlette": "botwire_server",
    "typer": "botwire/cli",
}


def imported(tree: ast.AST, *, run_at_import: bool = False) -> Iterator[tuple[str, bool]]:
    """The modules that a syntax tree imports, each with whether it does so only for the type checker."""

    def visit(node: ast.AST, typing_only: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, typing_only) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"line {child.lineno}: imports are absolute"
                assert child.module is not None
                yield child.module, typing_only
                yield from ((f"{child.module}.{alias.name}", typing_only) for alias in child.names)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                yield from visit(ast.Module(child.body, []), True)
                yield from visit(ast.Module(child.orelse, []), typing_only)
            elif not (run_at_import and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
                yield from visit(child, typing_only)

    return visit(tree, False)


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_imports_only_what_its_package_may(path: Path) -> None:
    own = shown(path).split("/")[0]
    for name, typing_only in imported(parsed(path)):
        top = name.split(".")[0]
        if top in PACKAGES or top.startswith("botwire"):
            # The façade names the classes that it gives lazily for the type checker alone.
            lazy = own == "botwire" and typing_only
            assert top in {own, "botwire_core"} or lazy, f"{shown(path)} imports {name}"
        if top in HOMES:
            assert shown(path).startswith(HOMES[top]), f"{shown(path)} imports {name}"


@pytest.mark.parametrize("path", [path for path in MODULES if path.name in {"plugin.py", "__init__.py"}], ids=shown)
def test_declarations_and_facades_never_import_a_framework(path: Path) -> None:
    for name, typing_only in imported(parsed(path)):
        in_testing = shown(path).startswith("botwire_core/testing/")
        assert typing_only or in_testing or name.split(".")[0] not in HOMES, f"{shown(path)} imports {name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_modules_import_each_other(package: str) -> None:
    modules = {module_name(path): path for path in MODULES if shown(path).startswith(f"{package}/")}
    graph: TopologicalSorter[str] = TopologicalSorter()
    for name, path in modules.items():
        at_import = {other for other, typing_only in imported(parsed(path), run_at_import=True) if not typing_only}
        # The package that a module is in is under way by then: to take a sibling from it is no cycle.
        graph.add(name, *(other for other in at_import & modules.keys() if not f"{name}.".startswith(f"{other}.")))
    graph.prepare()  # raises CycleError, which names the modules
