"""The fenced blocks of a page, and a command that runs them where only an extra is installed.

Blocks of `python` run in order in one namespace; in `console` blocks the lines that start with `$ botwire` run
in a shell. What a block prints must be what the page shows: in the `text` block right under a `python` block, or
under the command. `...` stands for anything.

A block is marked with the extras it needs: a fence that says `python langchain` needs that extra. A fence that says
`python by-itself` holds a script that has a test of its own.
As a command: `snippets.py PAGE EXTRA` runs the blocks of a page that need nothing, or only this extra.
It imports nothing but the standard library, because it runs in environments that have nothing else.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

__all__ = ["APART", "EXTRAS", "Block", "blocks", "run"]

EXTRAS = frozenset({"autogen", "humanloop", "langchain", "langgraph", "opentelemetry", "postgres", "server"})
APART = frozenset({"crewai", "langfuse", "mlflow"})
"""Extras that are large, or that others do not bear; their blocks run in environments of their own, in .ci/run."""
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, the words after it, its text, the line its text starts at, what it prints."""

    language: str
    marks: frozenset[str]
    text: str
    line: int
    output: str | None


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a Markdown page, from its top to its end."""
    text = page.read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    for fence, following in zip_longest(fences, fences[1:]):
        language, *marks = fence["info"].split() or [""]
        output = None
        if following and following["info"].strip() == "text" and not text[fence.end() : following.start()].strip():
            output = following["body"]
        yield Block(language, frozenset(marks), fence["body"], text.count("\n", 0, fence.start("body")) + 1, output)


def run(page: Path, extras: frozenset[str] = EXTRAS) -> int:
    """Run the blocks of a page that need no other extra than these, in order, and give how many ran."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    ran = 0
    for block in blocks(page):
        if not block.marks <= extras:
            continue
        where = f"{page.name}, line {block.line}"
        if block.language == "python":
            printed = _run_python(block, namespace, page)
            if block.output is not None:
                _compare(block.output, printed, where)
            ran += 1
        elif block.language == "console":
            ran += _run_console(block, where)
    return ran


def _run_python(block: Block, namespace: dict[str, object], page: Path) -> str:
    # The blank lines put the page's own line numbers into a traceback.
    source = "\n" * (block.line - 1) + block.text
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(source, str(page), "exec"), namespace)
    return printed.getvalue()


def _run_console(block: Block, where: str) -> int:
    """Run the `$ botwire` lines of a block, each with what the page shows under it, and give how many there were."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    mine = [part.split("\n", 1) for part in parts if part.startswith("botwire ")]
    for command, expected in mine:
        result = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
        )
        if result.returncode:
            raise AssertionError(f"{where}: {command} gave {result.returncode}: {result.stderr}")
        if expected.strip():
            _compare(expected, result.stdout + result.stderr, f"{where}: {command}")
    return len(mine)


def _compare(expected: str, printed: str, where: str) -> None:
    lines = [line.rstrip() for line in printed.strip().splitlines()]
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("..."))
    if not re.fullmatch(pattern, "\n".join(lines), re.DOTALL):
        raise AssertionError(f"{where}: the page shows\n{expected}\nand this was printed\n{printed}")


if __name__ == "__main__":
    count = run(Path(sys.argv[1]), frozenset(sys.argv[2:]))
    print(f"{count} blocks of {sys.argv[1]} ran")
    sys.exit(0 if count else 1)
