"""Import and first get from a file that is there, in a fresh process, against the import of botwire 0.2.1.

    python benchmarks/bench_import.py                                   # makes two environments with pip
    python benchmarks/bench_import.py --ours PYTHON --theirs PYTHON     # takes these two

The environment of ours must come from `pip install .` and nothing else. It fails if ours loads a framework, an HTTP
client, pydantic or what draws on terminals.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from measure import Round, Series, clock, interleave, say
from report import Case, Goal, Report, parser

OURS = "from botwire import Memory; Memory('x').get('k')"
THEIRS = "import botwire"
HEAVY = {"autogen_core", "crewai", "httpx", "langchain_core", "langgraph", "pydantic", "rich", "starlette", "typer"}
LIST = "; import json, sys; print(json.dumps(sorted(sys.modules)))"


def environment(folder: Path, what: str) -> str:
    """The Python of a new environment with one thing installed."""
    say(f"install {what}")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", what], check=True)
    return python


def compare(options: argparse.Namespace) -> Report:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="botwire-bench-")))
        ours = options.ours or environment(folder / "ours", str(Path(__file__).parents[1]))
        theirs = options.theirs or environment(folder / "theirs", "botwire==0.2.1")
        settings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        settings["BOTWIRE_HOME"] = str(folder / "home")

        def output(python: str, code: str) -> str:
            # In a folder of its own: Python looks for modules in the current one first.
            command = [python, "-c", code]
            return subprocess.run(
                command, env=settings, cwd=folder, stdout=subprocess.PIPE, text=True, check=True
            ).stdout

        def modules(python: str, code: str) -> set[str]:
            return set(json.loads(output(python, code + LIST)))

        output(ours, "from botwire import Memory; Memory('x').set('k', 1)")
        loaded = modules(ours, OURS)
        heavy = {name.partition(".")[0] for name in loaded} & HEAVY
        assert not heavy, f"an embedded get loads {heavy}"
        alone = modules(ours, "pass")
        counts = {
            "import + first get": float(len(loaded - alone)),
            "0.2.1, import": float(len(modules(theirs, THEIRS) - modules(theirs, "pass"))),
        }

        processor: dict[str, Series] = {}

        def run(name: str, python: str, code: str) -> Callable[[], list[int]]:
            processor[name] = []

            def timed() -> list[int]:
                before, start = processor_time(), clock()
                output(python, code)
                end, after = clock(), processor_time()
                processor[name].append(Round(after - before, after - before))
                return [end - start]

            return timed

        commands = {
            "Python alone": (ours, "pass"),
            "import + first get": (ours, OURS),
            "import": (ours, "from botwire import Memory"),
            "0.2.1, Python alone": (theirs, "pass"),
            "0.2.1, import": (theirs, THEIRS),
        }
        wall = interleave({name: run(name, *what) for name, what in commands.items()}, options.rounds * 2, {})
        processor = {name: rounds[1:] for name, rounds in processor.items()}  # without the one that warms up
        report = Report()
        text = "import and first get to `import botwire` of 0.2.1"
        names = ("import + first get", "0.2.1, import")
        for series, how in ((wall, "elapsed"), (processor, "processor time")):
            added = {
                "import + first get": less(series["import + first get"], series["Python alone"]),
                "import": less(series["import"], series["Python alone"]),
                "0.2.1, import": less(series["0.2.1, import"], series["0.2.1, Python alone"]),
            }
            for title, found in ((f"added to Python's own start, {how}", added), (f"whole process, {how}", series)):
                goal = Goal(f"{text}: {title}", title, *names, at_most=0.40)
                report.add(Case(title, "0.2.1, import", milliseconds(found), unit="ms"), goal)
        listing = {name: [Round(count, count)] for name, count in counts.items()}
        report.add(Case("modules loaded beyond Python's own", "0.2.1, import", listing, unit="modules"))
        return report


def processor_time() -> float:
    """Microseconds that processes which have ended took of a processor; other load on the machine changes it little."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e6


def less(whole: Series, part: Series) -> Series:
    """Round by round, what is left; a round in which the part took longer than the whole says nothing."""
    left = [Round(a.median - b.median, a.p99 - b.p99) for a, b in zip(whole, part, strict=True)]
    return [Round(max(one.median, 1.0), max(one.p99, 1.0)) for one in left]


def milliseconds(series: dict[str, Series]) -> dict[str, Series]:
    return {name: [Round(one.median / 1000, one.p99 / 1000) for one in rounds] for name, rounds in series.items()}


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--ours", help="a Python with only `pip install .`")
    arguments.add_argument("--theirs", help="a Python with only `pip install botwire==0.2.1`")
    given = arguments.parse_args()
    compare(given).show(given.json)
