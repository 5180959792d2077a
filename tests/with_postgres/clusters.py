"""Servers of a test's own: started, stopped, killed, copied to a standby, promoted."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import quote
from uuid import uuid4

from with_postgres.installation import ADMINISTRATOR, PATIENCE, USER, Installation, end_tree, until
from with_postgres.servers import Server, quoted

__all__ = ["Cluster", "url_of_all"]

Mode = Literal["smart", "fast", "immediate"]
SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": 200,
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",  # in its own folder, or a killed server would leave it behind
    "timezone": "Asia/Kathmandu",  # 5:45 ahead of UTC, so that a time without its zone is seen to be wrong
    "log_line_prefix": "%m [%p] %a ",
    "log_lock_waits": "on",
}


class Cluster(Server):
    """One PostgreSQL server with data of its own, started by this process; another may be its standby.

    `fsync=False` is for tests that never kill it. `settings` go into postgresql.conf, above those of all tests.

    Example:
        primary = Cluster(installation, "primary").start()
        standby = primary.standby("standby", synchronous=True)
        primary.kill()
        standby.promote()
    """

    def __init__(
        self, installation: Installation, name: str, *, fsync: bool = True, settings: Mapping[str, object] | None = None
    ) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
        self.name = name
        self.port = installation.free_port()
        self.data = installation.clusters / f"{name}-{uuid4().hex[:8]}"
        self.settings = {**SETTINGS, "fsync": fsync, "full_page_writes": fsync, **(settings or {})}
        self._fsync = fsync
        self._installation = installation
        self._log = installation.clusters / f"{self.data.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._standbys: list[Cluster] = []
        self._synchronous: list[str] = []
        super().__init__(f"postgresql://{USER}@127.0.0.1:{self.port}/postgres", self._by_socket(ADMINISTRATOR))

    @property
    def running(self) -> bool:
        """Whether its first process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that the server has written to its log."""
        return self._log.read_text(errors="replace")

    def socket_url(self, database: str | None = None, **options: object) -> str:
        """As `url`, which goes over TCP on the loopback interface, but by a Unix socket."""
        return Server(self._by_socket(USER)).url(database, **options)

    def start(self) -> Cluster:
        """Start it, with its data as it is or a new one; returns when it takes connections."""
        assert not self.running, f"{self.name} runs already"
        if not self.data.exists():
            self._installation.copy(self._installation.template, self.data)
        self._configure()
        self._process = self._installation.start("postgres", "-D", self.data, log=self._log)
        until(self._is_ready, f"{self.name} takes connections")
        return self

    def stop(self, mode: Mode = "fast") -> None:
        """Stop it: `smart` waits for clients, `fast` ends their sessions, `immediate` ends as in a crash."""
        assert self._process is not None
        self._process.send_signal(SIGNALS[mode])
        self._process.wait(PATIENCE)

    def restart(self, mode: Mode = "fast") -> None:
        """Stop and start it, on the same port and with the same data."""
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """Kill -9 all its processes; what it had not written is gone. Nothing happens if it does not run."""
        if self._process is not None and self._process.poll() is None:
            end_tree(self._process.pid, self.data)
            self._process.wait(PATIENCE)

    def remove(self) -> None:
        """Kill it and its standbys, and delete their data."""
        for standby in self._standbys:
            standby.remove()
        self.kill()
        self._installation.discard(self.data)

    def standby(
        self, name: str = "standby", *, synchronous: bool = False, settings: Mapping[str, object] | None = None
    ) -> Cluster:
        """A started copy that follows this server; where it is synchronous, commits here wait for it."""
        copy = Cluster(self._installation, name, fsync=self._fsync, settings=settings)
        address = f"host=127.0.0.1 port={self.port} user={ADMINISTRATOR} application_name={name}"
        self._installation.run(
            "pg_basebackup", "--pgdata", copy.data, "--dbname", address, "--write-recovery-conf",
            "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--create-slot", "--slot", name,
        )  # fmt: skip
        with (copy.data / "postgresql.auto.conf").open("a") as kept:
            kept.write("synchronous_standby_names = ''\n")  # once promoted, it waits for nobody
        self._standbys.append(copy)
        copy.start()
        if synchronous:
            self._synchronous.append(name)
            members = ", ".join(map(quoted, self._synchronous))
            self.configure("synchronous_standby_names", f"FIRST {len(self._synchronous)} ({members})")
        state = "sync" if synchronous else "async"
        follows = "SELECT 1 FROM pg_stat_replication WHERE (application_name, state, sync_state) = (%s, %s, %s)"
        until(lambda: self.execute(follows, [name, "streaming", state]), f"{name} follows {self.name}")
        return copy

    def promote(self) -> None:
        """Let a standby take writes; returns when it does."""
        assert self.execute("SELECT pg_promote(wait => true)") == [(True,)]

    def disconnect(self) -> None:
        """Let a standby receive nothing more from its primary, though both run."""
        self.configure("primary_conninfo", "")
        until(lambda: not self.execute("SELECT 1 FROM pg_stat_wal_receiver"), f"{self.name} receives nothing")

    def configure(self, setting: str, value: object) -> None:
        """Change a setting of a running server that needs no restart."""
        from psycopg.sql import SQL, Identifier, Literal

        self.execute(SQL("ALTER SYSTEM SET {} = {}").format(Identifier(setting), Literal(str(value))))
        self.execute("SELECT pg_reload_conf()")

    def _configure(self) -> None:
        own = {"port": self.port, "unix_socket_directories": self._installation.sockets}
        values = {name: str(value).replace("'", "''") for name, value in {**self.settings, **own}.items()}
        path = self.data / "postgresql.conf"
        path.write_text("".join(f"{name} = '{value}'\n" for name, value in values.items()))
        self._installation.give(path)

    def _is_ready(self) -> bool:
        assert self.running, f"{self.name} has ended:\n{self.log}"
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # What a crash left behind has another process in its first line.
        assert self._process is not None
        return len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() in ("ready", "standby")

    def _by_socket(self, user: str) -> str:
        host = quote(str(self._installation.sockets), safe="")
        return f"postgresql://{user}@/postgres?host={host}&port={self.port}"


def url_of_all(clusters: Iterable[Cluster], database: str | None = None, **options: object) -> str:
    """One URL that names several servers, which a client tries in this order."""
    first, *others = clusters
    hosts = ",".join(f"127.0.0.1:{cluster.port}" for cluster in (first, *others))
    return first.url(database, **options).replace(f"127.0.0.1:{first.port}", hosts, 1)
