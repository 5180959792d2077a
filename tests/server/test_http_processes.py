"""A server that ends: killed, or told to stop, under load. Rows D5 and H11."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from server.processes import Told, Writers, serving
from server.raw import connected, read_answer, request

from botwire_core.protocol import Get
from botwire_core.stores.sqlite import SqliteStore


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


def kept(database: Path, told: Told) -> None:
    """Every number that was acknowledged is there, or a later one that was sent."""
    store = SqliteStore(database)
    try:
        assert store.health().integrity == "ok"
        for key, number in told.acknowledged.items():
            assert number <= store.run(Get("space", key)) <= told.sent[key]
    finally:
        store.close()


def test_d5_what_was_acknowledged_outlives_a_killed_server(database: Path, scale: Callable[[int], int]) -> None:
    told = Told()
    for _ in range(scale(50)):
        with serving(database) as (process, url), Writers(url, told, 8) as writers:
            writers.wait_for(random.randint(1, 300))
            process.kill()
            process.wait()
        kept(database, told)
    assert len(told.acknowledged) == 8
    assert not told.refused


def test_h11_a_server_that_is_told_to_stop_ends_what_it_has_begun(database: Path, scale: Callable[[int], int]) -> None:
    told = Told()
    for _ in range(scale(20)):
        with serving(database) as (process, url), Writers(url, told, 8) as writers:
            writers.wait_for(random.randint(1, 300))
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        kept(database, told)
    assert len(told.acknowledged) == 8
    assert not told.refused


def test_h11_a_request_that_has_begun_is_answered_after_the_signal(database: Path) -> None:
    head = request("PUT", "/memory/space/key", "Content-Type: application/json", "Content-Length: 11")
    with serving(database) as (process, url), connected(url) as connection:
        connection.sendall(head + b'{"val')
        assert httpx.get(f"{url}/healthz").status_code == 200  # so it has begun
        process.send_signal(signal.SIGTERM)
        refuses(url)
        connection.sendall(b'ue":1}')
        assert read_answer(connection).status == 200
        assert process.wait(15) == 0
    store = SqliteStore(database)
    assert store.run(Get("space", "key")) == 1
    store.close()


def test_h11_idle_connections_and_watchers_do_not_hold_it_up(database: Path) -> None:
    with serving(database) as (process, url), connected(url) as idle, connected(url) as watcher:
        idle.sendall(request("GET", "/healthz"))
        assert read_answer(idle).status == 200
        watcher.sendall(request("GET", "/v1/watch?namespace=space"))
        assert watcher.recv(1000).startswith(b"HTTP/1.1 200")
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0


def test_h11_who_goes_on_sending_is_cut_off_and_the_server_ends_well(database: Path) -> None:
    heads = [
        request("PUT", "/memory/space/key", "Content-Type: application/json", "Content-Length: 100") + b"{",
        request("POST", "/v1/import?namespace=space", "Content-Type: application/x-ndjson", "Content-Length: 9") + b"{",
    ]
    with serving(database, "--stop-seconds", "0.3") as (process, url), contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(url)) for _ in heads]
        for connection, head in zip(slow, heads, strict=True):
            connection.sendall(head)
        assert httpx.get(f"{url}/healthz").status_code == 200  # so they have begun
        process.send_signal(signal.SIGTERM)
        assert [read_answer(connection).status for connection in slow] == [408, 408]
        assert process.wait(15) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def refuses(url: str) -> None:
    """Wait until nobody new is let in."""
    for _ in range(10_000):
        try:
            connected(url, 1).close()
        except (ConnectionError, TimeoutError):
            return
    pytest.fail("it still lets in new clients")


class TestCommand:
    def test_a_port_that_is_taken_is_said(self, database: Path) -> None:
        with serving(database) as (_, url):
            second = run("--port", httpx.URL(url).netloc.decode().rpartition(":")[2], "--url", f"sqlite:///{database}")
        assert second.returncode == 3
        assert "cannot listen on 127.0.0.1" in second.stderr
        assert "--port" in second.stderr

    def test_a9_it_does_not_let_in_the_world_without_a_token(self, database: Path) -> None:
        result = run("--host", "0.0.0.0", "--url", f"sqlite:///{database}")
        assert result.returncode == 5
        assert "botwire token create" in result.stderr

    def test_a_plan_that_is_none_is_refused(self, database: Path) -> None:
        result = run("--plan", "golden", "--url", f"sqlite:///{database}")
        assert result.returncode == 2
        assert "golden" in result.stderr

    def test_a_store_that_is_no_store_is_said_before_anything_listens(self, tmp_path: Path) -> None:
        (tmp_path / "text.db").write_text("this is no database, and long enough to be looked at " * 20)
        result = run("--url", f"sqlite:///{tmp_path / 'text.db'}")
        assert result.returncode == 3
        assert "listening" not in result.stderr

    def test_it_writes_a_line_per_request_to_standard_error(self, database: Path) -> None:
        with serving(database, "--log") as (process, url):
            httpx.get(f"{url}/memory/space/secret")
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            text = process.stderr.read()
            assert process.wait(15) == 0
        assert '"route":"/memory/{namespace}/{key}","status":404' in text
        assert "secret" not in text


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "botwire", "serve", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
