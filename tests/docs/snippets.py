"""The fenced `python` blocks of a page, and a command that runs them where only an extra is installed.

A block is marked with the extras it needs: a fence that says `python langchain` needs that extra.
As a command: `snippets.py PAGE EXTRA` runs the blocks of a page that need nothing, or only this extra.
It imports nothing but the standard library, because it runs in environments that have nothing else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "blocks", "run"]

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, the extras it needs, its text, and the line its text starts at."""

    language: str
    extras: frozenset[str]
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a Markdown page, from its top to its end."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        language, *extras = match["info"].split() or [""]
        yield Block(language, frozenset(extras), match["body"], text.count("\n", 0, match.start("body")) + 1)


def run(page: Path, extras: frozenset[str] | None = None) -> int:
    """Run the python blocks of a page in order, in one namespace, and give how many ran.

    With `extras`, only the blocks that need no other extra than these.
    """
    namespace: dict[str, object] = {"__name__": "__main__"}
    ran = 0
    for block in blocks(page):
        if block.language == "python" and (extras is None or block.extras <= extras):
            # The blank lines put the page's own line numbers into a traceback.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(page), "exec"), namespace)
            ran += 1
    return ran


if __name__ == "__main__":
    count = run(Path(sys.argv[1]), frozenset(sys.argv[2:]))
    print(f"{count} blocks of {sys.argv[1]} ran")
    sys.exit(0 if count else 1)
