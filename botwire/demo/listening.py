"""From what a customer says to facts: sentences, the language they are in, and the rules applied to each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from botwire.demo.patterns import CHANNELS, DIETS, RULES, STOP_WORDS, Rule

__all__ = ["Fact", "facts_in", "language_of", "quoted", "sentences", "without_card_numbers"]

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
_WORD = re.compile(r"[\w'’]+")
_REACHING = re.compile(
    r"call|ring|phone|reach|contact|text|best|mornings|evenings|prefer|appel|téléphon|joign|ruf|erreich|llam|teléfono|lig",
    re.I,
)
# A size in a sentence on somebody else is not the customer's.
_OTHERS = re.compile(
    r"\b(?:s?he|they|my (?:\w+)) (?:wears?|takes?|needs?|is an?|are)\b|\b(?:elle|il|sie|er|ella|él|ela|ele) ", re.I
)
_ABOUT_SELF = frozenset({"size", "diet", "allergies"})
_LONGEST_QUOTE = 140


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a customer said: `value` is None where it no longer holds; `said` is the sentence."""

    name: str
    value: str | list[str] | None
    said: str


def without_card_numbers(text: str) -> str:
    """The text without numbers that may be those of a payment card; nothing needs to remember them."""
    return _CARD.sub("[card number removed]", text)


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order."""
    return [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]


def quoted(sentence: str) -> str:
    """The sentence, cut at a word where it is long."""
    if len(sentence) <= _LONGEST_QUOTE:
        return sentence
    return sentence[:_LONGEST_QUOTE].rsplit(" ", 1)[0] + " ..."


def language_of(text: str) -> str | None:
    """The two-letter code of the language of a text, or None where too few words tell."""
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text)]
    hits = {code: sum(word in common for word in words) for code, common in STOP_WORDS.items()}
    ranking = sorted(hits, key=lambda code: hits[code], reverse=True)
    best, second = hits[ranking[0]], hits[ranking[1]]
    return ranking[0] if best >= 3 and best > second else None


def facts_in(text: str) -> list[Fact]:
    """What a text tells about the customer, in the order of its sentences; at most one fact of a name per sentence."""
    return [fact for sentence in sentences(text) for fact in _facts_in_sentence(sentence.replace("’", "'"))]


def _facts_in_sentence(sentence: str) -> list[Fact]:
    found: dict[str, tuple[int, Fact]] = {}
    aside = sentence.endswith("?") or _OTHERS.search(sentence) is not None
    for rule in RULES:
        if aside and rule.fact in _ABOUT_SELF:
            continue
        if rule.fact == "hours" and not _REACHING.search(sentence):
            continue
        for match in rule.pattern.finditer(sentence):
            name, value = _name_and_value(rule, match)
            if value is None and not rule.forget:
                continue
            place = match.start("value") if "value" in match.re.groupindex else match.start()
            # What is said last holds: "not on Mondays, after 6 pm". At the same place the first, closer rule does.
            if _is_covered(name, place, found):
                continue
            if name not in found or place > found[name][0]:
                found[name] = (place, Fact(name, value, quoted(sentence)))
    return [fact for _, fact in sorted(found.values(), key=lambda item: item[0])]


def _is_covered(name: str, place: int, found: dict[str, tuple[int, Fact]]) -> bool:
    return name == "size" and any(other.endswith("-size") and at == place for other, (at, _) in found.items())


def _name_and_value(rule: Rule, match: re.Match[str]) -> tuple[str, str | list[str] | None]:
    groups = match.groupdict()
    kind = (groups.get("kind") or "").lower()
    raw = rule.value or groups.get("value")
    if rule.forget or raw is None:
        return rule.fact, None
    text = raw.strip().rstrip(".,;:!?")
    match rule.fact:
        case "contact" | "avoid":
            return rule.fact, _first(CHANNELS, text)
        case "diet":
            return rule.fact, _first(DIETS, text)
        case "size":
            return (f"{kind}-size" if kind else "size"), text.upper()
        case "allergies":
            items = re.split(r",? (?:and|et|und|y|e) |, ", text)
            return rule.fact, [re.sub(r"^the ", "", item.strip()) for item in items if item.strip()]
        case "family":
            return f"family-{kind}", text
        case "hours":
            return rule.fact, text[:1].lower() + text[1:]
    return rule.fact, text


def _first(words: dict[str, re.Pattern[str]], text: str) -> str | None:
    return next((name for name, pattern in words.items() if pattern.search(text)), None)
