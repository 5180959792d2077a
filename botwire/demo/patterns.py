"""What customers say about themselves, as patterns: a rule for each way to say it.

The rules are the whole model of the demo. They know nothing of the shipped conversations: a customer
who says the same thing in another conversation is understood the same way. English has the most of
them; French, German, Portuguese and Spanish have those that people use most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["CHANNELS", "DIETS", "RULES", "STOP_WORDS", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence that matches `pattern` tells `fact`.

    The value is the group named `value`, unless the rule gives one; `forget` says that the fact no longer holds.
    """

    fact: str
    pattern: re.Pattern[str]
    value: str | None = None
    forget: bool = False


CHANNELS: Final = {
    "email": re.compile(r"e-?mail|^mail|courriel|correo", re.I),
    "whatsapp": re.compile(r"whats ?app", re.I),
    "text": re.compile(r"text|sms", re.I),
    "letter": re.compile(r"letter|post|lettre|courrier|brief|carta", re.I),
    "phone": re.compile(r"phone|call|ring|t[eé]l[eé]", re.I),
}
"""Ways to reach a customer, and the words for each."""

DIETS: Final = {
    "vegetarian": re.compile(r"v[eé]g[eé]tari", re.I),
    "vegan": re.compile(r"v[eé]g[aâ]n|végétalien", re.I),
    "halal": re.compile(r"halal", re.I),
    "kosher": re.compile(r"kosher|koscher|casher|kasher", re.I),
    "gluten-free": re.compile(r"gluten", re.I),
    "dairy-free": re.compile(r"dairy|lactose|la[ck]tos[ea]", re.I),
}

_COMMON_WORDS: Final = {
    "en": "the is are was and you your have has i'm it my but for with please this that not",
    "fr": "le la les est et vous votre je j'ai mais pour avec une un des ce merci pas c'est bonjour",
    "de": "der die das ist und sie ich mir mich habe aber für mit eine einen bitte nicht ein guten",
    "es": "el los las es y usted mi pero para con una muy que por hola gracias lo un soy",
    "pt": "o os as é e uma mas não com para um obrigada obrigado que em por na no do da está sou",
}
STOP_WORDS: Final = {code: frozenset(words.split()) for code, words in _COMMON_WORDS.items()}
"""Words that tell the language, by its two-letter code."""

_CHANNEL = (
    r"(?P<value>e-?mail|courriel|correo|(?:tele)?phone|téléphone|telefone|teléfono|telefon|text(?: message)?|sms"
    r"|whats ?app|letter|post|lettre|courrier|brief|carta)"
)
_VERB = r"(?P<value>call|phone|ring|text|e-?mail|whats ?app)"
_NAME = r"(?-i:(?P<value>[A-ZÀ-Þ][\w’'-]*\w))"
_PLACE = r"(?-i:(?P<value>[A-ZÀ-Þ][\w’'-]+(?: (?:de |del |of |upon )?[A-ZÀ-Þ][\w’'-]+)?))"
_NO_NAME = (
    r"(?!(?-i:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
    r"|(?:after|before|between|if|when|on|in|at|tomorrow|back|plut[oô]t)\b)"
)
_SIZE = r"(?P<value>\d{1,3}(?:[.,]5)?|X{0,3}S|M|X{0,3}L)\b"
_SIZE_IS = rf"size (?:is |of |now |a )*{_SIZE}(?! (?:is|was|are|were) .*too)"
_CLOCK = r"\d{1,2}(?::\d\d)?(?: ?[ap]\.?m\.?| o'clock)?"
_RELATION = (
    "husband|wife|partner|daughter|son|mother|father|mum|dad|sister|brother|grandson|granddaughter|dog|cat|horse"
)
_END = r"(?=[,.;:!?]|$)"
_FULL_STOP = r"(?=[.;:!?]|$|, (?:but|so|and|which|it|that|I)\b)"


def _rules(fact: str, *patterns: str, value: str | None = None, forget: bool = False) -> list[Rule]:
    return [Rule(fact, re.compile(pattern, re.I), value, forget) for pattern in patterns]


RULES: Final[tuple[Rule, ...]] = (
    *_rules(
        "name",
        rf"\bcalls? me (?:by )?{_NO_NAME}{_NAME}",
        rf"\b(?:address me as|I go by|I am known as) {_NAME}",
        rf"\b(?:ll[aá]me(?:n)?me|ll[aá]mame) {_NO_NAME}{_NAME}",
        rf"\b(?:cham(?:e|em)-me|trat(?:e|em)-me por|pode(?:m)? chamar-me) (?:de |por )?{_NAME}",
        rf"\bappelez-moi {_NO_NAME}{_NAME}",
        rf"\bnennen Sie mich (?:doch )?(?:bitte )?{_NAME}",
    ),
    *_rules(
        "contact",
        rf"\b(?:write|message|contact|reach|reply|answer|tell|get back)(?: to)? (?:me|us)\b(?: \w+){{0,3}}?"
        rf" (?:by|via|on|over|through) {_CHANNEL}",
        rf"\b(?:please|just|rather|better(?: to)?|best to|you can|you may|could you|can you)"
        rf"(?: please| just| only| also)* {_VERB}\b(?! (?:my|the|him|her|them|number|address|is)\b)"
        r"(?! me (?:by )?(?-i:[A-Z]))",
        rf"(?:^|[,;:] ?|\b(?:and|so|then) ){_VERB} me\b(?! (?-i:[A-Z]))",
        rf"\b{_CHANNEL} (?:is|works) (?:\w+ )?(?:better|best|easier)\b",
        rf"\bI(?:'d| would)? (?:much )?(?:prefer|rather have) (?:a |an |by )?{_CHANNEL}",
        rf"\bplease (?:do|use),? (?:by )?{_CHANNEL}",
        rf"\b(?:écrivez|contactez|joignez|répondez|prévenez)-moi\b.*? (?:par|sur) {_CHANNEL}",
        rf"\bpréfère (?:être contactée? )?(?:par |une? |le |la )?{_CHANNEL}",
        rf"\bschreiben Sie mir\b.*? (?:per|über|eine?n?) {_CHANNEL}",
        rf"\bkönnen (?:Sie )?mir\b.*? (?:per|über) {_CHANNEL} schreiben",
        rf"\bpr[eé]fi[er]+o (?:que me \w+ )?(?:por |el |la |o |a )?{_CHANNEL}",
        rf"\b(?:escr[ií]ba(?:n)?me|cont[aá]cte(?:n)?me|av[ií]se(?:n)?me|escrev(?:a|am)-me|contact(?:e|em)-me)\b"
        rf".*? (?:por|al) {_CHANNEL}",
    ),
    *_rules(
        "contact",
        r"\bappelez-moi\b(?! (?-i:[A-Z]))",
        r"\brufen Sie mich\b(?!.*\bnicht\b)",
        r"\bll[aá]me(?:n)?me\b(?! (?-i:[A-Z]))",
        r"\bligu(?:e|em)-me\b",
        value="phone",
    ),
    *_rules(
        "avoid",
        rf"\b(?:don'?t|do not|never|stop) (?:ever )?{_VERB}(?:ing)?(?: me\b| us\b|(?=[.,;!]|$))",
        r"\bno (?:more )?(?:phone )?(?P<value>call)s\b",
    ),
    *_rules(
        "avoid",
        r"\bne m'appelez (?:pas|plus)",
        r"\brufen Sie mich (?:bitte )?nicht",
        r"\bno me llam",
        r"\bnão me ligu",
        value="phone",
    ),
    *_rules(
        "hours",
        r"\b(?P<value>(?:mornings|evenings|afternoons|weekends))(?: only| are best| work best| please|$)",
        r"(?<!\d )\b(?P<value>in the (?:morning|evening|afternoon)s?)\b",
        rf"\b(?P<value>between {_CLOCK} and {_CLOCK}(?: in the \w+)?)\b",
        rf"\b(?P<value>(?:after|before) {_CLOCK})(?=\W|$)",
        r"\b(?P<value>(?:après|avant) \d{1,2} ?(?:heures|h)\b)",
        r"\b(?P<value>(?:nach|vor|ab) \d{1,2} Uhr)\b",
        r"\b(?P<value>(?:después de|antes de|depois d|antes d)(?: las|as) \d{1,2})\b",
    ),
    *_rules(
        "diet",
        r"\b(?:I|we)(?:'m|'re| am| are|'ve gone| have gone| went| turned| became)(?: a| now| all| strictly)*"
        r" (?P<value>vegetarian|vegan|gluten-free|dairy-free|halal|kosher)s?\b",
        r"\b(?:I|we)(?: only| strictly)? (?:eat|keep)(?: only)? (?P<value>halal|kosher|vegan|vegetarian)\b",
        r"\b(?:I|we) (?:can't|cannot|don't|do not) (?:have|eat|digest|tolerate) (?P<value>gluten|dairy|lactose)\b",
        r"\bje suis (?P<value>végétarien(?:ne)?|végane?|végétalien(?:ne)?)\b",
        r"\bich (?:bin|lebe|esse) (?:jetzt )?(?P<value>Vegetarier(?:in)?|vegetarisch|Veganer(?:in)?|vegan)\b",
        r"\bsou (?P<value>vegetarian[ao]|vegan[ao])\b",
        r"\bsoy (?P<value>vegetarian[ao]|vegan[ao])\b",
    ),
    *_rules(
        "diet",
        r"\b(?:I'm|I am|we're|we are) (?:not|no longer) (?:a )?(?:vegetarian|vegan|gluten-free|dairy-free)\b",
        forget=True,
    ),
    *_rules(
        "allergies",
        rf"\b(?:I'm|I am|we're|we are) (?:\w+ )?allergic to (?P<value>.+?)"
        rf"(?:{_FULL_STOP}| and (?:it|that|this|my|I|the|so|you)\b)",
        rf"\bje suis allergique (?:aux |au |à la |à l'|à )(?P<value>.+?){_END}",
        rf"\b(?:ich bin )(?:\w+ )?allergisch gegen (?P<value>.+?){_END}",
        rf"\bs(?:ou|oy) alérgic[ao] (?:a las |a los |a la |al |às |aos |ao |à |a )(?P<value>.+?){_END}",
    ),
    *_rules(
        "size",
        rf"\b(?P<kind>shoe|ring|hat|glove|jacket|dress|shirt|trouser|bike|frame) {_SIZE_IS}",
        rf"\b{_SIZE_IS}",
        rf"\bI (?:take|wear|need) an? {_SIZE}(?=[,.;!?]|$| instead| from| now)",
        rf"\bI (?:take|wear|need) (?:a )?{_SIZE} in (?P<kind>shoe)s\b",
        rf"\b(?:talla|taille|tamanho|Größe) {_SIZE}",
        r"\bje (?:fais du|chausse du) (?P<value>\d{2})\b",
    ),
    *_rules(
        "address",
        r"\b(?:my|our)(?: new)? address is (?:now )?(?P<value>(?!\S+@)(?=.*\d).+)",
        r"\bmon (?:nouvelle )?adresse est (?P<value>(?!\S+@)(?=.*\d).+)",
        r"\bmeine (?:neue )?Adresse (?:ist|lautet) (?P<value>(?!\S+@)(?=.*\d).+)",
        r"\bmi (?:nueva )?dirección es (?P<value>(?!\S+@)(?=.*\d).+)",
        r"\ba minha (?:nova )?morada é (?P<value>(?!\S+@)(?=.*\d).+)",
    ),
    *_rules("email", r"(?P<value>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"),
    *_rules(
        "city",
        rf"\b(?:I live|we live|I'm|I am|I'm based) in {_PLACE}",
        rf"\b(?:I|we)(?:'ve| have)? moved to {_PLACE}",
        rf"\b(?:j'habite (?:à )?|ich wohne in |vivo en |moro em ){_PLACE}",
    ),
    *_rules(
        "family",
        rf"\bmy (?P<kind>{_RELATION})(?:'s name is| is called|,)? {_NAME}",
        rf"\b(?:the|our|my) (?P<kind>dog|cat|horse)(?:'s| is) called {_NAME}",
        rf"\bmi (?P<kind>perr[ao]|gat[ao]|hij[ao]|mujer|marido|madre|padre) {_NAME}",
        rf"\bmeine? (?P<kind>Enkel|Enkelin|Tochter|Sohn|Hund|Katze|Mann|Frau) {_NAME}",
        rf"\bm(?:a|on) (?P<kind>fille|fils|mari|femme|chien|chat|mère|père) {_NAME}",
        rf"\b(?:o meu|a minha) (?P<kind>filh[ao]|marido|mulher|mãe|pai|cão|gat[ao]) {_NAME}",
    ),
    *_rules(
        "delivery",
        rf"\bleave (?:the |my |our )?(?:parcel|package|box|order|deliverie|it|them|everything)s?"
        rf" (?P<value>(?:with|in|at|on|behind|by|under) .+?){_END}",
        rf"\b(?:laissez|déposez) (?:les? colis|tout) (?P<value>(?:chez|à|au|dans|devant|derrière) .+?){_END}",
        r"\bstellen Sie (?:das Paket|die Pakete|es|alles) (?:bitte )?(?P<value>(?:bei|in|vor|hinter) .+?) ab\b",
        rf"\bdej(?:e|en) (?:el paquete|los paquetes|todo) (?P<value>(?:con|en|detrás) .+?){_END}",
        rf"\bdeix(?:e|em) (?:a encomenda|as encomendas|tudo) (?P<value>(?:com|em|no|na|atrás) .+?){_END}",
    ),
    *_rules(
        "newsletter",
        r"\b(?:no more|stop sending(?: me)?|don't want(?: any)?)(?: your)? (?:marketing|newsletter|promotion|ads\b)",
        r"\bunsubscribe me\b",
        value="no",
    ),
)
"""Every rule; the later one wins where two of them tell the same fact in one sentence."""
