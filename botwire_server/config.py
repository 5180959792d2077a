"""How a server is set up: one record, with the defaults that are safe."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from botwire_core.records import field, record
from botwire_server.plans import Plan

__all__ = ["DEFAULT_PORT", "ServerConfig"]

DEFAULT_PORT: Final = 8765


@record
class ServerConfig:
    """What a server is told when it starts; seconds and bytes are the only units.

    Where it listens: `host`, `port` (0 takes a free one), `tls_cert` and `tls_key` (PEM files), `behind_proxy` (what is
    in front of it speaks TLS, and its `X-Forwarded-For` is believed), `insecure` (let everybody in from everywhere).
    `allowed_hosts` are names by which it may be called beyond those of this machine, `cors_origins` are sites whose
    pages may use it.

    `plan` limits namespaces. A body is read up to `body_bytes`, an import up to `import_bytes`, which is kept on disk.
    A request has `header_seconds` for its headers and `body_seconds` for its body, and a connection on which nothing
    comes is closed after `header_seconds`. Beyond `requests` at once one is told to come back later, beyond
    `connections` one waits. A server that is stopped gives what it has begun `stop_seconds` to end.

    A watcher that nothing is told gets a sign of life every `heartbeat_seconds`; there may be `watchers` of them.
    `log_requests` writes a line for each request, with `log_namespaces` the namespace too.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    plan: Plan = field(default_factory=Plan)
    body_bytes: int = 24 * 1024 * 1024
    import_bytes: int = 4 * 1024 * 1024 * 1024
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    stop_seconds: float = 10.0
    requests: int = 1024
    connections: int = 4096
    watchers: int = 1024
    heartbeat_seconds: float = 15.0
    log_requests: bool = True
    log_namespaces: bool = False
