"""PgBouncer in front of a server: sessions that change under a client's feet with each transaction."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from with_postgres.installation import ADMINISTRATOR, PATIENCE, USER, Installation, until
from with_postgres.servers import Server

__all__ = ["Pooler", "program_of_pooler"]

OWN_PROGRAM = "BOTWIRE_TEST_PGBOUNCER"


class Pooler(Server):
    """PgBouncer in front of a server that was started for tests; by default its sessions last for a transaction.

    `size` is how many connections to the server it has for each user and database. Its `url` and `execute` are the
    server's, through it.

    Example:
        with Pooler(installation, cluster) as pooler:
            store = PostgresStore(pooler.url())
    """

    def __init__(
        self,
        installation: Installation,
        server: Server,
        *,
        mode: str = "transaction",
        size: int = 10,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.port = installation.free_port()
        self.folder = installation.clusters / f"pooler-{uuid4().hex[:8]}"
        self._installation = installation
        self._target = urlsplit(server.url())
        self._settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": self.folder / "users.txt",
            "pidfile": self.folder / "pooler.pid",
            "pool_mode": mode,
            "default_pool_size": size,
            "max_client_conn": 500,
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        addresses = (f"postgresql://{user}@127.0.0.1:{self.port}/postgres" for user in (USER, ADMINISTRATOR))
        super().__init__(*addresses)

    def __enter__(self) -> Pooler:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """All that it has written to its log."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> Pooler:
        """Start it; returns when it takes connections."""
        program = program_of_pooler()
        assert program is not None, "there is no pgbouncer; ask program_of_pooler() first"
        self.folder.mkdir(exist_ok=True)
        self._installation.give(self.folder)
        lines = ["[databases]", f"* = host={self._target.hostname} port={self._target.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in self._settings.items()]
        (self.folder / "pooler.ini").write_text("\n".join([*lines, ""]))
        (self.folder / "users.txt").write_text(f'"{USER}" ""\n"{ADMINISTRATOR}" ""\n')
        log = self.folder / "log"
        self._process = self._installation.start(program, self.folder / "pooler.ini", log=log, cwd=self.folder)
        until(self._is_ready, "the pooler takes connections")
        return self

    def kill(self) -> None:
        """Kill -9 it. Nothing happens if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True


def program_of_pooler() -> Path | None:
    """Where PgBouncer's program is: as BOTWIRE_TEST_PGBOUNCER says, else on the path; None if it is nowhere."""
    named = os.environ.get(OWN_PROGRAM)
    found = named or shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None
