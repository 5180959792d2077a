"""What a conversation is about: an order, what is wrong with it, what was promised, and whether it is settled."""

from __future__ import annotations

import re
from dataclasses import dataclass

from botwire.demo.listening import quoted, sentences

__all__ = ["Mention", "mention_in", "promise_in"]

_ORDER = re.compile(
    r"\b(?:order(?:ed|s)?|commande|Bestellung|pedido|encomenda)\b[^\d.!?]{0,30}?#?\b(?P<value>(?:[A-Z]{1,3}-?)?\d{5,10})\b",
    re.I,
)

_STOP = (
    r"(?=[,.;:!?(]|$|\s+(?:and|but|for|from|on|last|with|that|which|in|at|to|we|I|it|before|yesterday|today|when|as"
    r"|is|has|again|chez|et|mais|le|il|qui|pour|hier|avec|hace|y|pero|na|no|em|e|mas)\b)"
)
_SOMETHING = r"(?P<value>[^,.;:!?]{3,40}?)"
_THINGS = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        (
            r"\b(?:ordered|ordering|bought|received|about|want|got) (?:you )?"
            rf"(?:a pair of|a set of|some|an?|the same|the|my|two|those|these) {_SOMETHING}{_STOP}"
        ),
        rf"\ban? {_SOMETHING} that (?:never|has not|hasn't|did not|didn't|won't|does not|doesn't)\b",
        (
            rf"\b(?:my|the) (?!address|name|number|order|phone|e-?mail){_SOMETHING}"
            r" (?:came|arrived|keeps|won't|doesn't|stopped|broke|never|leaks)\b"
        ),
        rf"\b(?:my|the) {_SOMETHING} (?:is|are|was|were) (?:now )?(?:torn|broken|damaged|cracked|faulty|missing)\b",
        rf"\b(?:acheté|commandé|reçu) (?:une?|des|le|la|les|mon|ma|mes) {_SOMETHING}{_STOP}",
        rf"\b(?:einen|eine|ein|den|die|das) {_SOMETHING} (?:bestellt|gekauft|erhalten|bekommen)\b",
        rf"\b(?:compré|pedí|he comprado|he pedido|recibí) (?:una?|el|la|unos|unas|dos) {_SOMETHING}{_STOP}",
        rf"\b(?:comprei|encomendei|recebi) (?:uma?|o|a|os|as|uns|umas|duas|dois) {_SOMETHING}{_STOP}",
    )
)
_NO_THING = re.compile(r"(?:refund|order|answer|call|letter|bit|few|lot|ones?|photo|way|number|e-?mail|it)s?\b", re.I)

_PROBLEM = re.compile(
    r"\b(?:crackl|broke|doesn't work|does not work|won't|keeps?\b|leak|torn|missing|wrong|never (?:arrived|came|showed)"
    r"|too (?:small|big|tight|large)|damaged|crushed|faulty|defective|stopped working|on fire|hasn't arrived"
    r"|not arrived|cracked|scratch|stain|instead of"
    r"|fuit\b|cassée?|manque|jamais arrivé|défectueu|fehlt|kaputt|defekt|falsch|nicht angekommen"
    r"|chirr[ií]|rot[oa]\b|pequeñ|falta|no (?:ha )?lleg|não cheg|só chegou|mancha|partid[oa]|estragad)",
    re.I,
)
_SOLVED = re.compile(
    r"\b(?:works?(?: \w+)? (?:perfectly|fine|well|again|a treat|now)|has worked|all (?:good|sorted)|that's sorted"
    r"|is (?:solved|fixed|sorted)|(?:is|are) perfect|fits? (?:perfectly|well)"
    r"|marche (?:très )?bien|fonctionne|passt|funktioniert|funciona|es perfect|está perfeit|ficou (?:bem|resolvido))",
    re.I,
)
_NOT_SOLVED = re.compile(r"\b(?:not|never|no longer|ne|nicht|não)\b|n't\b", re.I)

_PROMISE = re.compile(
    r"\bI(?: will|'ll)(?: \w+){0,2} (?:send|refund|exchange|replace|repair|resize|pause|transfer|reserve|switch|change"
    r"|deliver)"
    r"|\bI have (?:just )?(?:refunded|sent|transferred|replaced|reserved)\b|\b(?:they go|it goes) out\b"
    r"|\bJe vous (?:l[ea]s? )?(?:envoie|fais|rembourse|échange)|\bIch (?:schicke|sende|erstatte|tausche|ersetze)"
    r"|\b(?:enviaré|cambiaré|devolveré)\b|\bVou (?:enviar|trocar|devolver)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """What one turn of a customer says about a matter; empty where it says nothing about one."""

    order: str | None = None
    thing: str | None = None
    problem: str | None = None
    solved: bool = False


def mention_in(text: str) -> Mention:
    """What a customer's turn says about an order and how it stands."""
    text = text.replace("’", "'")
    order = _ORDER.search(text)
    problem = solved = None
    for sentence in sentences(text):
        if _SOLVED.search(sentence) and not _NOT_SOLVED.search(sentence):
            solved = sentence
        elif _PROBLEM.search(sentence) and not sentence.endswith("?"):
            problem = problem or quoted(sentence)
    return Mention(order["value"] if order else None, _thing_in(text), problem, solved is not None)


def promise_in(text: str) -> str | None:
    """The last thing that the service promises in a turn, in its words, or None."""
    promises = [sentence for sentence in sentences(text) if _PROMISE.search(sentence)]
    return quoted(promises[-1].split(";")[0].rstrip(".!,") + ".") if promises else None


def _thing_in(text: str) -> str | None:
    told = " ".join(sentence for sentence in sentences(text) if not sentence.endswith("?"))
    for pattern in _THINGS:
        for match in pattern.finditer(told):
            thing = match["value"].strip()
            if not _NO_THING.match(thing):
                return thing
    return None
