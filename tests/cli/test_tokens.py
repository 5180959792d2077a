"""`botwire token`: shown once, kept as a digest, listed and revoked by id."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.running import Result

from botwire_core.connect import connect
from botwire_core.service import FindToken
from botwire_core.tokens import digest_of, looks_right

Botwire = Callable[..., Result]


def test_create_prints_the_token_alone_and_the_rest_beside(botwire: Botwire) -> None:
    made = botwire("token", "create", "--grant", "support:read,write", "--label", "support bot")
    assert made.code == 0, made.err
    secret = made.out.strip()
    assert re.fullmatch(r"bw_user_[0-9A-Za-z]{36}", secret)
    assert looks_right(secret)
    assert "support:read,write" in made.err
    assert secret not in made.err
    token = connect(None).run(FindToken(digest_of(secret)))
    assert token is not None
    assert token.label == "support bot"


def test_no_file_of_the_store_holds_the_token(botwire: Botwire, home: Path) -> None:
    secret = botwire("token", "create").out.strip()
    for path in home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert secret not in botwire("token", "list", "--json").out


def test_create_without_a_grant_allows_everything_but_admin(botwire: Botwire) -> None:
    made = botwire("token", "create", "--json")
    assert made.json["grants"] == ["*:all"]
    assert made.json["token"].startswith("bw_user_")
    assert made.json["expires_at"] is None
    assert made.json["state"] == "good"
    assert made.err == ""


def test_a_token_with_admin_can_be_told_by_its_kind(botwire: Botwire) -> None:
    assert botwire("token", "create", "--grant", "*:admin").out.startswith("bw_admin_")


def test_several_grants_and_an_expiry_are_kept(botwire: Botwire) -> None:
    made = botwire(
        "token", "create", "--grant", "a:read", "--grant", "b.*:write,history", "--expires-in", "60", "--json"
    )
    assert made.json["grants"] == ["a:read", "b.*:write,history"]
    assert made.json["expires_at"] == pytest.approx(made.json["created_at"] + 60)


@pytest.mark.parametrize(
    "options",
    [
        ("--grant", "support"),
        ("--grant", "support:reed"),
        ("--grant", "support*:read"),
        ("--grant", ".tokens:read"),
        ("--expires-in", "-1"),
        ("--expires-in", "nan"),
        ("--label", ""),
        ("--label", "a\nb"),
    ],
)
def test_create_refuses_what_makes_no_sense_and_makes_nothing(botwire: Botwire, options: tuple[str, ...]) -> None:
    made = botwire("token", "create", *options)
    assert made.code == 2
    assert made.out == ""
    assert botwire("token", "list", "--json").json == {"count": 0, "tokens": []}


def test_list_shows_ids_and_states_oldest_first(botwire: Botwire) -> None:
    first = botwire("token", "create", "--grant", "a:read", "--label", "one", "--json").json
    second = botwire("token", "create", "--grant", "b:read", "--expires-in", "0.001", "--json").json
    listed = botwire("token", "list", "--json").json
    assert [token["id"] for token in listed["tokens"]] == [first["id"], second["id"]]
    assert [token["state"] for token in listed["tokens"]] == ["good", "expired"]
    table = botwire("token", "list").out
    assert first["id"] in table
    assert "one" in table
    assert "expired" in table


def test_revoke_ends_a_token_once(botwire: Botwire) -> None:
    made = botwire("token", "create", "--json").json
    assert botwire("token", "revoke", made["id"]).code == 0
    assert botwire("token", "list", "--json").json["tokens"][0]["state"] == "revoked"
    assert botwire("token", "revoke", made["id"]).code == 1
    assert botwire("token", "revoke", "nobody", "--json").code == 1


def test_tokens_are_made_where_the_store_is_and_not_over_http(botwire: Botwire) -> None:
    for arguments in (("create",), ("list",), ("revoke", "x")):
        result = botwire("token", *arguments, "--url", "http://127.0.0.1:9")
        assert result.code == 3
        assert result.out == ""
        assert "where the server runs" in result.err


def test_token_alone_shows_its_commands(botwire: Botwire) -> None:
    text = botwire("token", "--help").out
    for name in ("create", "list", "revoke"):
        assert name in text
