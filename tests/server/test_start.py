"""Where a server may start: row A9, as a table and as the command that users type."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from server.granting import give

from botwire_core.errors import ForbiddenError
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.binding import check_bind, is_loopback
from botwire_server.config import ServerConfig

TLS = {"tls_cert": Path("cert.pem"), "tls_key": Path("key.pem")}


@pytest.mark.parametrize(
    ("settings", "has_tokens", "fix"),
    [
        ({}, False, None),
        ({}, True, None),
        ({"host": "::1"}, False, None),
        ({"host": "localhost"}, False, None),
        ({"behind_proxy": True}, False, "botwire token create"),
        ({"behind_proxy": True}, True, None),
        ({"host": "0.0.0.0"}, False, "botwire token create"),
        ({"host": "0.0.0.0"}, True, "--behind-proxy"),
        ({"host": "::"}, True, "--tls-cert"),
        ({"host": ""}, True, "--tls-cert"),
        ({"host": "192.0.2.1", "behind_proxy": True}, False, "botwire token create"),
        ({"host": "192.0.2.1", "behind_proxy": True}, True, None),
        ({"host": "192.0.2.1", **TLS}, False, "botwire token create"),
        ({"host": "192.0.2.1", **TLS}, True, None),
        ({"host": "memory.example.com", "tls_cert": Path("cert.pem")}, True, "--tls-key"),
    ],
)
def test_a9_a_server_that_others_reach_starts_only_with_a_token_and_tls(
    settings: dict[str, object], has_tokens: bool, fix: str | None
) -> None:
    config = ServerConfig(**settings)  # type: ignore[arg-type]
    if fix is None:
        assert check_bind(config, has_tokens) == ()
        return
    with pytest.raises(ForbiddenError) as caught:
        check_bind(config, has_tokens)
    assert fix in caught.value.hint
    assert "--insecure" in caught.value.hint


@pytest.mark.parametrize("has_tokens", [False, True])
@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_a9_insecure_starts_and_warns_each_time(host: str, has_tokens: bool) -> None:
    warnings = check_bind(ServerConfig(host=host, insecure=True), has_tokens)
    assert warnings
    assert all(warning.startswith("--insecure: ") for warning in warnings)
    assert any("plain text" in warning for warning in warnings) == (host == "0.0.0.0")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.255.255.254", True), ("::1", True), ("[::1]", True), ("LocalHost", True),
        ("::ffff:127.0.0.1", False), ("0.0.0.0", False), ("::", False), ("", False), ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False), ("10.0.0.1", False), ("2130706433", False),
    ],
)  # fmt: skip
def test_only_addresses_of_this_machine_alone_are_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def serve(*options: str, store: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "botwire", "serve", "--port", "0", "--store", f"sqlite:///{store}", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def test_a9_the_command_refuses_to_start_where_others_reach_it_and_names_the_fix(tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    with serve("--host", "0.0.0.0", store=store) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5, err
    assert out == ""
    assert "the store has no token" in err
    assert "botwire token create" in err
    opened = SqliteStore(store)
    secret, _ = give(opened, "*:all")
    opened.close()
    with serve("--host", "0.0.0.0", store=store) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 5, err
    assert "--tls-cert" in err
    assert secret not in err


def test_a10_the_command_that_serves_prints_no_token_whatever_comes(tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    opened = SqliteStore(store)
    secret, token = give(opened, "a:read")
    opened.close()
    with serve("--log-namespaces", store=store) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://[0-9.:]+", line)
        assert found, line
        with httpx.Client(base_url=found[0], headers={"authorization": f"Bearer {secret}"}) as client:
            assert client.get("/memory/a/k").status_code == 404
            assert client.get(f"/memory/b/{secret}?token={secret}").status_code == 403
            assert client.post("/v1/ops", content=secret.encode()).status_code >= 400
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert token.id in err
    assert secret not in out + err
