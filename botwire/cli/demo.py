"""The command that shows an agent that remembers."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from botwire.cli.options import Json, Url, open_memory
from botwire.cli.output import print_json
from botwire_core.connect import default_url, scheme_of
from botwire_core.errors import BotWireError, InvalidValueError
from botwire_core.memory import Memory
from botwire_core.memory_handle import without_secrets

if TYPE_CHECKING:
    from botwire.demo.agent import Visit

__all__ = ["demo"]


def demo(
    conversations: Annotated[
        Path | None,
        typer.Option(
            "--conversations", metavar="FOLDER", help="Hold your own, one JSON file each.", show_default=False
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget all earlier runs first.")] = False,
    greet: Annotated[bool, typer.Option("--greet", help="Only greet the customers that are in memory.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Watch an agent hold conversations, end, and greet its customers again from another process.

    What it learns stays in the namespace botwire-demo of your store; a second run knows everybody from the first.
    """
    from botwire.demo.replay import NAMESPACE

    memory = open_memory(NAMESPACE, url)
    if greet:
        _greet(memory, as_json=as_json)
        return
    if scheme_of(url or default_url()) == "memory":
        raise InvalidValueError(
            "memory: lasts as long as one process, and the demo needs two", hint="leave out --url, or name a file"
        )
    if fresh:
        memory.drop()
    _hold(memory, conversations, url, as_json=as_json)


def _greet(memory: Memory, *, as_json: bool) -> None:
    from botwire.demo.replay import greetings

    found = greetings(memory)
    if as_json:
        print_json({"pid": os.getpid(), "greetings": [greeting.to_json() for greeting in found]})
        return
    from botwire.demo.show import Stage

    Stage().greetings(found, os.getpid())


def _hold(memory: Memory, folder: Path | None, url: str | None, *, as_json: bool) -> None:
    from botwire.demo.conversations import load_folder, shipped_folder
    from botwire.demo.replay import replay

    conversations = load_folder(folder or shipped_folder())
    run, visits = replay(memory, conversations)
    place = without_secrets(url or default_url())
    if as_json:
        held = [visit.to_json() for visit in visits]
        memory.close()
        print_json(
            {
                "namespace": memory.namespace,
                "store": place,
                "run": run.number,
                "customers_known_before": run.known_before,
                "pid": os.getpid(),
                "conversations": held,
                "second_process": json.loads(_second_process(url, as_json=True) or "{}"),
            }
        )
        return
    from botwire.demo.show import Stage

    stage = Stage()
    stage.open(run, len(conversations), os.getpid())
    shown = []
    with stage.progress(len(conversations)) as progress:
        for visit in visits:
            stage.visit(visit, progress)
            shown.append(visit)
    memory.close()
    stage.intermission(shown)
    sys.stdout.flush()  # what comes next is written by another process
    _second_process(url, as_json=False)
    customer, fact = _most_told(shown)
    stage.close(place, _commands(memory.namespace, customer, fact, url))


def _second_process(url: str | None, *, as_json: bool) -> str | None:
    command = [sys.executable, "-m", "botwire", "demo", "--greet"]
    if url is not None:
        command += ["--url", url]
    if as_json:
        command.append("--json")
    # The arguments are ours, and no shell reads them.
    result = subprocess.run(command, stdout=subprocess.PIPE if as_json else None, text=True, check=False)  # noqa: S603
    if result.returncode:
        raise BotWireError(
            f"the second process ended with exit code {result.returncode}", hint="its own message is above this one"
        )
    return result.stdout


def _most_told(visits: list[Visit]) -> tuple[str, str | None]:
    """A customer worth looking at, and a fact about them: one that changed, if any did."""
    for visit in visits:
        for learned in visit.learned:
            if learned.before is not None and learned.after is not None:
                return visit.conversation.customer, learned.fact
    return visits[0].conversation.customer, None


def _commands(namespace: str, customer: str, fact: str | None, url: str | None) -> list[tuple[str, str]]:
    """Commands to copy, about one customer and one thing that was learned."""
    commands: list[tuple[tuple[str, ...], str]] = [
        (("ls", namespace, f"{customer}/about/"), "what it knows of one customer")
    ]
    if fact is not None:
        key = f"{customer}/about/{fact}"
        commands += [
            (("get", namespace, key), "one thing it knows, and the words it was said in"),
            (("history", namespace, key), "every time that changed"),
        ]
    commands += [
        (("read", namespace, f"{customer}/turns", "--last", "5"), "the end of the last conversation"),
        (("search", namespace, "--where", '{"status": "open"}'), "what is not settled"),
        (("purge", namespace, customer), "forget this customer for good"),
        (("demo",), "run it again: it knows them all"),
    ]
    option = [] if url is None else ["--url", url]
    return [(shlex.join(["botwire", *command, *option]), what) for command, what in commands]
