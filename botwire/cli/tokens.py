"""Commands for the tokens of a server: token create, token list, token revoke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botwire.cli.failures import not_there
from botwire.cli.options import Json, Url
from botwire.cli.output import print_json, print_table
from botwire.cli.text import time_text, visible
from botwire_core.connect import connect
from botwire_core.errors import UnsupportedError

if TYPE_CHECKING:
    from botwire_core.service import Token
    from botwire_core.store import Store

__all__ = ["create", "list_", "revoke"]

_EVERYTHING_BUT_ADMIN = "*:all"


def create(
    grant: Annotated[
        list[str] | None,
        typer.Option(
            "--grant",
            metavar="NAMESPACE:VERBS",
            help="What it may do where, such as support:read,write or support.*:all; can be given again. "
            "Verbs: read, write, delete, fork, history, admin; all is every one but admin. "
            "Everything but admin on every namespace where it is left out.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="TEXT", help="What it is for.", show_default=False)
    ] = None,
    expires_in: Annotated[
        float | None,
        typer.Option(
            "--expires-in", metavar="SECONDS", help="Let it expire after so many seconds.", show_default=False
        ),
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Make a token and print it, this once: the store keeps only a digest of it."""
    from botwire_core.grants import grant_from_text
    from botwire_core.service import CreateToken
    from botwire_core.tokens import digest_of, new_token

    grants = tuple(grant_from_text(text) for text in grant or [_EVERYTHING_BUT_ADMIN])
    # Whoever finds a token that got out can see by its kind how bad it is.
    secret = new_token("admin" if any("admin" in one.verbs for one in grants) else "user")
    made = _store(url).run(CreateToken(digest_of(secret), grants, label, expires_in))
    if as_json:
        print_json({"token": secret, **_members(made)})
        return
    typer.echo(secret)
    typer.echo(f"token {made.id} grants {_grants_text(made)}", err=True)
    typer.echo("  keep it now, it is not shown again; clients take it from BOTWIRE_TOKEN", err=True)


def list_(url: Url = None, as_json: Json = False) -> None:
    """List the tokens, oldest first: what each may do, and whether it is still good."""
    from botwire_core.service import ListTokens

    tokens = _store(url).run(ListTokens())
    if as_json:
        print_json({"count": len(tokens), "tokens": [_members(token) for token in tokens]})
        return
    print_table(
        ("id", "label", "grants", "made", "expires", "last used", "state"),
        (
            (
                token.id,
                visible(token.label or ""),
                _grants_text(token),
                time_text(token.created_at),
                time_text(token.expires_at),
                time_text(token.last_used_at),
                _state(token),
            )
            for token in tokens
        ),
    )


def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="The id, as `token list` shows it.", show_default=False)],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Let a token no longer be good, for ever; running servers know within five seconds."""
    from botwire_core.service import RevokeToken

    if not _store(url).run(RevokeToken(id)):
        raise not_there(f"there is no token {id!r} that is good", as_json=as_json)
    if as_json:
        print_json({"id": id, "revoked": True})
    else:
        typer.echo(f"{visible(id)}: revoked")


def _store(url: str | None) -> Store:
    store = connect(url)
    if "service" not in store.features:
        raise UnsupportedError(
            f"{type(store).__name__} keeps no tokens",
            hint="run this where the server runs, with the --url that the server was given as --store",
        )
    return store


def _members(token: Token) -> dict[str, Any]:
    from botwire_core.grants import grant_to_text

    return {
        "id": token.id,
        "label": token.label,
        "grants": [grant_to_text(grant) for grant in token.grants],
        "created_at": _seconds(token.created_at),
        "expires_at": _seconds(token.expires_at),
        "last_used_at": _seconds(token.last_used_at),
        "revoked_at": _seconds(token.revoked_at),
        "state": _state(token),
    }


def _grants_text(token: Token) -> str:
    from botwire_core.grants import grant_to_text

    return " ".join(map(grant_to_text, token.grants))


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "good" if token.is_valid(datetime.now(UTC)) else "expired"


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
