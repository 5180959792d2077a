"""A support agent that remembers, with two versions of its prompt; a script stands in for the model.

It knows nothing of experiments: its memory is made when the module is loaded, and used as in production.
"""

from botwire import Memory

memory = Memory("examples-support")

PROMPTS = {
    "chatty": "Be warm. Write down the last thing that the customer said.",
    "careful": "Be brief. Write down how the customer wants to be answered.",
}
QUESTIONS = [
    {"customer": "marta", "message": "Short answers, please! Where is my parcel?", "expected": "Tomorrow."},
    {"customer": "tom", "message": "Are you open on Sundays?", "expected": "No, Tom, from Monday to Saturday."},
    {"customer": "marta", "message": "And where is my invoice?", "expected": "Sent."},
]
FACTS = {
    "parcel": ("Tomorrow", "it comes by van"),
    "open": ("No", "from Monday to Saturday"),
    "invoice": ("Sent", "it is in your mailbox"),
}


def seed() -> None:
    """What the agent knows before: the start of every version."""
    memory.clear()
    memory.set("customer:marta", {"name": "Marta"})
    memory.set("customer:tom", {"name": "Tom"})


def answer(prompt: str, customer: str, message: str) -> str:
    """Answer a customer, and remember what the prompt says."""
    known = memory.get(f"customer:{customer}")
    if "Short answers" in message:
        known["style"] = "short"
    memory.increment("answers")
    kept = known if prompt == PROMPTS["careful"] else {"name": known["name"], "said": message}
    memory.set(f"customer:{customer}", kept)
    fact, more = next(facts for word, facts in FACTS.items() if word in message)
    return f"{fact}." if known.get("style") == "short" else f"{fact}, {known['name']}, {more}."
