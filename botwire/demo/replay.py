"""The two halves of the demo: hold the conversations, and in another process greet the customers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botwire.demo.agent import Agent, Visit
from botwire.demo.conversations import Conversation
from botwire.demo.greeting import greeting
from botwire.demo.records import customers_in
from botwire_core.memory import Memory

__all__ = ["NAMESPACE", "Greeting", "Run", "greetings", "replay"]

NAMESPACE = "botwire-demo"


@dataclass(frozen=True, slots=True)
class Run:
    """Which run of the demo on this memory it is, from 1, and how many customers were known before."""

    number: int
    known_before: int


@dataclass(frozen=True, slots=True)
class Greeting:
    """How a customer is greeted by an agent that has only its memory."""

    customer: str
    name: str
    visits: int
    greeting: str
    pid: int

    def to_json(self) -> dict[str, Any]:
        """The greeting as JSON members."""
        return {
            "customer": self.customer,
            "name": self.name,
            "visits": self.visits,
            "greeting": self.greeting,
            "pid": self.pid,
        }


def replay(memory: Memory, conversations: Iterable[Conversation]) -> tuple[Run, Iterator[Visit]]:
    """Count the run, and hold the conversations one after the other as they are asked for."""
    known = len(customers_in(memory))
    run = Run(int(memory.increment("runs")), known)
    agent = Agent(memory)
    return run, map(agent.attend, conversations)


def greetings(memory: Memory) -> list[Greeting]:
    """A greeting for everybody the memory knows, in order of their ids."""
    return [
        Greeting(record.id, record.name, record.visits, greeting(record), os.getpid())
        for record in customers_in(memory)
    ]
