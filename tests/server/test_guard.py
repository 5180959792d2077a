"""Host and Origin: rows H6 and H7."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest

from botwire_core.errors import InvalidValueError
from botwire_core.stores.dict import DictStore
from botwire_server.config import ServerConfig
from botwire_server.guard import Guard
from botwire_server.refusals import RefusedError
from botwire_server.testing import served

OURS = ServerConfig(allowed_hosts=("memory.example.com",), cors_origins=("https://app.example.com",))

GOOD_HOSTS = [
    "127.0.0.1", "127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8765", "memory.example.com",
    "Memory.Example.com:65535",
]  # fmt: skip
BAD_HOSTS = [
    "", "evil.example", "evil.example:8765", "127.0.0.1@evil.example", "127.0.0.1:80@evil.example",
    "127.0.0.1.evil.example", "localhost.evil.example", "evil-localhost", "127.0.0.1:", "127.0.0.1:0",
    "127.0.0.1:65536", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:8o", "127.0.0.1:80:80", "127.0.0.1/memory",
    "127.0.0.1?x", "127.0.0.1#x", "127.0.0.1\\evil", " 127.0.0.1", "127.0.0.1 ", "127.0.0.1,evil.example", "[::1",
    "::1", "[::1]evil", "2130706433", "0x7f.1", "127.1", "localhost.", "xn--lcalhost-w1a", "memory.example.com.",
    "sub.memory.example.com", "example.com", "\xff", "0.0.0.0",
]  # fmt: skip


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_h6_a_name_of_ours_passes(host: str) -> None:
    guard = Guard(OURS)
    for _ in range(2):
        guard.check_host_and_origin({b"host": host.encode("latin-1")})


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_h6_another_host_is_told_421(host: str) -> None:
    guard = Guard(OURS)
    for _ in range(2):
        with pytest.raises(RefusedError) as caught:
            guard.check_host_and_origin({b"host": host.encode("latin-1")})
        assert caught.value.status == 421


def test_h6_no_host_at_all_is_told_421() -> None:
    with pytest.raises(RefusedError) as caught:
        Guard(OURS).check_host_and_origin({})
    assert caught.value.status == 421


def test_h6_the_address_that_is_bound_is_a_name_of_ours_and_every_address_is_not() -> None:
    Guard(ServerConfig(host="192.0.2.7")).check_host_and_origin({b"host": b"192.0.2.7:8765"})
    Guard(ServerConfig(host="2001:db8::7")).check_host_and_origin({b"host": b"[2001:db8::7]"})
    with pytest.raises(RefusedError):
        Guard(ServerConfig(host="0.0.0.0")).check_host_and_origin({b"host": b"0.0.0.0"})


@pytest.mark.parametrize(
    "name", ["https://memory.example.com", "memory.example.com/", "a b", "*", "*.example.com", "é"]
)
def test_a_host_that_is_configured_has_to_be_a_name(name: str) -> None:
    with pytest.raises(InvalidValueError, match="is no host name"):
        Guard(ServerConfig(allowed_hosts=(name,)))


@pytest.mark.parametrize(
    "origin", ["*", "null", "app.example.com", "https://app.example.com/", "https://*.example.com", ""]
)
def test_h7_an_origin_that_is_configured_has_to_be_exact(origin: str) -> None:
    with pytest.raises(InvalidValueError, match="is no origin"):
        Guard(ServerConfig(cors_origins=(origin,)))


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://localhost:9999", "http://127.0.0.1", "https://app.example.com:444",
     "https://app.example.com.evil.example", "http://app.example.com", "file://"],
)  # fmt: skip
def test_h7_a_page_of_another_site_is_told_403_and_gets_no_cors_header(origin: str) -> None:
    guard = Guard(OURS)
    headers = {b"host": b"127.0.0.1:8765", b"origin": origin.encode()}
    with pytest.raises(RefusedError) as caught:
        guard.check_host_and_origin(headers)
    assert caught.value.status == 403
    assert guard.cross_origin(headers) == []
    assert guard.preflight("OPTIONS", {**headers, b"access-control-request-method": b"GET"}) is None


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8765", "https://127.0.0.1:8765"])
def test_h7_our_own_pages_may(origin: str) -> None:
    headers = {b"host": b"127.0.0.1:8765", b"origin": origin.encode()}
    Guard(OURS).check_host_and_origin(headers)
    assert Guard(OURS).cross_origin(headers) == []


def test_h7_a_configured_origin_is_named_and_never_with_a_star_or_credentials() -> None:
    guard = Guard(OURS)
    headers = {b"host": b"memory.example.com", b"origin": b"https://app.example.com"}
    guard.check_host_and_origin(headers)
    given = dict(guard.cross_origin(headers))
    assert given[b"access-control-allow-origin"] == b"https://app.example.com"
    assert given[b"vary"] == b"Origin"
    preflight = dict(guard.preflight("OPTIONS", {**headers, b"access-control-request-method": b"PUT"}) or [])
    assert b"PUT" in preflight[b"access-control-allow-methods"]
    assert b"authorization" in preflight[b"access-control-allow-headers"]
    for names in (given, preflight):
        assert b"access-control-allow-credentials" not in names
        assert b"*" not in names.values()
    assert guard.preflight("GET", {**headers, b"access-control-request-method": b"PUT"}) is None


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(DictStore(), OURS) as url:
        yield int(url.rpartition(":")[2])


def raw(port: int, *lines: str) -> tuple[int, dict[str, str]]:
    """The status and headers of the reply to a request as it stands."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in (*lines, "Connection: close", "")).encode("latin-1"))
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}


@pytest.mark.parametrize("path", ["/memory/a/k", "/healthz", "/nothing", "/v1/ops"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1@evil.example", "127.0.0.1:99999"])
def test_h6_a_wrong_host_is_refused_before_any_route(port: int, path: str, host: str) -> None:
    status, _ = raw(port, f"GET {path} HTTP/1.1", f"Host: {host}")
    assert status in (400, 421)


def test_h6_two_hosts_are_refused(port: int) -> None:
    status, _ = raw(port, "GET /healthz HTTP/1.1", "Host: 127.0.0.1", "Host: evil.example")
    assert status in (400, 421)


def test_h7_over_the_wire_no_other_site_gets_a_cors_header(port: int) -> None:
    status, headers = raw(port, "GET /healthz HTTP/1.1", "Host: 127.0.0.1", "Origin: https://evil.example")
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]
    asked = "Access-Control-Request-Method: PUT"
    status, headers = raw(
        port, "OPTIONS /memory/a/k HTTP/1.1", "Host: 127.0.0.1", "Origin: https://evil.example", asked
    )
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]


def test_h7_over_the_wire_a_configured_site_is_answered(port: int) -> None:
    origin = "Origin: https://app.example.com"
    asked = "Access-Control-Request-Method: PUT"
    status, headers = raw(port, "OPTIONS /memory/a/k HTTP/1.1", "Host: 127.0.0.1", origin, asked)
    assert status == 204
    assert headers["access-control-allow-origin"] == "https://app.example.com"
    status, headers = raw(port, "GET /memory/a/k HTTP/1.1", "Host: 127.0.0.1", origin)
    assert status == 404
    assert headers["access-control-allow-origin"] == "https://app.example.com"
