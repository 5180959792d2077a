"""The folder that all processes of one run of tests share, and the process that clears it away after the last of them.

Each process of the run holds a shared lock on a file as long as it lives; the system lets go of it however the process
ends. The keeper waits until it alone can have that lock, then ends every server and deletes the folder. So nothing is
left behind after a test runner that was interrupted or killed, and no process has to be the last on purpose.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from uuid import uuid4

from with_postgres.clusters import Cluster
from with_postgres.installation import Installation, usable_folder
from with_postgres.servers import Server

__all__ = ["join", "shared_server"]

TESTS = Path(__file__).parents[1]


@cache
def join(run: str | None = None) -> Installation:
    """The installation of this run of tests, made by whoever comes first; it stays while this process lives."""
    run = run or os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid4().hex
    folder = usable_folder() / f"botwire-{run[:12]}"
    while not _entered(folder):
        pass  # the keeper was just clearing it away
    return Installation(folder)


def shared_server(installation: Installation) -> Server:
    """The server that every process of the run uses; without fsync, so it is never to be killed."""
    return Server(*(installation.folder / "ready").read_text().split())


def _entered(folder: Path) -> bool:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    try:
        door = _opened(folder / "door")
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(door, fcntl.LOCK_EX)
        if os.fstat(door).st_nlink == 0:
            return False
        fcntl.flock(_opened(folder / "lease"), fcntl.LOCK_SH)  # never closed: it ends with this process
        if not (folder / "ready").exists():
            _start_keeper(folder)
    finally:
        os.close(door)
    return True


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _start_keeper(folder: Path) -> None:
    # The process that is started ends as soon as it has a child of its own: nobody has to wait for the keeper.
    with subprocess.Popen(
        [sys.executable, "-m", "with_postgres.keeper", folder],
        cwd=TESTS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        if told != b"ready\n":
            raise RuntimeError((told + process.stdout.read()).decode(errors="replace"))


def _keep(folder: Path) -> None:
    installation = Installation(folder)
    try:
        installation.prepare()
        cluster = Cluster(installation, "shared", fsync=False).start()
        (folder / "ready").write_text(" ".join(cluster.addresses))
        print("ready", flush=True)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        _wait_until_alone(folder)
    finally:
        installation.discard_all()
        # Moved away at once: who comes meanwhile finds all of it, or nothing.
        shutil.rmtree(folder.rename(folder.with_name(f"{folder.name}-gone")), ignore_errors=True)


def _wait_until_alone(folder: Path) -> None:
    # Both files stay open, and so locked, until this process ends: who comes meanwhile waits, and finds them gone.
    lease, door = (_opened(folder / name) for name in ("lease", "door"))
    while True:
        fcntl.flock(lease, fcntl.LOCK_EX)
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # somebody is coming in
            fcntl.flock(lease, fcntl.LOCK_UN)
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(door, fcntl.LOCK_UN)
        else:
            return


if __name__ == "__main__":
    if os.fork() == 0:
        _keep(Path(sys.argv[1]))
