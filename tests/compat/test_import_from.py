"""`botwire import --from` the first service, and from a server of ours."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from cli.running import Result, run
from compat.first_service import FirstService

from botwire_core.memory import Memory
from botwire_core.stores.http.store import HttpStore
from botwire_core.stores.sqlite import SqliteStore
from botwire_server.testing import served

# What stood at the first service, and what it is here: read as SDK 0.2.1 read it.
KEPT = {
    "name": ("Marta", "Marta"),
    "likes": ('["short answers", "tea"]', ["short answers", "tea"]),
    "address.home": ('{"city": "Porto", "zip": "4000-001"}', {"city": "Porto", "zip": "4000-001"}),
    "visits": ("5", "5"),
    "note": ("[not JSON", "[not JSON"),
    "greeting": ("ça va? 🌍", "ça va? 🌍"),
}


@pytest.fixture
def kept(service: FirstService) -> FirstService:
    for key, (text, _) in KEPT.items():
        service.put("customer-service", key, text)
    return service


def bring(folder: Path, url: str, *more: str, stdin: bytes = b"") -> Result:
    return run("import", "--from", url, "customer-service", *more, folder=folder, stdin=stdin)


def test_a_namespace_of_the_first_service_comes_along(kept: FirstService, tmp_path: Path) -> None:
    here = Memory("customer-service")
    result = bring(tmp_path, kept.url)
    assert (result.code, result.out) == (0, "customer-service: 6 records brought over, 0 were there\n"), result.err
    assert here.get_many(KEPT) == {key: value for key, (_, value) in KEPT.items()}
    again = bring(tmp_path, kept.url, "--json").json
    assert (again["records"], again["unchanged"], again["left"]) == (0, 6, {})
    kept.put("customer-service", "name", "Ana")
    assert bring(tmp_path, kept.url, "--json").json["records"] == 1
    assert [entry.value for entry in here.history("name")] == ["Ana", "Marta"]


def test_values_that_this_version_put_at_the_first_service_come_with_their_types(
    service: FirstService, tmp_path: Path
) -> None:
    values = {"a": 5, "b": True, "c": None, "d": b"\x00\xff", "e": "[1, 2]", "f": 1.0}
    with closing(HttpStore(service.url)) as store:
        for key, value in values.items():
            Memory("customer-service", store=store).set(key, value)
    assert bring(tmp_path, service.url).code == 0
    found = Memory("customer-service").get_many(values)
    assert repr(found) == repr(values)


def test_keys_beyond_the_newest_1000_are_not_missed_in_silence(service: FirstService, tmp_path: Path) -> None:
    for number in range(1001):
        service.put("customer-service", f"k{number}", str(number))
    result = bring(tmp_path, service.url, "--prefix", "k1")
    assert result.code == 3
    assert "newest 1,000 keys" in result.err
    assert "--keys FILE" in result.err
    assert Memory("customer-service").list_keys() == []

    names = "\n".join(["k0", "k1000", "gone", "no/key"]).encode()
    named = bring(tmp_path, service.url, "--keys", "-", "--json", stdin=names)
    assert (named.code, named.json["records"]) == (1, 2)
    assert named.json["left"].keys() == {"gone", "no/key"}
    assert "1 to 128 of" in named.json["left"]["no/key"]
    assert Memory("customer-service").get_many(["k0", "k1000"]) == {"k0": "0", "k1000": "1000"}


def test_a_namespace_of_a_server_of_ours_comes_with_types_and_expiry(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "far.db")) as far, served(far) as url:
        there = Memory("customer-service", store=far)
        there.set_many({f"k/{number:04}": number for number in range(1500)})
        there.set_many({"bytes": b"\x00", "wide": 10**30, "..": "dots", "a\n?#%2F": None})
        there.set("soon", 1.0, ttl=1000)
        result = bring(tmp_path, url)
        assert result.out == "customer-service: 1,505 records brought over, 0 were there\n", result.err
        here = Memory("customer-service")
        assert [(one.key, repr(one.value), one.expires_at) for one in here.entries()] == [
            (one.key, repr(one.value), one.expires_at) for one in there.entries()
        ]
        assert bring(tmp_path, url, "--json").json["unchanged"] == 1505


def test_the_token_of_the_target_is_not_sent_to_the_source(kept: FirstService, tmp_path: Path) -> None:
    seen: list[str | None] = kept.tokens
    result = run("import", "--from", kept.url, "customer-service", folder=tmp_path, BOTWIRE_TOKEN="bw_of_the_target")
    assert result.code == 0, result.err
    assert set(seen) == {None}
    run("import", "--from", kept.url, "customer-service", folder=tmp_path, BOTWIRE_FROM_TOKEN="bw_of_the_source")
    assert seen[-1] == "Bearer bw_of_the_source"


def test_what_is_no_server_brings_nothing(tmp_path: Path) -> None:
    result = bring(tmp_path, "http://127.0.0.1:1")
    assert result.code == 3
    assert "127.0.0.1:1" in result.err
