"""Requests that no honest client sends, as bytes on a socket: rows H3 to H9, H13 and H15."""

from __future__ import annotations

import contextlib
import socket

import httpx
import pytest
from server.raw import Answer, connected, exchange, read_answer, request

PROBLEM = {"type", "title", "status", "detail", "code", "hint", "retryable", "commit_unknown", "request_id"}


def one_problem(answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json.keys() >= PROBLEM
    assert answer.json["status"] == status


class TestH3Sizes:
    def test_h3_headers_of_128_kilobytes_are_refused(self, url: str) -> None:
        answer = exchange(url, request("GET", "/healthz", "X-Large: " + "a" * 128_000))
        assert (answer.status, answer.closed) == (431, True)

    def test_h3_headers_of_a_megabyte_are_refused(self, url: str) -> None:
        answer = exchange(url, request("GET", "/healthz", "X-Large: " + "a" * 1_000_000))
        assert answer.status in (0, 431)
        assert answer.closed

    def test_h3_more_than_a_hundred_headers_are_refused(self, url: str) -> None:
        answer = exchange(url, request("GET", "/healthz", *(f"X-{n}: a" for n in range(150))))
        assert (answer.status, answer.closed) == (431, True)

    def test_h3_a_url_of_70_kilobytes_is_refused(self, url: str) -> None:
        answer = exchange(url, request("GET", "/memory/space/" + "a" * 70_000))
        assert (answer.status, answer.closed) == (414, True)

    def test_h3_a_key_that_is_too_long_but_a_fine_url_is_a_problem(self, url: str) -> None:
        one_problem(exchange(url, request("GET", "/memory/space/" + "a" * 8_000)), 422)


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 11", "Content-Length: 12"),
        ("Content-Length: -1",),
        ("Content-Length: +11",),
        ("Content-Length: 11, 11",),
        ("Content-Length: 0x0b",),
        ("Content-Length: 99999999999999999999999",),
        ("Content-Length : 11",),
        ("Content-Length: 11", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 11"),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding: identity",),
        (" Content-Length: 11",),
        ("X-A: b", " folded: 11"),
    ],
    ids="|".join,
)
def test_h4_a_length_that_is_told_in_two_ways_is_refused(
    url: str, client: httpx.Client, headers: tuple[str, ...], space: str
) -> None:
    """A second request hides behind the first: it must not be answered, whatever the first one is taken for."""
    smuggled = request("PUT", f"/memory/{space}/smuggled", body=b'{"value":1}')
    first = request("PUT", f"/memory/{space}/first", "Content-Type: application/json", *headers)
    answer = exchange(url, first + b"0\r\n\r\n" + smuggled)
    assert answer.status in (0, 400), answer
    assert answer.closed
    assert client.get(f"/memory/{space}").json()["count"] == 0


def test_h4_a_length_that_is_told_twice_but_the_same_is_that_length(url: str, space: str) -> None:
    """RFC 9110 lets a server take equal ones for one; what follows is a request of its own, and is answered as one."""
    put = request("PUT", f"/memory/{space}/key", "Content-Length: 11", body=b'{"value":1}')
    with connected(url) as connection:
        connection.sendall(put)
        assert read_answer(connection).status == 200
        connection.sendall(request("GET", f"/memory/{space}"))
        assert read_answer(connection).json["count"] == 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
        b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/3.0\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 64,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff\x80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nna me: x\r\n\r\n",
    ],
    ids=repr,
)
def test_h4_what_is_not_http_is_refused_and_the_connection_closed(url: str, data: bytes) -> None:
    answer = exchange(url, data)
    assert answer.status in (0, 400, 505), answer
    assert answer.closed


def test_h4_a_bare_line_feed_never_makes_two_requests_of_one(url: str, client: httpx.Client, space: str) -> None:
    """RFC 9112 lets a server take a bare LF for the end of a line, and this one does: so each is still one request."""
    body = b'{"value":1}'
    put = f"PUT /memory/{space}/key HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 11\n\n"
    assert exchange(url, put.encode() + body).status in (200, 400)
    # The line feed in a value of a header would have to begin a header of its own to smuggle anything.
    evil = exchange(url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\nContent-Length: 5\r\n\r\n")
    assert evil.status in (200, 400, 408, 0)
    assert {entry["key"] for entry in client.get(f"/memory/{space}").json()["keys"]} <= {"key"}


class TestH5Reflection:
    @pytest.mark.parametrize("id", ["a b", "a\tb", "é", "x" * 65, "<script>", '"', "a%0d%0aX-Evil: 1", ""], ids=ascii)
    def test_h5_a_request_id_that_is_not_plain_is_replaced(self, url: str, id: str) -> None:
        answer = exchange(url, request("GET", "/healthz", f"X-Request-Id: {id}"))
        assert answer.status == 200
        assert answer.headers["x-request-id"] != id
        assert "x-evil" not in answer.headers

    def test_h5_a_plain_request_id_is_kept(self, client: httpx.Client) -> None:
        reply = client.get("/memory/space/none", headers={"X-Request-Id": "Trace_1.a-b"})
        assert reply.headers["x-request-id"] == reply.json()["request_id"] == "Trace_1.a-b"

    def test_h5_a_line_break_in_a_key_stays_in_the_key(self, client: httpx.Client, space: str) -> None:
        path = f"/memory/{space}/a%0d%0aX-Evil:%201"
        for reply in (client.put(path, json={"value": 1}), client.get(path), client.get(f"/memory/{space}")):
            assert reply.status_code == 200
            assert "x-evil" not in reply.headers
        assert client.get(path).json()["key"] == "a\r\nX-Evil: 1"

    def test_h5_a_line_break_in_a_header_ends_the_request(self, url: str) -> None:
        data = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\r\r\nX-Evil: 1\r\n\r\n"
        assert "x-evil" not in exchange(url, data).headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1@evil", "localhost:99999", "localhost:x", "localhost:", "", "localhost.evil", "[::1",
     "127.0.0.1/", "localhost#", "0x7f.1", "127.1", "localhost\x00"],
    ids=repr,
)  # fmt: skip
def test_h6_another_host_is_refused_before_routing(url: str, host: str) -> None:
    answer = exchange(url, request("GET", "/healthz", host=host))
    assert answer.status in (400, 421)
    if answer.status == 421:
        one_problem(answer, 421)


def test_h6_two_hosts_or_none_are_refused(url: str) -> None:
    assert exchange(url, request("GET", "/healthz", "Host: evil.example")).status == 400
    assert exchange(url, b"GET /healthz HTTP/1.1\r\n\r\n").status == 421


class TestH7Sites:
    def test_h7_a_page_of_another_site_is_refused(self, url: str) -> None:
        for method, target in (("GET", "/healthz"), ("DELETE", "/memory/space/key"), ("POST", "/v1/ops")):
            one_problem(exchange(url, request(method, target, "Origin: https://evil.example")), 403)
        one_problem(exchange(url, request("GET", "/healthz", "Origin: null")), 403)

    def test_h7_a_preflight_is_not_answered_with_permission(self, url: str) -> None:
        asked = ("Origin: https://evil.example", "Access-Control-Request-Method: PUT")
        answer = exchange(url, request("OPTIONS", "/memory/space/key", *asked))
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]

    def test_h7_our_own_page_is_let_in(self, url: str) -> None:
        host = url.removeprefix("http://")
        assert exchange(url, request("GET", "/healthz", f"Origin: {url}", host=host)).status == 200


@pytest.mark.parametrize(
    "type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonp"],
)
def test_h8_a_body_that_a_form_could_send_is_refused(client: httpx.Client, space: str, type: str) -> None:
    sent = {"content": b'{"value":1,"ops":[]}', "headers": {"Content-Type": type}}
    for reply in (client.put(f"/memory/{space}/key", **sent), client.post("/v1/ops", **sent)):  # type: ignore[arg-type]
        assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")
    assert client.get(f"/memory/{space}/key").status_code == 404


@pytest.mark.parametrize("type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"])
def test_h8_json_may_say_more_about_itself(client: httpx.Client, space: str, type: str) -> None:
    reply = client.put(f"/memory/{space}/key", content=b'{"value":1}', headers={"Content-Type": type})
    assert reply.status_code == 200


class TestH9Routes:
    @pytest.mark.parametrize(
        "target",
        ["/", "/memory", "/memories/a/b", "/v1", "/v1/ops/", "/v2/ops", "/healthz/", "//healthz", "/docs/../metrics",
         "/%6demory/a", "/etc/passwd", "/v1/ops%00", "/docs/style.css/", "*"],
    )  # fmt: skip
    def test_h9_an_unknown_route_is_a_404_of_the_same_shape(self, url: str, target: str) -> None:
        one_problem(exchange(url, request("GET", target)), 404)

    @pytest.mark.parametrize(
        ("target", "methods"),
        [
            ("/memory/space/key", {"GET", "HEAD", "PUT", "DELETE"}),
            ("/memory/space", {"GET", "HEAD"}),
            ("/v1/ops", {"POST"}),
            ("/v1/watch", {"GET"}),
            ("/v1/export", {"POST"}),
            ("/v1/import", {"POST"}),
            ("/healthz", {"GET", "HEAD"}),
            ("/metrics", {"GET", "HEAD"}),
            ("/docs", {"GET", "HEAD"}),
        ],
    )
    def test_h9_another_method_is_a_405_that_names_the_right_ones(
        self, url: str, target: str, methods: set[str]
    ) -> None:
        for method in ("PATCH", "OPTIONS", "TRACE", "BREW", *({"GET", "PUT", "POST", "DELETE"} - methods)):
            answer = exchange(url, request(method, target))
            one_problem(answer, 405)
            assert set(answer.headers["allow"].split(", ")) == methods


class TestH13Versions:
    @pytest.mark.parametrize(
        "headers",
        [
            ("Range: bytes=0-1",),
            ("Expect: something",),
            ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: YQ=="),
            ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
            ("TE: trailers",),
            ("Accept: image/png", "Accept-Encoding: gzip;q=0"),
            ("If-Modified-Since: yesterday",),
        ],
        ids="|".join,
    )
    def test_h13_what_we_do_not_have_is_not_missed(self, url: str, headers: tuple[str, ...]) -> None:
        answer = exchange(url, request("GET", "/healthz", *headers))
        assert (answer.status, answer.json["status"]) == (200, "ok")

    def test_h13_http_1_0_is_answered_and_closed(self, url: str) -> None:
        with connected(url) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = read_answer(connection)
            assert answer.status == 200
            assert connection.recv(1) == b""

    def test_h13_a_client_that_waits_for_100_is_told_to_go_on(self, url: str, space: str) -> None:
        head = request("PUT", f"/memory/{space}/k", "Expect: 100-continue", "Content-Type: application/json",
                       "Content-Length: 11")  # fmt: skip
        with connected(url) as connection:
            connection.sendall(head)
            assert read_answer(connection).status == 100
            connection.sendall(b'{"value":1}')
            assert read_answer(connection).status == 200

    def test_h13_a_client_that_waits_for_100_need_not_send_what_is_refused(self, url: str, space: str) -> None:
        answer = exchange(
            url, request("PUT", f"/memory/{space}/k", "Expect: 100-continue", "Content-Length: 99999999999",
                         "Content-Type: application/json")
        )  # fmt: skip
        assert answer.status == 413

    def test_h13_requests_may_follow_each_other_without_waiting(self, url: str, space: str) -> None:
        puts = [request("PUT", f"/memory/{space}/{n}", body=b'{"value":%d}' % n) for n in range(5)]
        with connected(url) as connection:
            connection.sendall(b"".join(puts) + request("GET", f"/memory/{space}", "Connection: close"))
            data = b""
            with contextlib.suppress(socket.timeout):
                while chunk := connection.recv(65536):
                    data += chunk
        assert data.count(b"HTTP/1.1 200") == 6
        assert b'"count":5' in data


def test_h15_nothing_is_kept_on_the_way(client: httpx.Client, space: str) -> None:
    client.put(f"/memory/{space}/key", json={"value": 1})
    paths = [f"/memory/{space}/key", f"/memory/{space}", f"/memory/{space}/none", "/healthz", "/metrics", "/none"]
    for reply in [*map(client.get, paths), client.post("/v1/ops", json={}), client.put("/memory/a/b", content=b"x")]:
        assert reply.headers["cache-control"] == "no-store"
        assert "Authorization" in reply.headers["vary"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-request-id"]
