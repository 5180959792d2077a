"""The command that serves a store over HTTP: its options, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from botwire.cli.arguments import leave_command_line
from botwire.cli.options import Url
from botwire.cli.text import visible
from botwire_core.errors import MissingExtraError
from botwire_core.shipped import load_target

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 8765,
    url: Url = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Speak TLS with this certificate.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="The key of the certificate.")
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="What is in front speaks TLS; believe its X-Forwarded-For.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Start without tokens or TLS, whoever may reach it.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="NAME", help="A name that it is called by; can be given again."),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option("--cors-origin", metavar="URL", help="A site whose pages may use it; can be given again."),
    ] = None,
    plan: Annotated[str, typer.Option("--plan", help="Limits of each namespace: none, or free.")] = "none",
    writes_per_day: Annotated[
        int | None, typer.Option("--writes-per-day", min=0, help="Entries written a day by each; 0 for no limit.")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option("--max-bytes", min=0, help="Bytes of values in each; 0 for no limit.")
    ] = None,
    max_forks: Annotated[int | None, typer.Option("--max-forks", min=0, help="Forks of each; 0 for no limit.")] = None,
    max_value_bytes: Annotated[
        int | None, typer.Option("--max-value-bytes", min=0, help="Bytes of one value; 0 for 16 MiB.")
    ] = None,
    requests: Annotated[int, typer.Option("--requests", min=1, help="Requests that are answered at once.")] = 1024,
    connections: Annotated[int, typer.Option("--connections", min=1, help="Connections that are open at once.")] = 4096,
    watchers: Annotated[int, typer.Option("--watchers", min=0, help="Clients that watch at once.")] = 1024,
    body_bytes: Annotated[int, typer.Option("--body-bytes", min=1, help="Bytes of a body, read no further.")] = 24
    * 1024
    * 1024,
    import_bytes: Annotated[
        int, typer.Option("--import-bytes", min=1, help="Bytes of an import, kept in a temporary file.")
    ] = 4 * 1024 * 1024 * 1024,
    header_seconds: Annotated[
        float, typer.Option("--header-seconds", min=0.1, help="For headers, and for a connection that is idle.")
    ] = 10,
    body_seconds: Annotated[
        float, typer.Option("--body-seconds", min=0.1, help="For a body, and for a client to take what it is sent.")
    ] = 30,
    stop_seconds: Annotated[
        float, typer.Option("--stop-seconds", min=0, help="For what has begun when the server is stopped.")
    ] = 10,
    heartbeat_seconds: Annotated[
        float, typer.Option("--heartbeat-seconds", min=0.1, help="Between signs of life to a client that watches.")
    ] = 15,
    log: Annotated[bool, typer.Option("--log/--no-log", help="Write a line of JSON per request to stderr.")] = True,
    log_namespaces: Annotated[bool, typer.Option("--log-namespaces", help="With the namespace in each line.")] = False,
) -> None:
    """Serve a store over HTTP until SIGTERM or Ctrl-C; what has begun is ended first."""
    leave_command_line(url)
    limits = {"writes_per_day": writes_per_day, "bytes": max_bytes, "forks": max_forks, "value_bytes": max_value_bytes}
    config = _load("config:ServerConfig")(
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        behind_proxy=behind_proxy,
        insecure=insecure,
        allowed_hosts=tuple(allowed_host or ()),
        cors_origins=tuple(cors_origin or ()),
        plan=_load("plans:plan_of")(plan, **limits),
        requests=requests,
        connections=connections,
        watchers=watchers,
        body_bytes=body_bytes,
        import_bytes=import_bytes,
        header_seconds=header_seconds,
        body_seconds=body_seconds,
        stop_seconds=stop_seconds,
        heartbeat_seconds=heartbeat_seconds,
        log_requests=log,
        log_namespaces=log_namespaces,
    )
    _load("running:serve")(url, config, say=_say, log=sys.stderr.buffer if log else None)


def _say(text: str) -> None:
    typer.echo(f"botwire: {visible(text)}", err=True)


def _load(target: str) -> Any:
    try:
        return load_target(f"botwire_server.{target}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"botwire serve needs {error.name}", hint="pip install 'botwire[server]'") from error
