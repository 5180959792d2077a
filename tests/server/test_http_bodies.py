"""Bodies that are too large, too slow, compressed, or no JSON: rows H1, H2, J10 to J13."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from server.raw import connected, exchange, read_answer, request

from botwire_core.stores.sqlite import SqliteStore
from botwire_server.config import ServerConfig
from botwire_server.testing import served

LIMIT = ServerConfig().body_bytes


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that waits for nothing long, and takes few at once."""
    store = SqliteStore(tmp_path_factory.mktemp("hasty") / "memory.db", durability="normal")
    config = ServerConfig(header_seconds=0.5, body_seconds=0.5, requests=4, import_bytes=100_000)
    with served(store, config) as url:
        yield url
    store.close()


class TestH1Slowness:
    def test_h1_headers_that_do_not_come_close_the_connection(self, hasty: str) -> None:
        for sent in (b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"):
            answer = exchange(hasty, sent)
            assert answer.status in (0, 408)
            assert answer.closed
            assert answer.seconds < 5

    def test_h1_a_connection_that_is_idle_between_requests_is_closed(self, hasty: str) -> None:
        with connected(hasty) as connection:
            connection.sendall(request("GET", "/healthz"))
            assert read_answer(connection).status == 200
            assert connection.recv(1) == b""

    @pytest.mark.parametrize("route", ["PUT /memory/space/slow", "POST /v1/ops", "POST /v1/export"])
    def test_h1_a_body_that_does_not_come_is_a_408(self, hasty: str, route: str) -> None:
        method, target = route.split()
        head = request(method, target, "Content-Type: application/json", "Content-Length: 100")
        answer = exchange(hasty, head + b'{"value":')
        assert (answer.status, answer.json["code"], answer.closed) == (408, "too_slow", True)
        assert answer.seconds < 5

    def test_h1_a_body_that_drips_is_cut_off_all_the_same(self, hasty: str) -> None:
        head = request("PUT", "/memory/space/slow", "Content-Type: application/json", "Content-Length: 100000")
        with connected(hasty) as connection:
            connection.sendall(head)
            connection.settimeout(0.05)
            started = time.monotonic()
            while time.monotonic() - started < 10:
                with contextlib.suppress(TimeoutError):
                    if connection.recv(20).startswith(b"HTTP/1.1 408"):
                        break
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b" ")
            else:
                pytest.fail("it was let drip on")


class TestH2Many:
    def test_h2_idle_connections_do_not_keep_others_out(self, url: str) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(500):
                idle = stack.enter_context(connected(url))
                idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localh")
            times = sorted(exchange(url, request("GET", "/healthz")).seconds for _ in range(20))
        assert times[-2] < 0.5

    def test_h2_beyond_what_is_answered_at_once_one_is_told_to_come_back(self, hasty: str) -> None:
        head = request("PUT", "/memory/space/key", "Content-Type: application/json", "Content-Length: 100")
        with contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(connected(hasty)) for _ in range(6)]
            for connection in waiting:
                connection.sendall(head)
            answers = [read_answer(connection) for connection in waiting]
        refused = [answer for answer in answers if answer.status == 503]
        assert len(refused) == 2
        assert all(answer.json["code"] == "overloaded" and answer.headers["retry-after"] for answer in refused)
        assert {answer.status for answer in answers} == {408, 503}
        assert exchange(hasty, request("GET", "/healthz")).status == 200


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class TestJ10Size:
    def test_j10_a_length_beyond_the_limit_is_refused_unread(self, url: str) -> None:
        head = request("PUT", "/memory/space/key", "Content-Type: application/json", f"Content-Length: {100 * 2**20}")
        answer = exchange(url, head)
        assert (answer.status, answer.json["code"]) == (413, "too_large")

    def test_j10_a_body_without_a_length_is_read_to_the_limit_and_costs_no_memory(self, url: str) -> None:
        head = request("PUT", "/memory/space/key", "Content-Type: application/json", "Transfer-Encoding: chunked")
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        exchange(url, request("GET", "/healthz"))
        before, most, sent = resident(), 0, 0
        with connected(url) as connection:
            connection.sendall(head)
            connection.settimeout(0)
            answer = b""
            while sent < 1000 * 2**20 and not answer:
                most = max(most, resident())
                try:
                    sent += connection.send(piece[sent % len(piece) :])
                except BlockingIOError:
                    pass
                except ConnectionError:
                    break
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    answer = connection.recv(65536)
        # What the sockets of both sides hold was sent, but never read.
        assert LIMIT <= sent < LIMIT + 12 * 2**20
        assert answer.startswith(b"HTTP/1.1 413") or not answer
        assert most - before < 20 * 2**20

    def test_j10_the_largest_value_is_let_in(self, client: httpx.Client, space: str) -> None:
        text = "a" * (16 * 2**20 - 2)
        assert client.put(f"/memory/{space}/key", json={"value": text}).status_code == 200
        assert client.put(f"/memory/{space}/key", json={"value": text + "a"}).status_code == 413
        assert client.get(f"/memory/{space}/key").json()["value"] == text

    def test_j10_an_import_is_read_to_its_own_limit(self, hasty: str) -> None:
        lines = b"".join(b'{"key":"%d","value":1}\n' % n for n in range(10_000))
        reply = httpx.post(f"{hasty}/v1/import?namespace=large", content=iter([lines]),
                           headers={"content-type": "application/x-ndjson"})  # fmt: skip
        assert reply.status_code == 413
        assert httpx.get(f"{hasty}/memory/large").json()["count"] == 0


@pytest.mark.parametrize(
    "value",
    ["[" * 100_000, "[" * 120 + "1" + ",1" * 500_000 + "]" * 120, json.dumps({str(n): n for n in range(80_000)})],
    ids=["deep", "long", "wide"],
)
def test_j11_a_body_of_a_megabyte_is_judged_within_a_second(client: httpx.Client, space: str, value: str) -> None:
    started = time.monotonic()
    headers = {"content-type": "application/json"}
    reply = client.put(f"/memory/{space}/key", content='{"value":' + value + "}", headers=headers)
    assert reply.status_code in (200, 400, 422)
    assert time.monotonic() - started < 5  # a second on an idle machine


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"])
def test_j12_a_compressed_body_is_refused(client: httpx.Client, space: str, encoding: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": encoding}
    reply = client.put(f"/memory/{space}/key", content=b'{"value":1}', headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")
    plain = client.put(
        f"/memory/{space}/key", content=b'{"value":1}', headers={**headers, "content-encoding": "identity"}
    )
    assert plain.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + b'{"value":1}',
        '{"value":1}'.encode("utf-16"),
        b'{"value":"\xff"}',
        b'{"value":1}x',
        b'{"value":1}{"value":2}',
        b'{"value":1/*no*/}',
        b"{'value':1}",
        b"",
        b" ",
        b'{"value":',
        b'{"value":01}',
        b'{"value":1,}',
        b"\x00",
    ],
    ids=repr,
)
def test_j13_what_is_not_json_is_malformed(client: httpx.Client, space: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    for reply in (
        client.put(f"/memory/{space}/key", content=body, headers=headers),
        client.post("/v1/ops", content=body, headers=headers),
        client.post("/v1/export", content=body, headers=headers),
    ):
        assert (reply.status_code, reply.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [b'{"value":NaN}', b'{"value":-Infinity}', b'{"value":1e400}', b'{"value":1,"value":2}', b'{"value":"\\ud800"}',
     b'{"value":' + b"9" * 4301 + b"}", b'{"value":' + b"[" * 129 + b"]" * 129 + b"}"],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_j1_json_that_cannot_be_kept_is_refused(client: httpx.Client, space: str, body: bytes) -> None:
    reply = client.put(f"/memory/{space}/key", content=body, headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_value")


def nothing_is_under_way(client: httpx.Client) -> bool:
    # The request that asks is under way itself.
    return eventually(lambda: "botwire_requests_in_flight 1.0" in client.get("/metrics").text)


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if holds():
            return True
    return False


def test_h12_a_client_that_goes_in_the_middle_of_a_body_leaves_no_trace(
    url: str, client: httpx.Client, space: str
) -> None:
    head = request("PUT", f"/memory/{space}/k", "Content-Type: application/json", "Content-Length: 50")
    for _ in range(20):
        with connected(url) as connection:
            connection.sendall(head + b'{"value":')
    assert nothing_is_under_way(client)
    assert client.get(f"/memory/{space}").json()["count"] == 0


def test_h12_a_client_that_does_not_wait_for_its_reply_has_written_or_not(
    url: str, client: httpx.Client, space: str
) -> None:
    for number in range(20):
        with connected(url) as connection:
            connection.sendall(request("PUT", f"/memory/{space}/{number}", body=b'{"value":"whole"}'))
    assert nothing_is_under_way(client)
    for entry in client.get(f"/memory/{space}").json()["keys"]:
        assert client.get(f"/memory/{space}/{entry['key']}").json()["value"] == "whole"
