"""Where the agent keeps what it knows of a customer: the layout of its memory.

    c-1041                            {"kind": "customer", "name": ..., "last": date of the last visit}
    c-1041/visits                     a number
    c-1041/about/contact              {"value": "email", "said": the sentence, "date": ...}, a key for each fact
    c-1041/cases/48213                {"order", "thing", "problem", "promise", "status", "date"}, by order number
    c-1041/conversations/<id>         that this conversation has been heard
    c-1041/turns/0000000000000000000  a log of everything that was said

Everything of a customer stands under one key, so that one `purge` erases a person.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from botwire.demo.conversations import Conversation
from botwire.demo.listening import Fact
from botwire_core.memory import Memory

__all__ = ["Case", "CustomerRecord", "Learned", "customers_in"]


@dataclass(slots=True)
class Case:
    """A matter that a customer came with; `status` is "open" or "settled", `id` is empty until it is saved."""

    date: str
    id: str = ""
    order: str | None = None
    thing: str | None = None
    problem: str | None = None
    promise: str | None = None
    status: str = "open"


@dataclass(frozen=True, slots=True)
class Learned:
    """A fact that is new, changed (`before` is not None) or gone (`after` is None)."""

    fact: str
    before: Any
    after: Any
    said: str


@dataclass(slots=True)
class CustomerRecord:
    """What is known of one customer; changes are collected until `save` writes them in one transaction."""

    id: str
    name: str
    last: str | None = None
    visits: int = 0
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    _changed_facts: set[str] = field(default_factory=set)
    _changed_cases: list[Case] = field(default_factory=list)

    @classmethod
    def load(cls, memory: Memory, customer: str, name: str) -> CustomerRecord:
        """What the memory holds of a customer; an empty record where it holds nothing."""
        known = memory.get(customer) or {}
        return cls(
            customer,
            known.get("name", name),
            known.get("last"),
            memory.get(f"{customer}/visits", 0),
            {_name(entry.key): entry.value for entry in memory.entries(f"{customer}/about/")},
            [Case(id=_name(entry.key), **entry.value) for entry in memory.entries(f"{customer}/cases/")],
        )

    def value(self, fact: str) -> Any:
        """What is known under a name, or None."""
        known = self.about.get(fact)
        return known["value"] if known else None

    def learn(self, fact: Fact, on: date) -> Learned | None:
        """Take in a fact; None where it was known, or where something newer is."""
        known = self.about.get(fact.name)
        # Transcripts can come late: what a customer said in March does not undo what they said in May.
        if known is not None and known["date"] > on.isoformat():
            return None
        before = known["value"] if known else None
        after = fact.value
        if isinstance(after, list):
            earlier = before if isinstance(before, list) else []
            after = [*earlier, *(item for item in after if item not in earlier)]
        if after == before:
            return None
        self._changed_facts.add(fact.name)
        if after is None:
            del self.about[fact.name]
        else:
            self.about[fact.name] = {"value": after, "said": fact.said, "date": on.isoformat()}
        return Learned(fact.name, before, after, fact.said)

    def keep(self, case: Case) -> None:
        """Note that a case is new or has changed."""
        # By identity: two new cases can still be equal.
        if not any(case is other for other in self.cases):
            self.cases.append(case)
        if not any(case is other for other in self._changed_cases):
            self._changed_cases.append(case)

    def case_of_order(self, order: str) -> Case | None:
        """The case about an order, or None."""
        return next((case for case in self.cases if case.order == order), None)

    def newest_case(self, *, only_open: bool = False) -> Case | None:
        """The case that was last spoken of, or None."""
        cases = [case for case in self.cases if case.status == "open" or not only_open]
        # Reversed, since max gives the first of equals, and order numbers rise.
        return max(reversed(cases), key=lambda case: case.date, default=None)

    def save(self, memory: Memory, conversation: Conversation, turns: list[dict[str, str]]) -> None:
        """Write what has changed, and the conversation, all or nothing.

        Raises:
            ConflictError: somebody has written down the same conversation meanwhile.
        """
        day = conversation.date.isoformat()
        self.last = max(self.last or day, day)
        with memory.transaction() as tx:
            tx.check(f"{self.id}/conversations/{conversation.id}", 0)
            tx.set(f"{self.id}/conversations/{conversation.id}", {"date": day, "channel": conversation.channel})
            tx.set(self.id, {"kind": "customer", "name": self.name, "last": self.last})
            tx.append(f"{self.id}/turns", *turns)
            for case in self._changed_cases:
                case.id = case.id or case.order or conversation.id
                tx.set(f"{self.id}/cases/{case.id}", {n: v for n, v in asdict(case).items() if n != "id"})
            for fact in sorted(self._changed_facts):
                if fact in self.about:
                    tx.set(f"{self.id}/about/{fact}", self.about[fact])
                else:
                    tx.delete(f"{self.id}/about/{fact}")
            visits = tx.increment(f"{self.id}/visits")
        self.visits = tx.results[visits]
        self._changed_cases.clear()
        self._changed_facts.clear()


def customers_in(memory: Memory) -> list[CustomerRecord]:
    """Everybody the memory knows, in order of their ids."""
    found = memory.search(where={"kind": "customer"}, limit=100_000)
    return [CustomerRecord.load(memory, entry.key, "") for entry in sorted(found, key=lambda entry: entry.key)]


def _name(key: str) -> str:
    return key.rpartition("/")[2]
