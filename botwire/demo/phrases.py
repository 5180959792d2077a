"""What the agent says, in five languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PHRASES", "Phrases", "phrases_for"]


@dataclass(frozen=True, slots=True)
class Phrases:
    """The sentences of one language; braces name what goes in."""

    first: str
    again: str
    last_time: str
    about: str
    about_order: str
    order: str
    promised: str
    open: str
    solved: str
    noted: str
    regards: str
    date: str
    """How a date is written, for `strftime`."""
    words: dict[str, str]
    """Facts and values in words; a value that is not here is said as the customer said it."""
    answers: dict[str, str]


_ENGLISH = Phrases(
    first="Hello {name}, welcome. How can I help you?",
    again="Hello {name}, good to hear from you again.",
    last_time="On {date} we talked about {about}.",
    about="the {thing}",
    about_order="the {thing} (order {order})",
    order="order {order}",
    promised="We said: “{promise}”",
    open="Has that worked out?",
    solved="I am glad that it is settled.",
    noted="I have noted: {facts}.",
    regards="Regards to {names}!",
    date="%d %B %Y",
    words={
        "contact": "we reach you by {value}",
        "hours": "reachable {value}",
        "avoid": "not by {value}",
        "size": "{name} {value}",
        "allergies": "no {value}",
        "delivery": "parcels {value}",
        "newsletter": "no newsletters",
        "email": "e-mail",
        "text": "text message",
        "whatsapp": "WhatsApp",
    },
    answers={
        "order": "That was order {value}.",
        "address": "I have {value}.",
        "size": "You take {value}.",
        "allergies": "You are allergic to {value}.",
        "diet": "You eat {value}.",
        "contact": "As you asked us to: by {value}.",
        "promise": "We said: “{value}”",
        "everything": "This is what I know: {value}.",
        "and": " and ",
    },
)

_FRENCH = Phrases(
    first="Bonjour {name}, bienvenue. Que puis-je faire pour vous ?",
    again="Bonjour {name}, heureux de vous retrouver.",
    last_time="Le {date}, nous avons parlé de ceci : {about}.",
    about="{thing}",
    about_order="{thing} (commande {order})",
    order="la commande {order}",
    promised="Nous avions dit : « {promise} »",
    open="Est-ce que c'est réglé ?",
    solved="Je suis heureux que ce soit réglé.",
    noted="J'ai noté : {facts}.",
    regards="Mes amitiés à {names} !",
    date="%d/%m/%Y",
    words={
        "contact": "contact par {value}",
        "hours": "joignable {value}",
        "avoid": "pas par {value}",
        "size": "taille {value}",
        "allergies": "sans {value}",
        "delivery": "colis {value}",
        "newsletter": "pas de publicité",
        "email": "e-mail",
        "phone": "téléphone",
        "text": "SMS",
        "whatsapp": "WhatsApp",
        "letter": "courrier",
        "vegetarian": "végétarien",
        "gluten-free": "sans gluten",
        "dairy-free": "sans lactose",
    },
    answers={
        "order": "C'était la commande {value}.",
        "address": "J'ai noté : {value}.",
        "size": "Votre taille : {value}.",
        "allergies": "Vos allergies : {value}.",
        "diet": "Votre régime : {value}.",
        "contact": "Comme convenu, par {value}.",
        "promise": "Nous avions dit : « {value} »",
        "everything": "Voici ce que je sais : {value}.",
        "and": " et ",
    },
)

_GERMAN = Phrases(
    first="Guten Tag {name}, willkommen. Was kann ich für Sie tun?",
    again="Guten Tag {name}, schön, wieder von Ihnen zu hören.",
    last_time="Am {date} ging es um {about}.",
    about="„{thing}“",
    about_order="„{thing}“ (Bestellung {order})",
    order="die Bestellung {order}",
    promised="Wir sagten: „{promise}“",
    open="Hat das geklappt?",
    solved="Es freut mich, dass das erledigt ist.",
    noted="Notiert habe ich: {facts}.",
    regards="Grüße an {names}!",
    date="%d.%m.%Y",
    words={
        "contact": "Kontakt per {value}",
        "hours": "erreichbar {value}",
        "avoid": "nicht per {value}",
        "size": "Größe {value}",
        "allergies": "kein {value}",
        "delivery": "Pakete {value}",
        "newsletter": "keine Werbung",
        "email": "E-Mail",
        "phone": "Telefon",
        "text": "SMS",
        "whatsapp": "WhatsApp",
        "letter": "Brief",
        "vegetarian": "vegetarisch",
        "gluten-free": "glutenfrei",
        "dairy-free": "laktosefrei",
    },
    answers={
        "order": "Das war die Bestellung {value}.",
        "address": "Ich habe notiert: {value}.",
        "size": "Ihre Größe ist {value}.",
        "allergies": "Ihre Allergien: {value}.",
        "diet": "Ihre Ernährung: {value}.",
        "contact": "Wie gewünscht per {value}.",
        "promise": "Wir sagten: „{value}“",
        "everything": "Das weiß ich: {value}.",
        "and": " und ",
    },
)

_SPANISH = Phrases(
    first="Hola {name}, le doy la bienvenida. ¿En qué puedo ayudarle?",
    again="Hola {name}, qué gusto saludarle de nuevo.",
    last_time="El {date} hablamos de {about}.",
    about="«{thing}»",
    about_order="«{thing}» (pedido {order})",
    order="el pedido {order}",
    promised="Le dijimos: «{promise}»",
    open="¿Se ha resuelto?",
    solved="Me alegra que esté resuelto.",
    noted="Tengo anotado: {facts}.",
    regards="¡Saludos a {names}!",
    date="%d/%m/%Y",
    words={
        "contact": "contacto por {value}",
        "hours": "localizable {value}",
        "avoid": "no por {value}",
        "size": "talla {value}",
        "allergies": "sin {value}",
        "delivery": "paquetes {value}",
        "newsletter": "sin publicidad",
        "email": "correo",
        "phone": "teléfono",
        "text": "SMS",
        "whatsapp": "WhatsApp",
        "letter": "carta",
        "vegetarian": "vegetariano",
        "vegan": "vegano",
        "gluten-free": "sin gluten",
        "dairy-free": "sin lactosa",
    },
    answers={
        "order": "Era el pedido {value}.",
        "address": "Tengo anotado: {value}.",
        "size": "Su talla es {value}.",
        "allergies": "Sus alergias: {value}.",
        "diet": "Su dieta: {value}.",
        "contact": "Como nos pidió, por {value}.",
        "promise": "Le dijimos: «{value}»",
        "everything": "Esto es lo que sé: {value}.",
        "and": " y ",
    },
)

_PORTUGUESE = Phrases(
    first="Olá {name}, boas-vindas. Em que posso ajudar?",
    again="Olá {name}, que bom voltar a falar consigo.",
    last_time="No dia {date} falámos de {about}.",
    about="«{thing}»",
    about_order="«{thing}» (encomenda {order})",
    order="a encomenda {order}",
    promised="Dissemos: «{promise}»",
    open="Ficou resolvido?",
    solved="Ainda bem que ficou resolvido.",
    noted="Tenho anotado: {facts}.",
    regards="Cumprimentos a {names}!",
    date="%d/%m/%Y",
    words={
        "contact": "contacto por {value}",
        "hours": "contactável {value}",
        "avoid": "não por {value}",
        "size": "tamanho {value}",
        "allergies": "sem {value}",
        "delivery": "encomendas {value}",
        "newsletter": "sem publicidade",
        "email": "e-mail",
        "phone": "telefone",
        "text": "SMS",
        "whatsapp": "WhatsApp",
        "letter": "carta",
        "vegetarian": "vegetariano",
        "gluten-free": "sem glúten",
        "dairy-free": "sem lactose",
    },
    answers={
        "order": "Era a encomenda {value}.",
        "address": "Tenho anotado: {value}.",
        "size": "O seu tamanho é {value}.",
        "allergies": "As suas alergias: {value}.",
        "diet": "A sua dieta: {value}.",
        "contact": "Como pediu, por {value}.",
        "promise": "Dissemos: «{value}»",
        "everything": "É isto que sei: {value}.",
        "and": " e ",
    },
)

PHRASES: Final = {"en": _ENGLISH, "fr": _FRENCH, "de": _GERMAN, "es": _SPANISH, "pt": _PORTUGUESE}
"""The phrases of each language, by its two-letter code."""


def phrases_for(language: str | None) -> Phrases:
    """The phrases of a language; English where it has none."""
    return PHRASES.get(language or "en", _ENGLISH)
