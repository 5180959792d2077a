"""What the client does when a server is away, busy, slow or strange: rows P12 to P21 of its reliability table."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable
from itertools import count

import pytest
from client.conftest import Open, Run
from client.scripted import Cut, Drip, Got, Silence, Step, in_turn, on_a_dict, problem, reply, result, scripted

from botwire_core.codec import encode
from botwire_core.errors import (
    BotWireError,
    CommitUnknownError,
    ConflictError,
    ForbiddenError,
    IdempotencyError,
    QuotaExceededError,
    StoreBusyError,
    StoreUnavailableError,
    UnauthorizedError,
)
from botwire_core.protocol import Get, Increment, Set
from botwire_core.stores.http import HttpStore

GET = Get("space", "k")
SET = Set("space", "k", encode(1))
FOUND = result({"value": 1})
WRITTEN = result(1)
REFUSED = "http://127.0.0.1:1"  # nothing listens there


def test_p12_a_reply_that_is_lost_is_asked_for_again_by_the_same_key(opened: Open, run: Run) -> None:
    with scripted(Cut(), WRITTEN) as server:
        assert run(opened(server.url), SET) == 1
        first, second = server.got
    assert first.key == second.key
    assert first.key is not None
    assert len(first.key) == 32
    assert first.body == second.body


def test_p12_each_write_has_a_key_of_its_own_and_a_read_has_none(opened: Open, run: Run) -> None:
    with scripted(script=on_a_dict()) as server:
        store = opened(server.url)
        for op in (SET, SET, GET):
            run(store, op)
        assert [got.key is None for got in server.got] == [False, False, True]
        assert server.got[0].key != server.got[1].key


def test_p13_a_key_that_was_used_for_something_else_is_an_error_of_its_own(opened: Open, run: Run) -> None:
    with scripted(problem(422, "idempotency_conflict")) as server:
        with pytest.raises(IdempotencyError):
            run(opened(server.url), SET)
        assert len(server.got) == 1


def test_p14_a_request_that_still_runs_is_waited_for_beyond_three_attempts(
    opened: Open, run: Run, waits: list[float]
) -> None:
    running = problem(409, "request_running", {"retry-after": "1"})
    with scripted(Cut(), *[running] * 5, WRITTEN) as server:
        assert run(opened(server.url), SET) == 1
        assert len(server.got) == 7
        assert len({got.key for got in server.got}) == 1
    assert waits[1:] == [pytest.approx(1.1)] * 5


@pytest.mark.parametrize("status", [502, 503, 504])
def test_p18_a_gateway_that_answers_in_json_does_not_know_what_was_done(opened: Open, run: Run, status: int) -> None:
    with scripted(reply({"message": "Service Unavailable"}, status)) as server:
        with pytest.raises(CommitUnknownError):
            run(opened(server.url), SET)
        assert len(server.got) == 3
        with pytest.raises(StoreUnavailableError):
            run(opened(server.url), GET)


@pytest.mark.parametrize(("status", "quota"), [(429, "forks"), (507, "bytes")])
def test_p16_a_quota_that_time_does_not_fill_is_not_asked_for_again(
    opened: Open, run: Run, waits: list[float], status: int, quota: str
) -> None:
    with scripted(problem(status, "quota_exceeded", quota=quota, retry_after=0.0)) as server:
        with pytest.raises(QuotaExceededError) as caught:
            run(opened(server.url), SET)
        assert (caught.value.quota, caught.value.retry_after) == (quota, 0)
        assert (len(server.got), waits) == (1, [])


def test_p16_writes_that_are_there_again_within_the_deadline_are_waited_for(
    opened: Open, run: Run, waits: list[float]
) -> None:
    over = problem(429, "quota_exceeded", {"retry-after": "2"}, quota="writes", retry_after=1.5)
    with scripted(over, WRITTEN) as server:
        assert run(opened(server.url), SET) == 1
        assert len(server.got) == 2
    assert waits == [pytest.approx(2.1)]


@pytest.mark.parametrize("step", [problem(503, "store_unavailable"), problem(429, "overloaded"), Cut()])
def test_p16_what_may_pass_is_tried_three_times_with_full_jitter(
    opened: Open, run: Run, waits: list[float], step: Step
) -> None:
    with scripted(step) as server:
        with pytest.raises(BotWireError):
            run(opened(server.url), GET)
        assert len(server.got) == 3
    assert waits == [pytest.approx(0.2), pytest.approx(0.4)]
    with scripted(step, step, FOUND) as server:
        assert run(opened(server.url, dice=lambda: 0.5), GET) == 1
    assert waits[2:] == [pytest.approx(0.1), pytest.approx(0.2)]


def test_p16_what_the_server_says_about_when_to_come_back_is_heeded(opened: Open, run: Run, waits: list[float]) -> None:
    with scripted(problem(503, "store_busy", {"retry-after": "3"}), FOUND) as server:
        assert run(opened(server.url), GET) == 1
    assert waits == [pytest.approx(3.1)]


def test_p16_who_is_told_to_come_back_after_the_deadline_is_told_at_once(
    opened: Open, run: Run, waits: list[float]
) -> None:
    quota = problem(429, "quota_exceeded", {"retry-after": "3600"}, retry_after=3600.0)
    with scripted(quota) as server:
        with pytest.raises(QuotaExceededError) as caught:
            run(opened(server.url), SET)
        assert len(server.got) == 1
    assert caught.value.retry_after == 3600
    assert waits == []


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "unauthorized", UnauthorizedError),
        (403, "forbidden", ForbiddenError),
        (412, "conflict", ConflictError),
        (500, "error", BotWireError),
    ],
)
def test_p16_what_will_not_pass_is_tried_once(
    opened: Open, run: Run, status: int, code: str, error: type[BotWireError]
) -> None:
    with scripted(problem(status, code)) as server:
        with pytest.raises(error) as caught:
            run(opened(server.url), SET)
        assert len(server.got) == 1
    assert f"it says {code}" in str(caught.value)


def test_p16_busy_three_times_is_busy_and_nothing_was_done(opened: Open, run: Run) -> None:
    with scripted(problem(503, "store_busy")) as server, pytest.raises(StoreBusyError):
        run(opened(server.url), SET)


def test_p16_an_attempt_that_may_have_been_done_is_not_forgotten(opened: Open, run: Run) -> None:
    for last in (problem(503, "store_busy"), problem(401, "unauthorized"), Cut()):
        with scripted(Cut(), last) as server, pytest.raises(CommitUnknownError):
            run(opened(server.url), SET)
    with scripted(Cut(), problem(412, "conflict")) as server, pytest.raises(ConflictError):
        run(opened(server.url), SET)  # the server knows the key: had the first been done, it would have said so


def test_p16_three_outcomes_are_told_apart(opened: Open, run: Run) -> None:
    with pytest.raises(StoreUnavailableError, match="nothing was done"):
        run(opened(REFUSED), SET)
    with scripted(Cut()) as server, pytest.raises(CommitUnknownError, match="may or may not"):
        run(opened(server.url), SET)
    with scripted(Cut()) as server, pytest.raises(StoreUnavailableError, match="nothing was changed"):
        run(opened(server.url), GET)


def test_p17_many_clients_of_a_dead_server_make_no_storm(opened: Open, run: Run) -> None:
    with scripted(Cut()) as server:
        store = opened(server.url)
        calls = 300
        for _ in range(calls):
            with pytest.raises(StoreUnavailableError):
                run(store, GET)
        assert calls * 1.05 < len(server.got) <= calls * 1.1 + 10


def test_p17_a_hundred_threads_share_what_may_be_repeated(opened: Open, scale: Callable[[int], int]) -> None:
    calls = scale(100)
    with scripted(Cut()) as server:
        store = opened(server.url)

        def work() -> None:
            for _ in range(calls):
                with pytest.raises(StoreUnavailableError):
                    store.run(GET)

        threads = [threading.Thread(target=work) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.got) <= 100 * calls * 1.1 + 10


@pytest.mark.parametrize("step", [Silence(), Drip(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 10_000), Drip(FOUND[:-5] * 50)])
def test_p17_no_call_takes_longer_than_its_deadline(opened: Open, run: Run, step: Step) -> None:
    with scripted(step) as server:
        store = opened(server.url, timeout=0.3)
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="within the time"):
            run(store, GET)
        with pytest.raises(CommitUnknownError, match="within the time"):
            run(store, SET)
        assert 0.6 <= time.monotonic() - started < 2


def test_p17_the_deadline_counts_the_waits_between_attempts(opened: Open, waits: list[float]) -> None:
    ticks = count(0, 0.04)
    with scripted(Cut()) as server:
        store = opened(server.url, timeout=0.25, clock=lambda: next(ticks))
        with pytest.raises(StoreUnavailableError):
            store.run(GET)
        assert len(server.got) < 3
    assert sum(waits) <= 0.25


STRANGE: dict[str, Step] = {
    "half a head": Cut(b"HTTP/1.1 200 OK\r\ncontent-ty"),
    "half a body": Cut(FOUND[:-3]),
    "half a chunk": Cut(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{"),
    "no HTTP": Cut(b"220 mail.example.com ESMTP\r\n"),
    "bad gzip": reply(b"\x1f\x8b\x08\x00rubbish", headers={"content-encoding": "gzip"}),
    "gzip that nobody asked for": reply(gzip.compress(b"{}"), headers={"content-encoding": "gzip"}),
    "the page of a proxy": reply(b"<html>Bad gateway</html>", 502, "text/html"),
    "a page in place of the answer": reply(b"<html>Log in first</html>", 200, "text/html"),
    "JSON that is cut off": reply(b'{"results": [{"resu', 200),
    "nothing": reply(b"", 200),
    "NaN": reply(b'{"results":[{"result":NaN}]}'),
    "another JSON": reply({"answer": 42}),
    "no result": reply({"results": []}),
    "a result of another op": result({"colour": "blue"}),
    "a list": reply([]),
    "a deep list": reply(b"[" * 100_000),
    "an error of a proxy": reply(b"too many", 503, "text/plain"),
    "a header of a megabyte": Cut(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 2**20),
}


@pytest.mark.parametrize("name", STRANGE)
def test_p18_an_answer_that_is_none_is_an_outage_and_no_traceback_of_json(opened: Open, run: Run, name: str) -> None:
    with scripted(STRANGE[name]) as server:
        store = opened(server.url)
        with pytest.raises(StoreUnavailableError) as unavailable:
            run(store, GET)
        with pytest.raises(CommitUnknownError) as unknown:
            run(store, SET)
    for caught in (unavailable, unknown):
        assert "html" not in str(caught.value).replace("text/html", "")
        assert "Traceback" not in str(caught.value)


def test_p18_what_is_no_botwire_server_is_said_to_be_none(opened: Open, run: Run) -> None:
    page = reply(b"<html>Not found</html>", 404, "text/html")
    with scripted(page) as server, pytest.raises(StoreUnavailableError, match="no BotWire server"):
        run(opened(server.url), SET)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_p19_a_redirect_is_not_followed_and_the_token_goes_nowhere(opened: Open, run: Run, status: int) -> None:
    with scripted(FOUND) as other:
        with scripted(reply(b"", status, headers={"location": f"{other.url}/v1/ops"})) as server:
            store = opened(server.url, token="bw_secret")
            for op in (GET, SET):
                with pytest.raises(StoreUnavailableError, match=f"{status}, a redirect") as caught:
                    run(store, op)
                assert "bw_secret" not in str(caught.value)
            assert len(server.got) == 2
        assert other.got == []


def test_p20_a_server_that_lost_its_database_heals_without_anything_made_new(opened: Open, run: Run) -> None:
    away = problem(503, "store_unavailable", {"retry-after": "1"})
    with scripted(*[away] * 6, FOUND) as server:
        store = opened(server.url)
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                run(store, GET)
        assert run(store, GET) == 1
        assert server.connections == 1


def test_p21_a_connection_that_was_closed_while_it_was_idle_is_not_used_again(
    opened: Open, run: Run, waits: list[float]
) -> None:
    with scripted(Cut(WRITTEN), Cut(WRITTEN)) as server:
        store = opened(server.url)
        assert run(store, SET) == 1
        assert run(store, SET) == 1
        assert server.connections == 2
        assert len(server.got) == 2
    assert waits == []


def test_p21_a_connection_that_is_closed_at_the_next_request_is_tried_once_more(opened: Open, run: Run) -> None:
    with scripted(WRITTEN, Cut(), WRITTEN) as server:
        store = opened(server.url)
        assert [run(store, SET), run(store, SET)] == [1, 1]
        assert server.got[1].key == server.got[2].key
        assert server.connections == 2


def test_several_servers_are_one_where_the_first_is_away(opened: Open, run: Run, waits: list[float]) -> None:
    with scripted(script=on_a_dict()) as server:
        store = opened(f"{REFUSED},{server.url}")
        assert [run(store, Increment("space", "n")) for _ in range(3)] == [1, 2, 3]
        assert server.connections == 1
    assert waits == []  # nobody waits to ask a server that was not asked yet
    with pytest.raises(StoreUnavailableError):
        run(store, GET)


def test_a_server_that_comes_back_is_not_looked_for_while_the_other_works(opened: Open, run: Run) -> None:
    def dies(got: Got) -> Step:
        return FOUND if len(first.got) < 3 else Cut()

    with scripted(script=dies) as first, scripted(script=in_turn(FOUND)) as second:
        store = opened([first.url, second.url])
        for _ in range(6):
            assert run(store, GET) == 1
        assert (len(first.got), len(second.got)) == (3, 4)


@pytest.mark.parametrize(
    "answer",
    [
        problem(503, "store_unavailable", {"Retry-After": "1"}),
        problem(503, "overloaded", {"Retry-After": "1"}),
        problem(503, "commit_unknown", {"Retry-After": "1"}, commit_unknown=True),
        reply(b"<html>bad gateway</html>", 502, "text/html"),
        reply({"message": "no upstream"}, 503),
    ],
    ids=["unavailable", "overloaded", "unknown", "gateway", "gateway in JSON"],
)
def test_a_server_that_cannot_do_it_now_is_left_for_one_that_can(
    opened: Open, run: Run, waits: list[float], answer: bytes
) -> None:
    with scripted(answer) as first, scripted(WRITTEN) as second:
        store = opened([first.url, second.url])
        assert [run(store, SET), run(store, SET)] == [1, 1]
        assert (len(first.got), len(second.got)) == (1, 2)
        assert first.got[0].key == second.got[0].key
    assert waits == []


def test_servers_that_all_cannot_do_it_now_are_asked_once_each_before_anybody_waits(
    opened: Open, run: Run, waits: list[float]
) -> None:
    busy = problem(503, "overloaded", {"Retry-After": "1"})
    with scripted(busy, WRITTEN) as first, scripted(busy) as second:
        assert run(opened([first.url, second.url]), SET) == 1
        assert (len(first.got), len(second.got)) == (2, 1)
    assert len(waits) == 1
    assert waits[0] >= 1


def test_a_repr_tells_where_it_is_and_no_secret() -> None:
    store = HttpStore("https://user:s3cret@memory.example.com/base,https://other.example.com:444")
    assert repr(store) == "HttpStore('https://memory.example.com/base', 'https://other.example.com:444')"
    assert "s3cret" not in repr(vars(store))
    assert "bw_s3cret" not in repr(vars(HttpStore("https://memory.example.com", token="bw_s3cret")))
