"""The demo's agent, on conversations of our own: what it stores, what it greets with, what it answers."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from botwire import Memory
from botwire.demo.agent import Agent, Visit
from botwire.demo.conversations import Conversation, Turn, load_conversation, load_folder
from botwire.demo.replay import greetings, replay
from botwire_core.errors import InvalidValueError


@pytest.fixture
def memory() -> Memory:
    return Memory("botwire-demo")


def conversation(*said: str, id: str = "one", day: str = "2026-05-01", customer: str = "c-1") -> Conversation:
    """A conversation in which the customer and the agent take turns, the customer first."""
    turns = tuple(Turn("agent" if number % 2 else "customer", text) for number, text in enumerate(said))
    return Conversation(id, customer, "Rosa Lund", date.fromisoformat(day), "chat", turns)


def attend(memory: Memory, *said: str, id: str = "one", day: str = "2026-05-01", customer: str = "c-1") -> Visit:
    return Agent(memory).attend(conversation(*said, id=id, day=day, customer=customer))


def greeting(memory: Memory) -> str:
    (only,) = greetings(Memory(memory.namespace))
    return only.greeting


def test_a_stranger_is_welcomed_and_then_known(memory: Memory) -> None:
    first = attend(memory, "Hi, please call me Ro.")
    assert first.greeting == "Hello Rosa Lund, welcome. How can I help you?"
    assert not first.returning
    again = attend(memory, "Hi again.", id="two")
    assert again.returning
    assert again.greeting.startswith("Hello Ro, good to hear from you again.")


def test_what_is_learned_is_in_memory_with_the_words_it_was_said_in(memory: Memory) -> None:
    attend(memory, "Good day. Please write to me by e-mail. I'm vegetarian.")
    assert memory.get("c-1/about/contact") == {
        "value": "email",
        "said": "Please write to me by e-mail.",
        "date": "2026-05-01",
    }
    assert memory.get("c-1/about/diet")["value"] == "vegetarian"
    assert memory.get("c-1/visits") == 1
    assert [turn["role"] for turn in memory.read("c-1/turns")] == ["agent", "customer"]


def test_a_change_of_mind_replaces_what_was_said_and_history_keeps_both(memory: Memory) -> None:
    attend(memory, "Please call me Ro. Please phone me, after 6 pm is best.")
    visit = attend(memory, "Actually, text me instead.", id="two", day="2026-06-01")
    assert [(item.fact, item.before, item.after) for item in visit.learned] == [
        ("contact", "phone", "text"),
        ("hours", "after 6 pm", None),
    ]
    assert "c-1/about/hours" not in memory
    assert [entry.value["value"] for entry in memory.history("c-1/about/contact")] == ["text", "phone"]
    assert "by text message" in greeting(memory)
    assert "6 pm" not in greeting(memory)


def test_what_was_said_earlier_does_not_undo_what_was_said_later(memory: Memory) -> None:
    attend(memory, "My ring size is 56.", id="late", day="2026-06-01")
    visit = attend(memory, "My ring size is 54.", id="early", day="2026-01-01")
    assert visit.learned == []
    assert memory.get("c-1/about/ring-size")["value"] == "56"


def test_allergies_add_up(memory: Memory) -> None:
    attend(memory, "I'm allergic to nuts.")
    attend(memory, "I'm also allergic to sesame and nuts.", id="two")
    assert memory.get("c-1/about/allergies")["value"] == ["nuts", "sesame"]


def test_a_promise_is_kept_until_the_matter_is_settled(memory: Memory) -> None:
    attend(
        memory,
        "I bought a kettle, order 70123, and it leaks. It stopped working.",
        "Sorry! I will send a new one today.",
    )
    assert "the kettle (order 70123)" in greeting(memory)
    assert "We said: “I will send a new one today.” Has that worked out?" in greeting(memory)
    assert [entry.key for entry in memory.search(where={"status": "open"})] == ["c-1/cases/70123"]
    attend(memory, "The new kettle works perfectly, thank you.", id="two", day="2026-05-20")
    assert "I am glad that it is settled." in greeting(memory)
    assert memory.search(where={"status": "open"}) == []


def test_questions_are_answered_from_memory_in_place_of_the_recorded_reply(memory: Memory) -> None:
    attend(memory, "I bought a garden hose, order 70001, and it is broken.", "I will replace it.")
    attend(memory, "I bought a wheelbarrow, order 70002.", "Thanks.", id="two", day="2026-05-02")
    visit = attend(
        memory,
        "What was my order number for the garden hose?",
        "One moment, I have to look.",
        id="three",
        day="2026-05-03",
    )
    assert [answered.answer for answered in visit.answered] == ["That was order 70001."]
    assert memory.read("c-1/turns")[-1]["text"] == "That was order 70001."


def test_what_is_not_known_is_left_to_the_recorded_reply(memory: Memory) -> None:
    visit = attend(memory, "Which size do I take?", "One moment, I have to look.")
    assert visit.answered == []
    assert memory.read("c-1/turns")[-1]["text"] == "One moment, I have to look."


def test_a_customer_can_have_something_forgotten(memory: Memory) -> None:
    attend(memory, "Write to rosa@example.com, please.")
    attend(memory, "Please delete my e-mail.", id="two")
    assert "c-1/about/email" not in memory


def test_the_agent_speaks_the_language_of_the_customer(memory: Memory) -> None:
    attend(
        memory,
        "Guten Tag, ich habe einen Koffer gekauft, Bestellung 81234, und das Rad ist kaputt.",
        "Ich ersetze ihn.",
    )
    text = greeting(memory)
    assert text.startswith("Guten Tag Rosa Lund")
    assert "„Koffer“ (Bestellung 81234)" in text
    assert "Wir sagten: „Ich ersetze ihn.“" in text


def test_card_numbers_are_nowhere_in_memory(memory: Memory, home: Path) -> None:
    attend(memory, "My card is 4111 1111 1111 1111, take it.")
    assert memory.read("c-1/turns")[1]["text"] == "My card is [card number removed], take it."
    assert all(b"4111" not in file.read_bytes() for file in home.iterdir())


def test_a_conversation_is_written_down_once(memory: Memory) -> None:
    attend(memory, "I'm vegan.")
    revision = memory.stats().revision
    again = attend(memory, "I'm vegan.")
    assert again.known
    assert memory.stats().revision == revision
    assert memory.get("c-1/visits") == 1


def test_everything_about_a_customer_goes_with_one_purge(memory: Memory) -> None:
    attend(memory, "I'm vegan. I bought a kettle, order 70123.")
    attend(memory, "I'm vegan too.", customer="c-2")
    memory.purge("c-1")
    assert {key.split("/")[0] for key in memory.list_keys()} == {"c-2"}


def test_runs_and_those_known_before_are_counted(memory: Memory) -> None:
    told = [conversation("I'm vegan."), conversation("I'm halal.", id="two", customer="c-2")]
    run, visits = replay(memory, told)
    assert (run.number, run.known_before, len(list(visits))) == (1, 0, 2)
    run, visits = replay(memory, told)
    assert (run.number, run.known_before, [visit.known for visit in visits]) == (2, 2, [True, True])


GOOD = {
    "customer": "c",
    "name": "N",
    "date": "2026-01-01",
    "channel": "chat",
    "turns": [{"role": "customer", "text": "Hi"}],
}


class TestConversationFiles:
    def test_they_are_read_in_order_of_date_and_name(self, tmp_path: Path) -> None:
        for name, day in (("b", "2026-01-02"), ("c", "2026-01-01"), ("a", "2026-01-02")):
            (tmp_path / f"{name}.json").write_text(json.dumps({**GOOD, "date": day}))
        assert [one.id for one in load_folder(tmp_path)] == ["c", "a", "b"]

    @pytest.mark.parametrize(
        "members",
        [
            {"date": "yesterday"},
            {"turns": "Hi"},
            {"turns": [{"role": "boss", "text": "Hi"}]},
            {"name": ""},
            {"channel": 3},
        ],
        ids=str,
    )
    def test_a_file_that_is_no_conversation_is_named(self, tmp_path: Path, members: dict[str, object]) -> None:
        path = tmp_path / "odd.json"
        path.write_text(json.dumps({**GOOD, **members}))
        with pytest.raises(InvalidValueError, match=r"odd\.json"):
            load_conversation(path)

    def test_an_empty_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidValueError, match="no conversations"):
            load_folder(tmp_path)
