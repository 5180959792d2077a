"""The `botwire` command: which commands there are."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated, Final

import typer

from botwire.cli import (
    backups,
    comparing,
    demo,
    entries,
    health,
    leaktest,
    migrating,
    past,
    scopes,
    server,
    spaces,
    tokens,
    transfer,
)
from botwire.cli.failures import reporting

__all__ = ["app", "main"]

_COMMANDS: Final[dict[str, dict[str, Callable[..., None]]]] = {
    "Entries": {
        "get": entries.get,
        "set": entries.set_,
        "rm": entries.rm,
        "ls": entries.ls,
        "append": entries.append,
        "read": entries.read,
        "search": entries.search,
    },
    "Namespaces and forks": {
        "namespaces": spaces.namespaces,
        "stats": spaces.stats,
        "fork": spaces.fork,
        "diff": comparing.diff,
        "merge": comparing.merge,
        "drop": spaces.drop,
    },
    "The past": {
        "history": past.history,
        "restore": past.restore,
        "snapshot": spaces.snapshot,
        "watch": past.watch,
        "purge": past.purge,
    },
    "Files": {
        "export": transfer.export,
        "import": transfer.import_,
        "backup": backups.backup,
        "migrate": migrating.migrate,
    },
    "A server": {"serve": server.serve},
    "Experiments": {"leaktest": leaktest.leaktest},
    "This installation": {"demo": demo.demo, "plugins": health.plugins, "doctor": health.doctor},
}
_GROUPS: Final[dict[str, tuple[str, str, dict[str, Callable[..., None]]]]] = {
    "scopes": (
        "Experiments",
        "Compare what the variants of an experiment remembered, keep what is good, and clear away the rest.",
        {"list": scopes.list_, "report": scopes.report, "promote": scopes.promote, "gc": scopes.gc},
    ),
    "token": (
        "A server",
        "Make, list and revoke the tokens that a server lets in.",
        {"create": tokens.create, "list": tokens.list_, "revoke": tokens.revoke},
    ),
}
"""Commands that have commands of their own: the panel, what they are for, and which."""

_HELP = "Memory for agents: keys and JSON values that last, and that can be forked, compared and rewound."
_EPILOG = (
    "Exit codes: 0 done; 1 not there, different or declined; 2 wrong usage or input; 3 the store could not; "
    "4 conflict; 5 not allowed."
)

app = typer.Typer(name="botwire", help=_HELP, epilog=_EPILOG, no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a character gets an escape, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    _app_for(sys.argv[1:])()


def _app_for(arguments: list[str]) -> typer.Typer:
    """The app with no other command than the one that is asked for, where it is known which."""
    name = (arguments or [""])[0]
    commands = [command for command in app.registered_commands if command.name == name]
    groups = [group for group in app.registered_groups if group.name == name]
    if not commands and not groups:
        return app
    # typer works out the options of every command it is given, which takes longer than most commands do.
    small = copy.copy(app)
    small.registered_commands, small.registered_groups = commands, groups
    return small


def _print_version(wanted: bool) -> None:
    if wanted:
        from botwire import __version__

        typer.echo(f"botwire {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _panel, _commands in _COMMANDS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(reporting(_command))
for _name, (_panel, _help, _commands) in _GROUPS.items():
    _group = typer.Typer(help=_help, no_args_is_help=True)
    for _inner, _command in _commands.items():
        _group.command(_inner)(reporting(_command))
    app.add_typer(_group, name=_name, rich_help_panel=_panel)
