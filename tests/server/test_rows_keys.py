"""Rows K1 to K12 of what a memory must survive: keys and namespaces, embedded and over HTTP alike, and by hand."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Event, Thread
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server.raw import Answer, exchange, request

from botwire_core.errors import InvalidKeyError, InvalidNamespaceError, InvalidValueError
from botwire_core.memory import Memory
from botwire_core.stores.http.store import HttpStore
from botwire_core.stores.sqlite import SqliteStore

LOOK_ALIKES = ["é", unicodedata.normalize("NFD", "é"), "ﬁ", "fi", "A", "a", "\u212a", "K", "k", "ß", "ss", "İ", "i"]
WEB = [
    *(
        "/",
        "//",
        "a/b",
        "a//b",
        "/a",
        "a/",
        "%2F",
        "%252F",
        "%",
        "%%",
        "%zz",
        "?",
        "a?b=c",
        "#",
        "a#b",
        "+",
        "a+b",
        " ",
    ),
    *(
        "a b",
        " a",
        "a ",
        "\n",
        "a\nb",
        "\r\n",
        "\t",
        "\x01",
        "\x7f",
        "🌍",
        "é/ü",
        ":",
        "user:1",
        "@",
        "&",
        "=",
        ";",
        ",",
    ),
    *('"', "'", "\\", "<b>", "{}", "[]", "|", "^", "`", "~", "$", "*", "\u2028", "\ufeff", "\ufffd", "\U0010ffff"),
]
DOTS = [".", "..", "...", "../../etc/passwd", "./a", "a/../b", "a/./b", "..%2F..", "%2e%2e", "/..", "../", "a/.."]
STATEMENTS = [
    "'; DROP TABLE versions; --",
    '" OR 1=1 --',
    '"no_such_col"',
    "'",
    "''",
    ";",
    "/* */",
    "%' OR '1'='1",
    "\\'",
]
KEYS = list(dict.fromkeys([*LOOK_ALIKES, *WEB, *DOTS, *STATEMENTS, "x" * 1024, "é" * 512]))


@pytest.fixture(scope="module")
def far(url: str) -> Iterator[HttpStore]:
    with closing(HttpStore(url)) as opened:
        yield opened


@pytest.fixture
def there(far: HttpStore, space: str) -> Memory:
    """The memory as it is over HTTP."""
    return Memory(space, store=far)


@pytest.fixture
def here(store: SqliteStore, space: str) -> Memory:
    """The same memory, embedded."""
    return Memory(space, store=store)


@pytest.fixture(params=["embedded", "http"])
def memory(request: pytest.FixtureRequest, here: Memory, there: Memory) -> Memory:
    return here if request.param == "embedded" else there


def by_hand(url: str, method: str, space: str, key: str, value: object = None) -> Answer:
    """A request to the route of a key, its path percent-encoded whole."""
    body = None if value is None else json.dumps({"value": value}).encode()
    return exchange(url, request(method, f"/memory/{space}/{quote(key, safe='')}", "Connection: close", body=body))


def round_trips(url: str, here: Memory, there: Memory, keys: list[str]) -> None:
    """Each key goes every way, and is no other key."""
    for number, key in enumerate(keys):
        there.set(key, number)
    assert here.get_many(keys) == there.get_many(keys) == {key: number for number, key in enumerate(keys)}
    assert there.list_keys() == here.list_keys() == sorted(keys)
    assert [entry.key for entry in there.entries()] == sorted(keys)
    for number, key in enumerate(keys):
        assert there.get(key) == number
        assert by_hand(url, "GET", here.namespace, key).json["value"] == number
        assert by_hand(url, "PUT", here.namespace, key, f"by hand {number}").status == 200
        assert here.get(key) == f"by hand {number}"
        here.set(key, f"embedded {number}")
        assert there.get(key) == f"embedded {number}"
    for key in keys[::2]:
        assert there.delete(key) is True
    for key in keys[1::2]:
        assert by_hand(url, "DELETE", here.namespace, key).json == {
            "namespace": here.namespace,
            "key": key,
            "deleted": True,
        }
    assert here.list_keys() == []


def test_k1_keys_that_look_alike_are_different_keys(url: str, here: Memory, there: Memory) -> None:
    round_trips(url, here, there, LOOK_ALIKES)


def test_k2_what_means_something_in_a_url_round_trips(url: str, here: Memory, there: Memory) -> None:
    round_trips(url, here, there, WEB)


def test_k2_a_slash_may_be_written_as_it_is(url: str, here: Memory) -> None:
    here.set("a/b//c/", 1)
    answer = exchange(url, request("GET", f"/memory/{here.namespace}/a/b//c/", "Connection: close"))
    assert answer.json["key"] == "a/b//c/"


def test_k2_what_was_decoded_once_is_not_decoded_again(url: str, here: Memory) -> None:
    here.set_many({"%2F": "escaped", "/": "slash"})
    for target, value in (("%252F", "escaped"), ("%2F", "slash"), ("/", "slash")):
        answer = exchange(url, request("GET", f"/memory/{here.namespace}/{target}", "Connection: close"))
        assert answer.json["value"] == value


def test_k3_dots_are_plain_keys_without_effect(url: str, here: Memory, there: Memory) -> None:
    round_trips(url, here, there, DOTS)


@pytest.mark.parametrize("dots", ["..", ".", "%2e%2e", "a/../b", "../../etc/passwd"])
def test_k3_dots_in_a_path_are_no_steps(url: str, here: Memory, dots: str) -> None:
    answer = exchange(url, request("GET", f"/memory/{here.namespace}/{dots}", "Connection: close"))
    assert answer.status == 404
    key = dots.replace("%2e", ".")
    here.set(key, 1)
    answer = exchange(url, request("GET", f"/memory/{here.namespace}/{dots}", "Connection: close"))
    assert answer.json["key"] == key


@pytest.mark.parametrize("key", ["\0", "a\0b", "\ud800", "a\udfffb"], ids=ascii)
def test_k4_nul_and_half_surrogates_are_refused(memory: Memory, key: str) -> None:
    for refused in (memory.get, memory.delete, lambda key: memory.set(key, 1), lambda key: memory.get_many([key])):
        with pytest.raises(InvalidKeyError):
            refused(key)
    assert memory.list_keys() == []


@pytest.mark.parametrize(
    "target", ["%00", "a%00b", "%ff", "%ff%fe", "%c3%28", "%ed%a0%80", "%f8%88%80%80%80", "a%", "a%zz", "%"]
)
def test_k4_a_path_that_is_no_text_is_refused_and_never_becomes_another_key(
    url: str, here: Memory, target: str
) -> None:
    for method, body in (("GET", None), ("PUT", b'{"value": 1}'), ("DELETE", None)):
        answer = exchange(url, request(method, f"/memory/{here.namespace}/{target}", "Connection: close", body=body))
        assert answer.status in (400, 422)
        assert answer.json["code"] == "invalid_key"
    assert here.list_keys() == []


def test_k4_an_op_whose_key_is_half_a_pair_is_refused(url: str, here: Memory) -> None:
    body = b'{"ops": [{"op": "set", "namespace": "x", "key": "\\ud800", "value": 1}]}'
    answer = exchange(url, request("POST", "/v1/ops", "Connection: close", body=body))
    assert answer.status in (400, 422)
    assert Memory("x", store=here.store).list_keys() == []


@pytest.mark.parametrize(
    "key", ["x", "x" * 1024, "é" * 512, "\U0010ffff" * 256], ids=lambda key: f"{len(key)}-{key[0]!a}"
)
def test_k5_a_key_of_1_to_1024_bytes_is_one(url: str, memory: Memory, key: str) -> None:
    memory.set(key, 1)
    assert memory.get(key) == 1
    assert by_hand(url, "GET", memory.namespace, key).json["key"] == key


@pytest.mark.parametrize("key", ["", "x" * 1025, "é" * 512 + "x", "\U0010ffff" * 257], ids=lambda key: str(len(key)))
def test_k5_an_empty_key_and_one_of_1025_bytes_are_none(url: str, memory: Memory, key: str) -> None:
    with pytest.raises(InvalidKeyError):
        memory.set(key, 1)
    answer = by_hand(url, "PUT", memory.namespace, key, 1)
    assert (answer.status, answer.json["code"]) == (422, "invalid_key")
    assert memory.list_keys() == []


NAMES = {
    "con": True, "__proto__": True, "A.b-c_d:e@f~g+h": True, "x" * 243: True, "a..b": True, "0": True, "-": True,
    "x" * 244: False, "": False, ".hidden": False, ".": False, "..": False, "a/b": False, "a b": False, "é": False,
    "a%2Fb": False, "a\n": False, "a\0": False, "*": False, "a?b": False, "a#b": False, ".tokens": False,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_k6_the_names_of_namespaces_have_a_grammar(url: str, store: SqliteStore, far: HttpStore, name: str) -> None:
    target = f"/memory/{quote(name, safe='')}/k"
    put = request("PUT", target, "Connection: close", body=b'{"value": 1}')
    if NAMES[name]:
        assert exchange(url, put).status == 200
        assert Memory(name, store=store).get("k") == Memory(name, store=far).get("k") == 1
        return
    assert exchange(url, put).status in (404, 422)
    for one in (store, far):
        with pytest.raises(InvalidNamespaceError):
            Memory(name, store=one)


def test_k6_the_case_of_a_namespace_counts(far: HttpStore) -> None:
    for name in ("Case", "case", "CASE"):
        Memory(name, store=far).set("k", name)
    assert [Memory(name, store=far).get("k") for name in ("Case", "case", "CASE")] == ["Case", "case", "CASE"]


PREFIXES = ["%", "_", "*", "[", "\\", "?", "a%", "a_", "[a-z]", "'", "\U0010ffff", "a", ""]


def test_k7_a_prefix_is_taken_literally(url: str, here: Memory, there: Memory) -> None:
    keys = sorted({prefix + rest for prefix in PREFIXES for rest in ("", "x", "%", "_", "/y")} - {""})
    here.set_many(dict.fromkeys(keys, 0))
    for prefix in PREFIXES:
        expected = [key for key in keys if key.startswith(prefix)]
        assert here.list_keys(prefix) == there.list_keys(prefix) == expected
        assert [entry.key for entry in there.entries(prefix, reverse=True)] == expected[::-1]
        target = f"/memory/{here.namespace}?prefix={quote(prefix, safe='')}"
        listed = exchange(url, request("GET", target, "Connection: close")).json["keys"]
        assert [one["key"] for one in listed] == expected


@settings(max_examples=25)
@given(
    keys=st.sets(st.text("a%_*[]\\é\U0010ffff", min_size=1, max_size=4), max_size=12),
    prefix=st.text("a%_*[\\é", max_size=2),
)
def test_k7_and_k8_a_listing_is_that_of_a_dictionary_in_byte_order(
    store: SqliteStore, far: HttpStore, keys: set[str], prefix: str
) -> None:
    here, there = (Memory("k7-k8", store=one) for one in (store, far))
    here.clear()
    here.set_many(dict.fromkeys(keys, 0))
    expected = sorted((key for key in keys if key.startswith(prefix)), key=str.encode)
    assert here.list_keys(prefix) == there.list_keys(prefix) == expected


def test_k8_the_order_is_that_of_the_bytes_everywhere(url: str, here: Memory, there: Memory) -> None:
    keys = ["Z", "a", "é", "z", "\uffff", "\U00010000", "\U0010ffff", "A", "a/", "a!", "a\x01"]
    there.set_many(dict.fromkeys(keys, 0))
    expected = sorted(keys, key=str.encode)
    assert here.list_keys() == there.list_keys() == expected
    assert [entry.key for entry in there.entries(after="a")] == expected[expected.index("a") + 1 :]
    listed = exchange(url, request("GET", f"/memory/{here.namespace}", "Connection: close")).json
    assert [one["key"] for one in listed["keys"]] == expected


@pytest.mark.parametrize("limit", ["-1", "1e3", "NaN", "1.5", "", "0x10", "١", "null", "--1"])
def test_k9_a_limit_that_is_no_count_is_refused(url: str, here: Memory, limit: str) -> None:
    here.set("k", 1)
    target = f"/memory/{here.namespace}?limit={quote(limit)}"
    answer = exchange(url, request("GET", target, "Connection: close"))
    assert (answer.status, answer.json["code"]) == (422, "invalid_value")


@pytest.mark.parametrize("limit", [-1, 1.5, "1", True, float("nan")])
def test_k9_so_it_is_where_python_asks(memory: Memory, limit: object) -> None:
    with pytest.raises(InvalidValueError):
        memory.list_keys(limit=limit)  # type: ignore[arg-type]


def test_k9_a_limit_of_nothing_or_of_more_than_there_is_is_fine(memory: Memory) -> None:
    memory.set("k", 1)
    assert memory.list_keys(limit=0) == []
    assert memory.list_keys(limit=10**20) == ["k"]


def test_k9_a_cursor_is_a_key_and_reaches_no_further_than_a_key(url: str, here: Memory, there: Memory) -> None:
    """It is neither signed nor bound: whoever makes one up names a key, and sees what he may see anyway."""
    here.set_many({"b": 1, "d": 2})
    for after, expected in (("a", ["b", "d"]), ("b", ["d"]), ("c", ["d"]), ("zz", []), ("'; --", ["b", "d"])):
        assert there.list_keys(after=after) == expected
        target = f"/memory/{here.namespace}?after={quote(after)}"
        listed = exchange(url, request("GET", target, "Connection: close")).json["keys"]
        assert [one["key"] for one in listed] == expected
    bad = exchange(url, request("GET", f"/memory/{here.namespace}?after=%ff", "Connection: close"))
    assert bad.status == 422


def test_k10_a_listing_among_writers_repeats_nothing_and_skips_no_key_that_stays(
    url: str, memory: Memory, store: SqliteStore
) -> None:
    stays = [f"k{number:03}" for number in range(0, 400, 2)]
    memory.set_many(dict.fromkeys(stays, 0))
    busy = Memory(memory.namespace, store=store)
    stop = Event()

    def disturb() -> None:
        while not stop.is_set():
            for number in range(1, 400, 26):
                busy.set(f"k{number:03}", number)
            for number in range(1, 400, 26):
                busy.delete(f"k{number:03}")

    writer = Thread(target=disturb)
    writer.start()
    try:
        for _ in range(3):
            for listed in (pages(memory), pages_by_hand(url, memory.namespace)):
                assert listed == sorted(set(listed))
                assert set(stays) <= set(listed)
    finally:
        stop.set()
        writer.join()


def pages(memory: Memory) -> list[str]:
    keys: list[str] = []
    while page := memory.list_keys(after=keys[-1] if keys else None, limit=50):
        keys += page
    return keys


def pages_by_hand(url: str, space: str) -> list[str]:
    keys: list[str] = []
    after = ""
    while True:
        answer = exchange(url, request("GET", f"/memory/{space}?limit=50{after}", "Connection: close")).json
        keys += [one["key"] for one in answer["keys"]]
        if answer["next"] is None:
            return keys
        after = f"&after={quote(answer['next'], safe='')}"


def test_k11_statements_are_plain_data(url: str, here: Memory, there: Memory) -> None:
    round_trips(url, here, there, STATEMENTS)
    there.set_many({statement: statement for statement in STATEMENTS})
    assert {entry.key: entry.value for entry in here.entries()} == {statement: statement for statement in STATEMENTS}
    assert [entry.key for entry in there.search(words="DROP")] == ["'; DROP TABLE versions; --"]


def test_k12_a_slash_never_moves_from_the_key_to_the_namespace(url: str, store: SqliteStore, far: HttpStore) -> None:
    here, there = (Memory("k12", store=one) for one in (store, far))
    there.set("b/c", "in k12")
    assert here.get("b/c") == "in k12"
    for target in ("/memory/k12%2Fb/c", "/memory/k12%2fb/c"):
        for method, body in (("GET", None), ("PUT", b'{"value": 1}')):
            answer = exchange(url, request(method, target, "Connection: close", body=body))
            assert (answer.status, answer.json["code"]) == (422, "invalid_namespace")
    with pytest.raises(InvalidNamespaceError):
        Memory("k12/b", store=far)
    assert here.list_keys() == ["b/c"]


def test_every_key_survives_every_op_that_names_keys(here: Memory, there: Memory, scale: Callable[[int], int]) -> None:
    for key in KEYS[:: max(1, 10 // scale(10))]:
        assert there.set_many({key: 1}) == {key: 1}
        assert there.increment(key) == 2
        assert key in there
        entry = there.entry(key)
        assert entry is not None
        assert entry.key == key
        assert there.expire(key, None) is True
        with there.transaction() as tx:
            tx.check(key, 3)
            tx.set(key, "last")
        assert [one.version for one in there.history(key)] == [4, 3, 2, 1]
        assert there.restore(key, 1) == 5
        assert here.get(key) == 1
        assert there.delete_many([key]) == 1
