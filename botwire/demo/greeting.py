"""From what is known of a customer to a greeting and to answers, in the customer's language."""

from __future__ import annotations

from datetime import date
from typing import Any

from botwire.demo.phrases import Phrases, phrases_for
from botwire.demo.records import Case, CustomerRecord

__all__ = ["answer", "greeting", "shown_value"]

_FAMILY = "family-"
_ORDER = ("contact", "avoid", "hours", "size", "diet", "allergies", "delivery", "newsletter")


def greeting(record: CustomerRecord) -> str:
    """How the agent greets a customer: with what it remembers, where it remembers anything."""
    phrases = phrases_for(record.value("language"))
    name = record.value("name") or record.name
    if record.last is None:
        return phrases.first.format(name=name)
    parts = [phrases.again.format(name=name)]
    case = record.newest_case(only_open=True) or record.newest_case()
    if case is not None:
        parts += _about_case(case, phrases)
    if facts := _facts(record, phrases):
        parts.append(phrases.noted.format(facts=", ".join(facts)))
    if family := [known["value"] for fact, known in record.about.items() if fact.startswith(_FAMILY)]:
        parts.append(phrases.regards.format(names=phrases.answers["and"].join(family)))
    return " ".join(parts)


def answer(record: CustomerRecord, topics: tuple[str, ...], case: Case | None) -> str | None:
    """What the agent says to a question about `topics`, or None where it knows nothing of them.

    `case` is the matter that is asked about.
    """
    phrases = phrases_for(record.value("language"))
    parts = []
    for topic in topics:
        value = _known(record, topic, case, phrases)
        if value:
            parts.append(phrases.answers[topic].format(value=value))
    return " ".join(parts) or None


def shown_value(value: Any) -> str:
    """A fact's value in a line."""
    return ", ".join(value) if isinstance(value, list) else str(value)


def _known(record: CustomerRecord, topic: str, case: Case | None, phrases: Phrases) -> str | None:
    known = record.value(topic)
    match topic:
        case "order":
            return case.order if case else None
        case "promise":
            return case.promise if case else None
        case "everything":
            return ", ".join(_facts(record, phrases)) or None
        case "size":
            sizes = [fact for fact in record.about if fact == "size" or fact.endswith("-size")]
            return phrases.answers["and"].join(_size(record, fact, phrases) for fact in sizes)
        case "allergies":
            return phrases.answers["and"].join(known or [])
        case "diet" | "contact":
            return None if known is None else phrases.words.get(known, known)
    return None if known is None else str(known)


def _about_case(case: Case, phrases: Phrases) -> list[str]:
    if case.thing is None:
        about = phrases.order.format(order=case.order) if case.order else None
    elif case.order is None:
        about = phrases.about.format(thing=case.thing)
    else:
        about = phrases.about_order.format(thing=case.thing, order=case.order)
    day = date.fromisoformat(case.date).strftime(phrases.date)
    parts = [phrases.last_time.format(date=day, about=about)] if about else []
    if case.promise and case.status == "open":
        parts.append(phrases.promised.format(promise=case.promise))
    parts.append(phrases.open if case.status == "open" else phrases.solved)
    return parts


def _facts(record: CustomerRecord, phrases: Phrases) -> list[str]:
    """The facts to keep to, as short phrases."""
    sizes = [_size(record, fact, phrases) for fact in record.about if fact.endswith("-size")]
    lines = []
    for fact in _ORDER:
        value = record.value(fact)
        if value is None:
            continue
        match fact:
            case "contact" | "avoid":
                lines.append(phrases.words[fact].format(value=phrases.words.get(value, value)))
            case "allergies":
                lines.extend(phrases.words[fact].format(value=item) for item in value)
            case "diet":
                lines.append(phrases.words.get(value, value))
            case "size":
                lines.append(_size(record, fact, phrases))
            case _:
                lines.append(phrases.words[fact].format(value=value))
    return lines + sizes


def _size(record: CustomerRecord, fact: str, phrases: Phrases) -> str:
    value = record.value(fact)
    return phrases.words["size"].format(name=fact.replace("-", " "), value=value)
