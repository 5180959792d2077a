"""`HttpStore` itself: its connections in threads, loops and processes, whom it tells the token, and your own client."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from blockbuster import BlockingError, blockbuster_ctx
from client.conftest import Open, Run
from client.scripted import Cut, Got, Silence, Step, on_a_dict, reply, result, scripted

import botwire
from botwire_core.codec import encode
from botwire_core.connect import connect
from botwire_core.errors import (
    CommitUnknownError,
    ForbiddenError,
    InvalidNamespaceError,
    InvalidValueError,
    StoreUnavailableError,
    TooLargeError,
    UnknownStoreError,
    UnsupportedError,
)
from botwire_core.memory import Memory
from botwire_core.protocol import MISSING, Get, Increment, Set
from botwire_core.stores.dict import DictStore
from botwire_core.stores.http import HttpStore, incoming
from botwire_core.stores.http.addresses import parse_urls
from botwire_server.config import ServerConfig
from botwire_server.testing import served

GET = Get("space", "k")
COUNT = Increment("space", "n")


# --- where it is, and whom it tells the token ---------------------------------------------------------


@pytest.mark.parametrize("url", ["http://memory.example.com", "http://10.0.0.1:8765", "http://user:pw@example.com"])
def test_a_token_is_not_sent_over_plain_http_to_another_machine(url: str) -> None:
    token = None if "@" in url else "bw_secret"
    with pytest.raises(ForbiddenError, match="plain http") as caught:
        HttpStore(url, token=token)
    assert "bw_secret" not in str(caught.value)
    assert "pw" not in str(caught.value)
    HttpStore(url, token=token, allow_http=True)
    HttpStore(f"{url}?allow_http=true", token=token)


@pytest.mark.parametrize(
    "url",
    ["https://memory.example.com", "http://127.0.0.1:1", "http://localhost", "http://[::1]:80", "http://127.9.9.9"],
)
def test_a_token_is_sent_by_https_and_on_this_machine(url: str) -> None:
    assert HttpStore(url, token="bw_secret").features == {"history"}


def test_the_token_goes_with_every_request_and_a_user_of_the_url_too(opened: Open, run: Run) -> None:
    with scripted(script=on_a_dict()) as server:
        run(opened(server.url, token="bw_secret"), GET)
        run(opened(server.url.replace("//", "//ada:pass%20word@")), GET)
        run(opened(server.url), GET)
        assert [got.headers.get("authorization") for got in server.got] == [
            "Bearer bw_secret",
            "Basic YWRhOnBhc3Mgd29yZA==",
            None,
        ]


@pytest.mark.parametrize("token", ["", "a b\r\nX: y", "é", "\x00", 7])
def test_what_cannot_be_a_token_is_refused_and_not_shown(token: Any) -> None:
    with pytest.raises(InvalidValueError) as caught:
        HttpStore("https://memory.example.com", token=token)
    assert repr(token) not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *["", "https://", "https:/host", "ftp://host", "host:80", "http://host:99999", "http://[::1", "http://h/a b"],
        *["a,,b", "https://s3cret@", "https://host?durability=s3cret", "https://host#s3cret", "https://host,s3cret"],
    ],
)
def test_what_is_no_url_of_a_server_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UnknownStoreError) as caught:
        HttpStore(url)
    assert "s3cret" not in str(caught.value)


def test_names_are_spelled_as_the_network_spells_them() -> None:
    ((one, other), _) = parse_urls("https://bücher.example:8443/base/, http://[::1]")
    assert (one.shown, one.authority) == ("https://xn--bcher-kva.example:8443/base", "xn--bcher-kva.example:8443")
    assert (other.host, other.authority) == ("::1", "[::1]")


def test_a_path_in_the_url_comes_before_every_path(opened: Open, run: Run) -> None:
    with scripted(script=on_a_dict()) as server:
        run(opened(f"{server.url}/base/"), GET)
        assert [got.target for got in server.got] == ["/base/v1/ops"]


def test_a_memory_is_opened_by_its_url(run: Run) -> None:
    with scripted(script=on_a_dict()) as server:
        with Memory("space", server.url, 15) as memory:
            assert memory.set("k", [1]) == 1
        with Memory("space", base_url=server.url, token="bw_1") as memory:
            assert memory.get("k") == [1]
        assert [got.headers.get("authorization") for got in server.got] == [None, "Bearer bw_1"]
        assert connect(server.url, token="bw_1") is not connect(server.url, token="bw_2")
        assert botwire.HttpStore is HttpStore


# --- connections --------------------------------------------------------------------------------------


def test_one_connection_serves_one_thread_after_another(opened: Open) -> None:
    with scripted(script=on_a_dict()) as server:
        store = opened(server.url)
        for _ in range(5):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(store.run, COUNT).result()
        assert server.connections == 1
        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(store.run, [COUNT] * 80)) == list(range(6, 86))
        assert server.connections <= 9
        store.close()
        assert store.run(COUNT) == 86


def test_each_event_loop_has_connections_of_its_own_and_those_of_a_closed_one_are_closed(opened: Open) -> None:
    with scripted(script=on_a_dict()) as server:
        store = opened(server.url)

        async def five() -> list[int]:
            return [await store.arun(COUNT) for _ in range(5)]

        for turn in range(3):
            assert asyncio.run(five()) == list(range(turn * 5 + 1, turn * 5 + 6))
            assert server.connections == turn + 1
        assert len(store._started()._transport._loops) == 1


async def test_a_loop_has_at_most_a_hundred_connections_at_once(opened: Open) -> None:
    with scripted(script=on_a_dict()) as server:
        store = opened(server.url)
        numbers = await asyncio.gather(*(store.arun(COUNT) for _ in range(300)))
        assert sorted(numbers) == list(range(1, 301))
        assert server.connections <= 100


def test_a_forked_child_has_connections_of_its_own(opened: Open) -> None:
    with scripted(script=on_a_dict()) as server:
        code = f"""
import asyncio, os, warnings
warnings.simplefilter("error")
from botwire_core.memory import Memory
memory = Memory("space", "{server.url}")
async def both(): return memory.increment("n"), await memory.aincrement("n")
print(asyncio.run(both()), flush=True)
child = os.fork()
print(asyncio.run(both()), flush=True)
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(asyncio.run(both()))
memory.close()
"""
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
        assert told.returncode == 0, told.stderr
        assert told.stderr == ""
        # Both write to one pipe, so the end of a line may come after what the other one says.
        counted = [int(number) for number in re.findall(r"\d+", told.stdout)]
        assert sorted(counted) == list(range(1, 9))
        # The one of the parent went on, and the child has made two more.
        assert len({got.connection for got in server.got}) <= 2 + 2 + 2
        by_connection = [got.connection for got in server.got]
        assert by_connection[0] == by_connection[-2] or by_connection.count(by_connection[0]) >= 2


def test_nothing_blocks_an_event_loop(opened: Open) -> None:
    with scripted(script=on_a_dict()) as server:
        memory = Memory("space", store=opened(server.url))
        memory.set("k", 1)  # what HTTP takes is loaded by the first op

        async def everything() -> list[Any]:
            with blockbuster_ctx():
                counted = await asyncio.gather(*(memory.aincrement("n") for _ in range(20)))
                told = [change.key async for change in memory.awatch(since=0, timeout=0)]
                with pytest.raises(BlockingError):
                    memory.get("k")
                return [sorted(counted), await memory.aget("k"), len(told)]

        assert asyncio.run(everything()) == [list(range(1, 21)), 1, 21]


# --- cancellation -----------------------------------------------------------------------------------------


async def test_a_cancelled_read_leaves_its_answer_to_nobody(opened: Open) -> None:
    def script(got: Got) -> Step:
        in_body = got.body.partition(b'"key":"')[2].partition(b'"')[0].decode()
        key = in_body or got.target.rpartition("/")[2]
        return result({"value": key}) if key != "slow" else Silence()

    with scripted(script=script) as server:
        store = opened(server.url)
        for turn in range(100):
            reading = asyncio.ensure_future(store.arun(Get("space", "slow" if turn % 3 == 0 else f"cancelled {turn}")))
            for _ in range(turn % 7):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            assert reading.cancelled() or turn % 3
            assert await store.arun(Get("space", f"k{turn}")) == f"k{turn}"


async def test_a_cancelled_write_waits_for_its_outcome_and_no_longer_than_the_deadline(opened: Open) -> None:
    with scripted(Silence()) as server:
        store = opened(server.url, timeout=0.3)
        writing = asyncio.ensure_future(store.arun(Set("space", "k", encode(1))))
        assert await asyncio.to_thread(server.arrived.wait, 5)
        writing.cancel()
        await asyncio.wait([writing], timeout=0.05)
        assert not writing.done()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(writing, 5)


def test_an_interrupted_call_leaves_its_answer_to_nobody(opened: Open) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        with scripted(Silence(), result({"value": "second"})) as server:
            store = opened(server.url)
            main = threading.get_ident()
            waiter = threading.Thread(
                target=lambda: server.arrived.wait(10) and signal.pthread_kill(main, signal.SIGALRM)
            )
            waiter.start()
            with pytest.raises(KeyboardInterrupt):
                store.run(GET)
            waiter.join()
            assert store.run(GET) == "second"
            assert server.connections == 2
    finally:
        signal.signal(signal.SIGALRM, before)


# --- what is large --------------------------------------------------------------------------------------------


def test_an_answer_without_end_is_read_no_further_than_the_limit(
    opened: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "MAX_ANSWER_BYTES", 1_000_000)
    with scripted(reply(b" " * 2_000_000)) as server:
        with pytest.raises(TooLargeError, match="limit="):
            run(opened(server.url), GET)
        with pytest.raises(CommitUnknownError):
            run(opened(server.url), COUNT)


# --- your own client --------------------------------------------------------------------------------------------


@pytest.fixture
def clients() -> Iterator[tuple[httpx.Client, httpx.AsyncClient]]:
    with httpx.Client(headers={"X-Mine": "yes"}, follow_redirects=True) as client:
        yield client, httpx.AsyncClient(headers={"X-Mine": "yes"}, follow_redirects=True)


def test_your_own_client_sends_every_request(opened: Open, clients: Any) -> None:
    with scripted(script=on_a_dict()) as server:
        store = opened(server.url, http_client=clients[0], token="bw_mine")
        assert [store.run(COUNT), store.run(COUNT)] == [1, 2]
        told = {(got.headers["x-mine"], got.headers["authorization"]) for got in server.got}
        assert told == {("yes", "Bearer bw_mine")}
        assert server.connections == 1
        with pytest.raises(UnsupportedError, match="cannot be awaited"):
            asyncio.run(store.arun(COUNT))
        store.close()
        assert store.run(COUNT) == 3
    with pytest.raises(StoreUnavailableError):
        store.run(GET)
    with pytest.raises(CommitUnknownError), scripted(Cut()) as server:
        opened(server.url, http_client=clients[0]).run(COUNT)


def test_your_own_async_client_and_a_pair_of_both(opened: Open, clients: Any) -> None:
    async def main(store: HttpStore) -> Any:
        return await store.arun(COUNT), await store.arun(COUNT)

    async def alone() -> None:
        async with httpx.AsyncClient() as client:
            store = opened(server.url, http_client=client)
            assert await main(store) == (1, 2)
            with pytest.raises(UnsupportedError, match="only await"):
                store.run(COUNT)

    async def together() -> None:
        async with httpx.AsyncClient() as client:
            store = opened(server.url, http_client=(clients[0], client))
            assert (await main(store), store.run(COUNT)) == ((3, 4), 5)

    with scripted(script=on_a_dict()) as server:
        asyncio.run(alone())
        asyncio.run(together())
    for wrong in ("client", (clients[0], clients[0]), (), object()):
        with pytest.raises(TypeError, match="http_client"):
            opened("http://127.0.0.1:1", http_client=wrong).run(GET)


def test_a_redirect_is_not_followed_by_your_own_client_either(opened: Open, clients: Any) -> None:
    with scripted(result(1)) as other, scripted(reply(b"", 307, headers={"location": other.url})) as server:
        with pytest.raises(StoreUnavailableError, match="redirect"):
            opened(server.url, http_client=clients[0], token="bw_secret").run(COUNT)
        assert other.got == []


def test_a_proxy_of_the_environment_is_used_as_httpx_does(
    opened: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted(script=on_a_dict()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        store = opened("http://memory.example.com/base")
        assert run(store, COUNT) == 1
        assert [got.target for got in proxy.got] == ["http://memory.example.com/base/v1/ops"]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with scripted(script=on_a_dict()) as server:
            assert run(opened(server.url), COUNT) == 1
            assert run(opened(server.url, trust_env=False), COUNT) == 2
        assert len(proxy.got) == 1


# --- encryption ---------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed, with its key."""
    path = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", path, "-out", tmp_path / "c.pem"], check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "c.pem").read_text())
    return path


def test_a_certificate_is_verified_and_one_of_the_environment_is_trusted(
    opened: Open, run: Run, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with scripted(script=on_a_dict(), context=context) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(StoreUnavailableError, match="certificate is not trusted"):
            run(opened(url), GET)
        assert server.got == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        store = opened(url, token="bw_secret")
        big = "x" * 300_000
        assert run(store, Set("space", "k", encode(big))) == 1
        assert run(store, GET) == big
        assert server.connections == 1


def test_a_server_that_speaks_no_tls_is_not_reached(opened: Open, run: Run) -> None:
    with scripted(script=on_a_dict()) as server, pytest.raises(StoreUnavailableError):
        run(opened(server.url.replace("http:", "https:"), timeout=1), GET)


def test_a_name_that_nobody_has_is_said_to_be_none(opened: Open, run: Run) -> None:
    with pytest.raises(StoreUnavailableError, match="nothing was done"):
        run(opened("http://nobody.invalid", timeout=5), GET)


def test_a_server_that_is_full_takes_no_longer_than_the_deadline(opened: Open, run: Run) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        host, port = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((host, port))
        with pytest.raises(StoreUnavailableError):
            run(opened(f"http://{host}:{port}", timeout=0.5), COUNT)
        for one in waiting:
            one.close()


# --- the quick route of a get -------------------------------------------------------------------------------------


def test_a_plain_get_is_a_get_once_the_server_is_known(opened: Open, run: Run) -> None:
    keys = ["plain", "a:b@c~d.e-f_9", "a/b", ".", "..", ".hidden", "100%", "ü", "a b", "a+b", "a?b", "a#b", "x" * 300]
    with scripted(script=on_a_dict()) as server:
        store = opened(server.url)
        for key in keys:
            assert run(store, Get("space", key)) is MISSING
            run(store, Set("space", key, encode(key)))
            assert run(store, Get("space", key)) == key
        quick = {got.target for got in server.got if got.method == "GET"}
        assert quick == {"/memory/space/plain", "/memory/space/a:b@c~d.e-f_9"}
        with pytest.raises(InvalidNamespaceError):
            run(store, Get("a/b", "k"))


def test_what_a_get_finds_is_what_was_set(opened: Open, run: Run) -> None:
    with served(DictStore(), ServerConfig(log_requests=False)) as url:
        store = opened(url)
        for value in (None, 10**30, -0.0, "ü\x00", b"\x00\xff", [{"value": 1, "encoding": "base64"}], {}):
            run(store, Set("space", "k", encode(value)))
            found = run(store, Get("space", "k"))
            assert (repr(found), type(found)) == (repr(value), type(value))
        assert run(store, Get("space", "absent")) is MISSING
