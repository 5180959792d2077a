"""What the server says about itself: health, metrics, the log of requests, and the description of the wire."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import httpx
import pytest

from botwire_core.stores.sqlite import SqliteStore
from botwire_server.config import ServerConfig
from botwire_server.testing import served

LINKS = re.compile(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)""")


def test_health_says_the_version_and_the_features_to_anybody(client: httpx.Client) -> None:
    import botwire

    expected = {
        "status": "ok",
        "service": "botwire",
        "version": botwire.__version__,
        "features": ["history", "service"],
    }
    assert client.get("/healthz").json() == expected


def test_the_description_is_openapi_and_names_every_route(client: httpx.Client) -> None:
    reply = client.get("/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["openapi"].startswith("3.1")
    assert {"/memory/{namespace}/{key}", "/memory/{namespace}", "/v1/ops", "/v1/watch"} <= reply.json()["paths"].keys()
    for path, operations in reply.json()["paths"].items():
        for method in operations.keys() & {"get", "put", "post", "delete"}:
            made = path.replace("{namespace}", "space").replace("{key}", "key")
            assert client.request(method, made, json={}).status_code not in (405, 500, 501), (method, path)


def test_the_page_is_whole_in_itself(client: httpx.Client) -> None:
    reply = client.get("/docs")
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in reply.text
    assert "style=" not in reply.text
    links = LINKS.findall(reply.text)
    assert links
    for link in links:
        assert link.startswith(("/", "#")) and not link.startswith("//"), link
        assert client.get(link.partition("#")[0] or "/docs").status_code == 200
    assert "@import" not in client.get("/docs/style.css").text
    assert "url(" not in client.get("/docs/style.css").text
    assert "/v1/ops" in reply.text


def test_metrics_count_by_route_and_never_by_name(client: httpx.Client, space: str) -> None:
    client.put(f"/memory/{space}/secret-key", json={"value": "secret-value"})
    client.get(f"/memory/{space}/secret-key")
    client.get("/unknown/secret-path")
    text = client.get("/metrics").text
    found = re.search(
        r'botwire_requests_total\{method="GET",route="/memory/\{namespace\}/\{key\}",status="200"\} (.+)', text
    )
    assert found is not None and float(found[1]) >= 1
    assert "botwire_request_seconds_bucket" in text
    assert "botwire_commit_requests_count" in text
    assert "secret" not in text
    assert space not in text


def test_an_unknown_method_or_route_adds_no_series(client: httpx.Client) -> None:
    for n in range(20):
        client.request(f"M{n}", f"/none-{n}")
    client.get("/metrics")  # which from now on is a series itself
    before = client.get("/metrics").text.count("\n")
    for n in range(20, 60):
        client.request(f"M{n}", f"/none-{n}")
    assert client.get("/metrics").text.count("\n") == before


class TestLog:
    @pytest.fixture
    def log(self) -> io.BytesIO:
        return io.BytesIO()

    @pytest.fixture
    def logged(self, store: SqliteStore, log: io.BytesIO) -> Any:
        def run(config: ServerConfig, *sent: tuple[str, str, dict[str, Any]]) -> list[dict[str, Any]]:
            with served(store, config, log=log) as url, httpx.Client(base_url=url) as client:
                for method, target, more in sent:
                    client.request(method, target, **more)
            return [json.loads(line) for line in log.getvalue().splitlines()]

        return run

    def test_a_line_says_what_was_asked_and_how_it_went(self, logged: Any, space: str) -> None:
        (line,) = logged(ServerConfig(), ("GET", f"/memory/{space}/key", {"headers": {"x-request-id": "one"}}))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
        assert line.pop("ms") > 0
        assert line.pop("bytes") > 50
        assert line == {
            "method": "GET",
            "route": "/memory/{namespace}/{key}",
            "status": 404,
            "request_id": "one",
            "token_id": "",
        }

    def test_a10_it_never_has_a_key_a_value_or_a_token(self, logged: Any, log: io.BytesIO, space: str) -> None:
        token = {"Authorization": "Bearer bw_user_secret"}
        logged(
            ServerConfig(),
            ("PUT", f"/memory/{space}/secret", {"json": {"value": "secret"}, "headers": token}),
            ("GET", f"/memory/{space}?prefix=secret&secret=1", {"headers": token}),
            ("POST", "/v1/ops", {"json": {"ops": [{"op": "get", "namespace": space, "key": "secret"}]}}),
            ("POST", "/v1/ops?secret", {"content": b'{"secret":', "headers": {"content-type": "application/json"}}),
            (
                "GET",
                "/secret/secret",
                {"headers": {"x-request-id": "secret secret", "origin": "https://secret.example"}},
            ),
            ("SECRET", "/docs/secret", {}),
        )
        text = log.getvalue().decode()
        assert text.count("\n") == 6
        assert "secret" not in text.lower()
        assert space not in text

    def test_the_namespace_is_there_if_it_is_asked_for(self, logged: Any, space: str) -> None:
        lines = logged(
            ServerConfig(log_namespaces=True),
            ("GET", f"/memory/{space}/key", {}),
            ("GET", '/memory/a%22%0a%7d/key', {}),
            ("GET", "/healthz", {}),
        )  # fmt: skip
        assert [line["namespace"] for line in lines] == [space, 'a"\n}', ""]

    def test_every_request_has_an_id_of_its_own(self, logged: Any) -> None:
        lines = logged(ServerConfig(), *[("GET", "/healthz", {})] * 5)
        assert len({line["request_id"] for line in lines}) == 5
