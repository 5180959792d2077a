"""What customers ask that a memory can answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from botwire.demo.listening import sentences

__all__ = ["Question", "question_in", "wishes_forgotten"]


@dataclass(frozen=True, slots=True)
class Question:
    """Topics that a customer asks about; `thing` is what an order is said to be of."""

    topics: tuple[str, ...]
    asked: str
    thing: str | None = None


_TOPICS: Final = {
    "promise": r"\bwhat (?:exactly )?(?:did|have) you (?:exactly )?promised?|\bwhat did (?:we agree|you say)"
    r"|where were we|qu'avez-vous promis|was haben Sie (?:mir )?versprochen|qué me prometi|o que me promet",
    "order": r"\b(?:what|which) (?:was|is) (?:my|the) order number|\bmy order number\b|numéro de (?:ma )?commande"
    r"|Bestellnummer|número de(?:l| mi| la| minha)? (?:pedido|encomenda)",
    "address": r"\b(?:which|what|have my|know my|got my) (?:\w+ )?address\b"
    r"|quelle adresse|welche Adresse|qué dirección|que morada",
    "size": r"\b(?:which|what|know my|have my) (?:\w+ )?size\b|quelle taille|welche Größe|qué talla|que tamanho",
    "allergies": r"\ball?[eé]rg",
    "diet": r"\bdiet\b|\brégime\b|\bErnährung\b|\bdieta\b",
    "contact": r"\bhow (?:will|do|would|can|are) you (?:going to )?(?:contact|reach|let me know|tell me|get in touch)"
    r"|comment (?:allez-vous|pouvez-vous) me (?:contacter|joindre)|wie erreichen Sie mich|cómo me avisa|como me avisa",
    "everything": r"\bwhat do you (?:know|remember|have) (?:about|on) me\b|\bwhat have you (?:noted|stored)"
    r"|que savez-vous (?:de|sur) moi|was wissen Sie über mich|qué sabe[ns]? de mí|o que sabem? (?:de|sobre) mim",
}
_COMPILED: Final = {topic: re.compile(pattern, re.I) for topic, pattern in _TOPICS.items()}
_THING: Final = re.compile(
    r"\b(?:for|of|pour|für|para|de|da|do) (?:the|my|le|la|die|das|den|el) (?P<value>[\w -]{3,30})", re.I
)
_FORGET: Final = re.compile(
    r"\b(?:forget|delete|erase|remove) (?:my|our) (?P<value>address|e-?mail|size|diet|allerg\w+|city|name)\b", re.I
)


def question_in(text: str) -> Question | None:
    """The last question of a turn that a memory can answer, or None."""
    for sentence in reversed(sentences(text.replace("’", "'"))):
        if "?" not in sentence:
            continue
        topics = tuple(topic for topic, pattern in _COMPILED.items() if pattern.search(sentence))
        if topics:
            thing = _THING.search(sentence)
            return Question(topics, sentence, thing["value"] if thing else None)
    return None


def wishes_forgotten(text: str) -> list[str]:
    """The names of the facts that a customer wants forgotten."""
    asked = (match["value"].lower() for match in _FORGET.finditer(text))
    return ["allergies" if name.startswith("allerg") else name.replace("-", "") for name in asked]
