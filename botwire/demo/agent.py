"""The agent: listens, remembers through `Memory`, greets and answers from it.

Its model is scripted: rules for what customers say, sentences for what it says. So it needs no network and no
key, and gives the same answers every time; what is real is the memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from botwire.demo.conversations import Conversation
from botwire.demo.greeting import answer, greeting
from botwire.demo.listening import Fact, facts_in, language_of, sentences, without_card_numbers
from botwire.demo.matters import mention_in, promise_in
from botwire.demo.questions import Question, question_in, wishes_forgotten
from botwire.demo.records import Case, CustomerRecord, Learned
from botwire_core.errors import ConflictError
from botwire_core.memory import Memory

__all__ = ["Agent", "Answered", "Visit"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A question that the agent answered from memory."""

    question: str
    answer: str


@dataclass(slots=True)
class Visit:
    """What happened in one conversation; `known` says that it had been heard before, and nothing was written."""

    conversation: Conversation
    greeting: str
    returning: bool
    known: bool = False
    learned: list[Learned] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The visit as JSON members."""
        return {
            "id": self.conversation.id,
            "customer": self.conversation.customer,
            "name": self.conversation.name,
            "date": self.conversation.date.isoformat(),
            "channel": self.conversation.channel,
            "turns": len(self.conversation.turns),
            "greeting": self.greeting,
            "returning": self.returning,
            "heard_before": self.known,
            "learned": [
                {"fact": item.fact, "before": item.before, "after": item.after, "said": item.said}
                for item in self.learned
            ],
            "answered": [{"question": item.question, "answer": item.answer} for item in self.answered],
        }


class Agent:
    """A customer-service agent that remembers its customers in a `Memory`."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def attend(self, conversation: Conversation) -> Visit:
        """Hold one conversation, and write down what was said and learned in one transaction.

        A conversation that was held before is only recognised: nothing is written twice.
        """
        record = CustomerRecord.load(self.memory, conversation.customer, conversation.name)
        visit = Visit(conversation, greeting(record), returning=record.last is not None)
        if self.memory.exists(f"{conversation.customer}/conversations/{conversation.id}"):
            visit.known = True
            return visit
        self._note_language(record, visit)
        turns = [{"role": "agent", "text": visit.greeting}, *self._listen(record, visit)]
        stamp = {"date": conversation.date.isoformat(), "channel": conversation.channel}
        try:
            record.save(self.memory, conversation, [{**turn, **stamp} for turn in turns])
        except ConflictError:
            visit.known = True  # another process was faster: it has written down the same
        return visit

    def _listen(self, record: CustomerRecord, visit: Visit) -> list[dict[str, str]]:
        """Go through the turns; gives them as they are to be remembered."""
        turns = []
        matter: Case | None = None
        reply: str | None = None
        for turn in visit.conversation.turns:
            text = without_card_numbers(turn.text)
            if turn.role == "customer":
                matter = self._follow(record, visit.conversation, text, matter)
                self._learn(record, visit, text)
                reply = self._reply(record, visit, text)
            elif reply is not None:
                text, reply = reply, None  # the agent knows better than the person who had to look it up
            elif (promise := promise_in(text)) is not None:
                matter = matter or record.newest_case(only_open=True)
                if matter is not None:
                    matter.promise, matter.date = promise, visit.conversation.date.isoformat()
                    record.keep(matter)
            turns.append({"role": turn.role, "text": text})
        return turns

    def _learn(self, record: CustomerRecord, visit: Visit, text: str) -> None:
        facts = facts_in(text)
        told = {fact.name for fact in facts}
        facts += [Fact(name, None, text) for name in wishes_forgotten(text) if record.value(name) is not None]
        for fact in list(facts):
            # What is new undoes what contradicts it.
            if fact.name == "contact" and fact.value != "phone" and "hours" not in told:
                facts.append(Fact("hours", None, fact.said))
            if fact.name in ("address", "city") and "delivery" not in told:
                facts.append(Fact("delivery", None, fact.said))
            if fact.name == "contact" and fact.value == record.value("avoid"):
                facts.append(Fact("avoid", None, fact.said))
            if fact.name == "avoid" and fact.value == record.value("contact") and "contact" not in told:
                facts.append(Fact("contact", None, fact.said))
        for fact in facts:
            if fact.value is None and record.value(fact.name) is None:
                continue
            if (learned := record.learn(fact, visit.conversation.date)) is not None:
                visit.learned.append(learned)

    def _follow(
        self, record: CustomerRecord, conversation: Conversation, text: str, matter: Case | None
    ) -> Case | None:
        """Keep track of what the conversation is about; gives the case that it is about now."""
        mention = mention_in(text)
        day = conversation.date.isoformat()
        if mention.solved:
            settled = matter if matter is not None and matter.promise else record.newest_case(only_open=True)
            if settled is not None:
                settled.status = "settled"
                record.keep(settled)
        if mention.order is not None:
            if matter is None or matter.order is not None:
                matter = record.case_of_order(mention.order) or Case(day)
            matter.order = mention.order
        elif mention.problem or (mention.thing and not mention.solved):
            matter = matter or record.newest_case(only_open=True) or Case(day)
        else:
            return matter
        matter.thing = matter.thing or mention.thing
        matter.problem = mention.problem or matter.problem
        matter.status = "open" if mention.problem else matter.status
        matter.date = day
        record.keep(matter)
        return matter

    def _reply(self, record: CustomerRecord, visit: Visit, text: str) -> str | None:
        question = question_in(text)
        if question is None:
            return None
        reply = answer(record, question.topics, self._case_asked_for(record, question))
        if reply is not None:
            visit.answered.append(Answered(question.asked, reply))
        return reply

    def _case_asked_for(self, record: CustomerRecord, question: Question) -> Case | None:
        if question.thing is not None:
            found = self.memory.search(f"{record.id}/cases/", words=question.thing, limit=1)
            if found:
                return next(case for case in record.cases if found[0].key.endswith(f"/{case.id}"))
        return record.newest_case()

    def _note_language(self, record: CustomerRecord, visit: Visit) -> None:
        said = [turn.text for turn in visit.conversation.turns if turn.role == "customer"]
        language = language_of(" ".join(said))
        if language is None or (language == "en" and record.value("language") is None):
            return
        learned = record.learn(Fact("language", language, sentences(said[0])[0]), visit.conversation.date)
        if learned is not None:
            visit.learned.append(learned)
