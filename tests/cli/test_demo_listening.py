"""The rules of the demo's agent, on sentences that no shipped conversation holds."""

from __future__ import annotations

from typing import Any

import pytest

from botwire.demo.conversations import load_folder, shipped_folder
from botwire.demo.listening import facts_in, language_of, sentences, without_card_numbers
from botwire.demo.matters import Mention, mention_in, promise_in
from botwire.demo.questions import question_in, wishes_forgotten


def facts(text: str) -> dict[str, Any]:
    return {fact.name: fact.value for fact in facts_in(text)}


SAID = {
    "You may contact me via WhatsApp any time.": {"contact": "whatsapp"},
    "Just text me when it is ready.": {"contact": "text"},
    "I'd rather have a letter, I like paper.": {"contact": "letter"},
    "Phone works best for us.": {"contact": "phone"},
    "Please don't e-mail me any more.": {"avoid": "email"},
    "No more calls, please.": {"avoid": "phone"},
    "Never ring me. Text me.": {"avoid": "phone", "contact": "text"},
    "Please only call between 8 and 10 am.": {"contact": "phone", "hours": "between 8 and 10 am"},
    "My friends all call me Bex.": {"name": "Bex"},
    "I go by Max, by the way.": {"name": "Max"},
    "We're vegan, the whole family.": {"diet": "vegan"},
    "I can't eat gluten, sorry.": {"diet": "gluten-free"},
    "I'm no longer vegetarian, chicken is fine.": {"diet": None},
    "I am badly allergic to peanuts and shellfish.": {"allergies": ["peanuts", "shellfish"]},
    "I wear a 38.": {"size": "38"},
    "My glove size is XL.": {"glove-size": "XL"},
    "Our new address is 5 Mill Lane, Cardiff.": {"address": "5 Mill Lane, Cardiff"},
    "I have moved to Buenos Aires.": {"city": "Buenos Aires"},
    "Write to rosa_92@mail.example.co.uk": {"email": "rosa_92@mail.example.co.uk"},
    "Our cat is called Misha.": {"family-cat": "Misha"},
    "Leave it behind the bins, please.": {"delivery": "behind the bins"},
    "Stop sending me newsletters!": {"newsletter": "no"},
    "Contactez-moi par téléphone, avant 10 heures.": {"contact": "phone", "hours": "avant 10 heures"},
    "Je suis allergique aux noix.": {"allergies": ["noix"]},
    "Ich wohne in Köln und bin Veganer.": {"city": "Köln"},
    "Nennen Sie mich bitte Steffi.": {"name": "Steffi"},
    "Prefiero el correo.": {"contact": "email"},
    "Não me liguem, por favor.": {"avoid": "phone"},
}

NOT_SAID = [
    "Call me Monday if you can spare a minute for it.",
    "My brother is vegetarian.",
    "She wears size 36.",
    "Size 40 was too small.",
    "Is size 40 too small?",
    "Nobody is home before 6.",
    "I'm in a hurry.",
    "The invoice came by post.",
    "Could you send the phone to my sister?",
    "What am I allergic to?",
    "My address is wrong in your system?",
    "My address is not the one on the label.",
]


@pytest.mark.parametrize(("text", "expected"), SAID.items(), ids=SAID)
def test_what_customers_say_about_themselves_is_understood(text: str, expected: dict[str, Any]) -> None:
    assert facts(text) == expected


@pytest.mark.parametrize("text", NOT_SAID)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    told = facts(text)
    assert not set(told) & {"name", "size", "diet", "allergies", "hours", "city", "avoid", "delivery", "address"}


def test_a_fact_carries_the_sentence_it_was_said_in() -> None:
    (fact,) = facts_in("Thanks a lot! Please write to me by e-mail. Bye.")
    assert fact.said == "Please write to me by e-mail."


def test_card_numbers_are_left_out_and_order_numbers_are_not() -> None:
    text = "Order 48213, card 4111 1111-1111 1111, order number 1234567890."
    assert without_card_numbers(text) == "Order 48213, card [card number removed], order number 1234567890."


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The parcel is late and I have not heard from you.", "en"),
        ("Le colis est en retard et je n'ai pas de nouvelles.", "fr"),
        ("Das Paket ist noch nicht da und ich habe keine Nachricht.", "de"),
        ("El paquete no llega y no tengo noticias para mi hijo, gracias.", "es"),
        ("A encomenda não chegou e não tenho notícias, obrigada.", "pt"),
        ("Hmm.", None),
    ],
)
def test_the_language_is_told_by_its_common_words(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        (
            "I bought a garden hose from you, order GB-70011. It leaks.",
            Mention("GB-70011", "garden hose", "It leaks."),
        ),
        ("My kettle stopped working.", Mention(None, "kettle", "My kettle stopped working.")),
        ("The new kettle works perfectly.", Mention(solved=True)),
        (
            "It still does not work well, it keeps tripping.",
            Mention(problem="It still does not work well, it keeps tripping."),
        ),
        ("Is the hose broken?", Mention()),
        ("Ich habe einen Koffer gekauft, Bestellung 81234.", Mention("81234", "Koffer")),
        ("Nice weather today.", Mention()),
    ],
)
def test_what_it_is_about_is_understood(text: str, mention: Mention) -> None:
    assert mention_in(text) == mention


def test_the_last_promise_of_a_turn_is_kept_in_its_words() -> None:
    assert promise_in("Sorry! I'll refund the hose; you can keep it.") == "I'll refund the hose."
    assert promise_in("I will look into it.") is None


@pytest.mark.parametrize(
    ("text", "topics", "thing"),
    [
        ("Which size do I take again?", ("size",), None),
        ("What was my order number for the garden hose?", ("order",), "garden hose"),
        ("Hi! What do you know about me?", ("everything",), None),
        ("How would you reach me?", ("contact",), None),
        ("Quelle adresse avez-vous ?", ("address",), None),
        ("I know my size.", (), None),
    ],
)
def test_questions_that_a_memory_can_answer_are_recognised(
    text: str, topics: tuple[str, ...], thing: str | None
) -> None:
    question = question_in(text)
    assert (question.topics if question else ()) == topics
    assert (question.thing if question else None) == thing


def test_a_wish_to_be_forgotten_names_the_facts() -> None:
    assert wishes_forgotten("Please delete my e-mail and forget my allergies.") == ["email", "allergies"]
    assert wishes_forgotten("Do not forget my parcel.") == []


def test_the_shipped_conversations_say_enough_in_several_languages() -> None:
    conversations = load_folder(shipped_folder())
    customers = [conversation.customer for conversation in conversations]
    said = [" ".join(turn.text for turn in c.turns if turn.role == "customer") for c in conversations]
    assert len(conversations) >= 24
    assert 10 <= len(set(customers)) <= 12
    assert sum(customers.count(customer) >= 2 for customer in set(customers)) >= 8
    assert {language_of(text) for text in said} == {"en", "fr", "de", "es", "pt"}
    assert all(facts_in(text) for text in said)
    assert all(sentences(turn.text) for conversation in conversations for turn in conversation.turns)
