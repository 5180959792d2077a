"""The scope goes with a request, over a real connection, and is read only where a service says so."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("opentelemetry.baggage", reason="needs opentelemetry-api, which the extra dev installs")

from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator

from botwire import Memory, Scope, ScopeError, current_scope, scope, scope_policy
from botwire.scopes import MemoryReport, arm, disarm, scoped_namespaces
from botwire_core.errors import BotWireError
from botwire_core.scopes.current import armed
from botwire_core.stores.dict import DictStore
from botwire_opentelemetry import arm as arm_baggage
from botwire_opentelemetry import disarm as disarm_baggage
from botwire_opentelemetry import outgoing


@pytest.fixture
def memory() -> Memory:
    memory = Memory("support", store=DictStore())
    memory.set("tone", "formal")
    return memory


@pytest.fixture
def reads_baggage() -> Iterator[None]:
    arm_baggage()
    yield
    disarm_baggage()


@pytest.fixture
def came_with() -> Iterator[Callable[..., None]]:
    """Let this test run as if a request had brought a baggage."""
    tokens = []

    def attach(**members: str) -> None:
        there = context.Context()
        for name, value in members.items():
            there = baggage.set_baggage(f"botwire.{name}", value, there)
        tokens.append(context.attach(there))

    yield attach
    for token in reversed(tokens):
        context.detach(token)


@pytest.fixture
def service(memory: Memory) -> Iterator[str]:
    """Another service: it takes the baggage of each request for its context, and remembers what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = W3CBaggagePropagator().extract({"baggage": self.headers.get("baggage", "")}, context.Context())
            token = context.attach(there)
            try:
                with scope_policy(isolation="datapoint"):
                    memory.append("asked", self.path)
                    memory.increment("answers")
                status, text = 200, str(memory.namespace)
            except BotWireError as error:
                status, text = 500, str(error)
            finally:
                context.detach(token)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(url: str) -> int:
    headers: dict[str, str] = {}
    W3CBaggagePropagator().inject(headers)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.usefixtures("reads_baggage")
def test_two_variants_that_ask_a_service_leave_no_key_to_each_other(
    service: str, memory: Memory, workers: int, scale: Callable[[int], int]
) -> None:
    before = {entry.key: (entry.value, entry.revision) for entry in memory.entries()}
    points = [f"d{number}" for number in range(scale(50))]

    def one(variant: str, point: str) -> None:
        with scope(variant=variant, run_id=f"run of {variant}", datapoint_id=point, experiment="tone"), outgoing():
            assert ask(f"{service}/{variant}/{point}") == 200

    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(one, variant, point) for variant in ("v1", "v2") for point in points]
        for job in jobs:
            job.result()
    spaces = scoped_namespaces(memory.store, "support")
    assert len(spaces) == 2 * len(points)
    assert len({(one.seed, one.seed_revision, one.pin) for one in spaces}) == 1
    for one_space in spaces:
        ids = one_space.scope
        with scope(off=True):
            fork = Memory(one_space.name, store=memory.store)
            assert fork.read("asked") == [f"/{ids.variant}/{ids.datapoint_id}"]
            assert fork.get("answers") == 1
            assert fork.get("tone") == "formal"
    assert {entry.key: (entry.value, entry.revision) for entry in memory.entries()} == before
    assert MemoryReport.of(memory.store, "support").contamination() == []


@pytest.mark.usefixtures("reads_baggage")
def test_all_ids_arrive_whatever_they_hold(came_with: Callable[..., None]) -> None:
    sent = Scope("answer/3 ü,;=%", "r 1", "d\u2003x", trial=2, experiment="e")
    carrier: dict[str, str] = {}
    with outgoing(sent):
        W3CBaggagePropagator().inject(carrier)
    assert list(carrier) == ["baggage"]
    token = context.attach(W3CBaggagePropagator().extract(carrier, context.Context()))
    try:
        arrived = current_scope()
    finally:
        context.detach(token)
    assert arrived == Scope("answer/3 ü,;=%", "r 1", "d\u2003x", trial=2, experiment="e", source="opentelemetry")


def test_without_arm_the_baggage_of_a_request_changes_nothing(memory: Memory, came_with: Callable[..., None]) -> None:
    came_with(variant="v", run="r")
    assert current_scope() is None
    memory.set("tone", "brief")
    assert scoped_namespaces(memory.store) == []


def test_asking_all_plugins_does_not_read_the_baggage(memory: Memory, came_with: Callable[..., None]) -> None:
    came_with(variant="v", run="r")
    before = list(armed.providers)
    arm()
    try:
        assert current_scope() is None
    finally:
        for provider in [one for one in armed.providers if one not in before]:
            disarm(provider)


@pytest.mark.usefixtures("reads_baggage")
def test_a_block_and_every_other_provider_come_before_the_baggage(came_with: Callable[..., None]) -> None:
    came_with(variant="baggage", run="r")

    def later() -> Scope | None:
        return Scope("provider", "r")

    assert (place := current_scope()) is not None
    assert place.variant == "baggage"
    arm(later)
    try:
        assert current_scope() == Scope("provider", "r")
        with scope(variant="block"):
            assert current_scope() == Scope("block", "r")
        with scope(off=True):
            assert current_scope() is None
    finally:
        disarm(later)
    assert current_scope() is place  # the same object: it is what a memory finds its fork by


@pytest.mark.usefixtures("reads_baggage")
def test_what_is_known_isolates_and_never_the_base(memory: Memory, came_with: Callable[..., None]) -> None:
    came_with(run="r")  # no variant
    memory.set("tone", "of the run")
    assert [one.name for one in scoped_namespaces(memory.store)] == ["support@~r"]
    for members in ({"variant": "v"}, {"datapoint": "d"}, {"experiment": "e"}):  # no run
        came_with(**members)
        with pytest.raises(ScopeError, match="the run is not known"):
            memory.set("tone", "of nobody")
    for trial in ("-1", "1.5", "", "٣", "9" * 5000):
        came_with(variant="v", run="r", trial=trial)
        with pytest.raises(ScopeError, match="is not a number"):
            memory.set("tone", "of nobody")
    for member in ("variant", "run", "datapoint"):
        came_with(**{"variant": "v", "run": "r", member: ""})
        with pytest.raises(ScopeError, match="is not a name"):
            memory.set("tone", "of nobody")
    with scope(off=True):
        assert memory.get("tone") == "formal"


@pytest.mark.usefixtures("reads_baggage")
def test_baggage_of_others_is_no_scope(memory: Memory) -> None:
    token = context.attach(baggage.set_baggage("tenant", "7"))
    try:
        assert current_scope() is None
    finally:
        context.detach(token)


@pytest.mark.parametrize("part", ["x" * 5000, " blanks at the ends ", "\t"])
def test_an_id_that_would_not_arrive_is_refused_where_it_is_sent(part: str) -> None:
    with pytest.raises(ScopeError, match=r"botwire\.run would not arrive"), outgoing(Scope("v", part)):
        pass


def test_ids_that_fit_alone_but_not_together_are_refused() -> None:
    with pytest.raises(ScopeError, match="would not arrive"), outgoing(Scope("v" * 3500, "r" * 3500, "d" * 3500)):
        pass


@pytest.mark.usefixtures("reads_baggage")
def test_outside_of_a_scope_the_baggage_goes_on_without_ours(came_with: Callable[..., None]) -> None:
    came_with(variant="v", run="r")
    token = context.attach(baggage.set_baggage("tenant", "7"))
    try:
        with outgoing():  # the scope that came in is the current one, and goes on
            assert baggage.get_baggage("botwire.run") == "r"
        with scope(off=True), outgoing():
            assert dict(baggage.get_all()) == {"tenant": "7"}
        assert baggage.get_baggage("botwire.run") == "r"
    finally:
        context.detach(token)


@pytest.mark.usefixtures("reads_baggage")
def test_the_scope_of_a_request_goes_where_the_context_goes(came_with: Callable[..., None]) -> None:
    came_with(variant="v", run="r")
    with ThreadPoolExecutor(1) as pool:
        carried = pool.submit(contextvars.copy_context().run, current_scope).result()
    assert carried is not None
    assert carried.run_id == "r"


def test_arming_twice_asks_once() -> None:
    arm_baggage()
    arm_baggage()
    try:
        assert len([one for one in armed.providers if one.__module__.startswith("botwire_opentelemetry")]) == 1
    finally:
        disarm_baggage()
    assert not [one for one in armed.providers if one.__module__.startswith("botwire_opentelemetry")]


def test_the_provider_loads_nothing() -> None:
    code = (
        "import sys; from botwire_opentelemetry import receiving; before = set(sys.modules);"
        "assert receiving.current_scope() is None; assert set(sys.modules) == before;"
        "print(any(name.split('.')[0] == 'opentelemetry' for name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
