"""The command that shows an agent that remembers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from botwire.cli.options import Json, Url, open_memory
from botwire.cli.output import print_json
from botwire_core.connect import default_url, scheme_of
from botwire_core.errors import BotWireError, InvalidValueError
from botwire_core.memory import Memory
from botwire_core.memory_handle import without_secrets

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
    stage.close(place, _commands(memory.namespace, shown[-1].conversation.customer, url))


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


def _commands(namespace: str, customer: str, url: str | None) -> list[tuple[str, str]]:
    option = "" if url is None else f" --url {url}"
    commands: list[tuple[Any, Any]] = [
        (f"botwire ls {namespace} {customer}/about/", "what it knows of one customer"),
        (f"botwire get {namespace} {customer}/about/contact", "one preference, and the words it was said in"),
        (f"botwire history {namespace} {customer}/about/contact", "every time it changed"),
        (f"botwire read {namespace} {customer}/turns --last 5", "the end of the last conversation"),
        (f"""botwire search {namespace} --where '{{"status": "open"}}'""", "what is not settled"),
        (f"botwire purge {namespace} {customer}", "forget one customer for good"),
        ("botwire demo", "run it again: it knows them all"),
    ]
    return [(command + option, what) for command, what in commands]
