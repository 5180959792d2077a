"""Running a server: its socket, its event loop, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server as GranianServer

from botwire_core.connect import connect
from botwire_core.errors import StoreUnavailableError
from botwire_core.service import ListTokens
from botwire_server.app import Application, make_app
from botwire_server.binding import check_bind
from botwire_server.config import ServerConfig
from botwire_server.native_threads import NativeThreads

__all__ = ["open_socket", "run_server", "serve"]

_BACKLOG: Final = 2048
_BUFFER: Final = 96 * 1024  # bytes of a request line and headers; beyond it granian refuses by itself
_LAST_ANSWERS: Final = 1.0  # seconds for those who are told that their time is over
_SPARE_FILES: Final = 512  # beside one for each connection

Say = Callable[[str], object]


def serve(url: str | None, config: ServerConfig, *, say: Say, log: BinaryIO | None = None) -> None:
    """Serve the store that a URL names until SIGTERM or Ctrl-C; then end what has begun, and return.

    `say` is told where the server listens, and what is worrying about that. `log` gets a line for each request.

    Raises:
        ForbiddenError: it would be open to whoever finds it.
        StoreUnavailableError: the address is taken, or is not of this machine.
        BotWireError: the store cannot be opened.
    """
    store = connect(url)
    has_tokens = "service" in store.features and bool(store.run(ListTokens()))
    for warning in check_bind(config, has_tokens):
        say(f"warning: {warning}")
    _allow_files(config.connections + _SPARE_FILES)
    listening = open_socket(config.host, config.port)
    host, port = listening.getsockname()[:2]
    scheme = "https" if config.tls_cert is not None else "http"
    app = make_app(store, config, log=log)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run_server(
            app, listening, config, stop, lambda: say(f"listening on {scheme}://{_shown(host)}:{port}, docs at /docs")
        )

    # What is loaded by now stays: to look through it for garbage again and again would take a part of every second.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main())
    store.close()


async def run_server(
    app: Application,
    listening: socket.socket,
    config: ServerConfig,
    stop: asyncio.Event,
    started: Callable[[], object],
) -> None:
    """Answer what comes to a socket until `stop` is set, and then what has begun, for as long as the settings allow."""
    threads = NativeThreads()
    server = _Granian(app, listening, config)
    running = asyncio.ensure_future(server.serve())
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.sleep(0)
        started()
        await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
        app.stop()
        server.stop()  # type: ignore[no-untyped-call]
        # Not cancelled at the end of its time: granian then ends in the middle of what it does, and complains.
        await asyncio.wait((running,), timeout=config.stop_seconds)
        app.cut_off()
        await asyncio.wait((running,), timeout=_LAST_ANSWERS)
        if running.done():
            running.result()
    finally:
        stopped.cancel()
        await app.close()
        await threads.ended()


class _Granian(GranianServer):
    """Granian on a socket of ours: on one of its own any other process may listen too, and take half of what comes."""

    def __init__(self, app: Application, listening: socket.socket, config: ServerConfig) -> None:
        host, port = listening.getsockname()[:2]
        super().__init__(
            app,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=_BACKLOG,
            backpressure=config.connections,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(config.header_seconds * 1000), max_buffer_size=_BUFFER
            ),
            log_enabled=False,
            ssl_cert=config.tls_cert,
            ssl_key=config.tls_key,
        )
        self._listening = listening

    def _init_shared_socket(self) -> None:
        # Granian closes it, so it is given away.
        holder: Any = SocketHolder
        self._ssp, self._shd = None, holder(self._listening.detach(), False, _BACKLOG)


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on an address which nobody else has; port 0 takes a free one.

    Raises:
        StoreUnavailableError: the address is taken, or is not of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            if sys.platform != "win32":
                # The last server's connections may linger; without it a restart would have to wait for them.
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise StoreUnavailableError(
            f"cannot listen on {host}:{port}: {error.strerror or error}", hint="choose another with --host and --port"
        ) from error
    return listening


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The quickest event loop that is installed; None is Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _allow_files(wanted: int) -> None:
    """Let the process open as many files as there may be connections, if it may decide that itself."""
    try:
        import resource
    except ImportError:
        return  # a system that has no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
