"""Run every benchmark several times over, and write the tables into docs/performance.md.

    python benchmarks/run_all.py                       # about half an hour
    python benchmarks/run_all.py --repeat 1 --only embedded,forks
    python benchmarks/run_all.py --results results --page-only      # write the page anew from what was found

Each script runs in a process of its own, all of them in turn, and then all again: the medians of the runs tell how
far a number can be trusted. Let nothing else run: where a commit has to wait for a processor as well as for the disk,
everything that syncs looks alike. `--quiet 1` waits before each script until the load of the machine is below 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe
from measure import say
from report import Report, goals_table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
SCRIPTS: dict[str, list[str]] = {
    "embedded": ["bench_embedded.py", "--rounds", "30"],
    "large": ["bench_embedded.py", "--rounds", "20", "--keys", "10000", "--size", "4000"],
    "peers": ["bench_embedded.py", "--rounds", "15", "--peers"],
    "batches": ["bench_batches.py", "--rounds", "20"],
    "chat": ["bench_chat.py", "--rounds", "10"],
    "langgraph": ["bench_langgraph.py", "--rounds", "10"],
    "depth": ["bench_depth.py", "--rounds", "30"],
    "forks": ["bench_forks.py", "--rounds", "20"],
    "import": ["bench_import.py", "--rounds", "15"],
    "http": ["bench_http.py", "--rounds", "15"],
    "http-client": ["bench_http_client.py", "--rounds", "20"],
    "http-bounds": ["bench_http_bounds.py", "--rounds", "10"],
    "scopes": ["bench_scopes.py", "--rounds", "40"],
    "postgres": ["bench_postgres.py", "--rounds", "20"],
    "postgres-scale": ["bench_postgres_scale.py", "--rounds", "20", "--setting", "shared_buffers=512MB"],
    "postgres-servers": ["servers_on_postgres.py", "--rounds", "4"],
}

# "large" has none: the goals are for 100,000 keys of 200 B.
GOALS = {
    "goals-core": ["embedded", "peers", "batches", "chat", "import"],
    "goals-forks": ["depth", "forks"],
    "goals-langgraph": ["langgraph"],
    "goals-http": ["http", "http-client"],
    "goals-http-bounds": ["http-bounds"],
    "goals-scopes": ["scopes"],
    "goals-postgres": ["postgres", "postgres-scale"],
}


def run(options: argparse.Namespace, results: Path) -> None:
    for number in range(options.repeat):
        for name in options.only:
            wait_for_quiet(options.quiet)
            say(f"run {number + 1} of {options.repeat}: {name}")
            command = [sys.executable, *SCRIPTS[name], "--json", str(results / f"{name}-{number}.json")]
            command += options.also_import if name == "import" else []
            command += ["--theirs", options.theirs] if name == "http-client" and options.theirs else []
            command[1] = str(ROOT / "benchmarks" / command[1])
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (results / "machine.md").write_text(describe(), encoding="utf-8")


def wait_for_quiet(load: float | None) -> None:
    """Wait until the load is below a bound, ten minutes at most."""
    stop = time.monotonic() + 600
    while load is not None and os.getloadavg()[0] >= load and time.monotonic() < stop:
        time.sleep(5)


def write_page(results: Path) -> None:
    """Put what was found between the marks of the page; what was not run stays as it is."""
    found = {name: [Report.read(path) for path in sorted(results.glob(f"{name}-[0-9]*.json"))] for name in SCRIPTS}
    found = {name: runs for name, runs in found.items() if runs}
    text = PAGE.read_text(encoding="utf-8")
    machine = (results / "machine.md").read_text(encoding="utf-8")
    for mark, postgres in (("machine", False), ("machine-postgres", True)):  # these may be of another day
        if any(name.startswith("postgres") is postgres for name in found):
            text = replaced(text, mark, machine)
    for name, runs in found.items():
        command = f"```bash\npython benchmarks/{' '.join(SCRIPTS[name])}\n```\n"
        tables = [case.table() for case in Report.joined(runs).cases]
        how_often = f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
        loads = ", ".join(f"{run.load:.1f}" for run in runs)
        text = replaced(text, name, "\n".join([f"{how_often} at a load of {loads}:\n\n{command}", *tables]))
    for name, scripts in GOALS.items():
        if any(script in found for script in scripts):
            text = replaced(text, name, goals_table(found[script] for script in scripts if script in found))
    PAGE.write_text(text, encoding="utf-8")
    say(f"wrote {PAGE}")


def replaced(text: str, name: str, new: str) -> str:
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    assert begin in text, f"{PAGE} has no {begin}"
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n\n{new}\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repeat", type=int, default=3, help="runs of each script")
    arguments.add_argument("--only", type=lambda text: text.split(","), default=list(SCRIPTS))
    arguments.add_argument("--results", type=Path, help="folder that keeps every round as JSON")
    arguments.add_argument("--quiet", type=float, metavar="LOAD", help="wait until the load is below it")
    arguments.add_argument("--page-only", action="store_true", help="only write the page, from --results")
    arguments.add_argument("--ours", help="see bench_import.py")
    arguments.add_argument("--theirs", help="see bench_import.py")
    given = arguments.parse_args()
    given.also_import = [
        part for name in ("ours", "theirs") if (value := getattr(given, name)) for part in (f"--{name}", value)
    ]
    with tempfile.TemporaryDirectory(prefix="botwire-bench-") as temporary:
        folder = given.results or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not given.page_only:
            run(given, folder)
        write_page(folder)
