"""Two variants of an agent, each with a namespace of its own: neither sees what the other remembers."""

from botwire import Memory


def answer(memory: Memory, style: str, message: str) -> str:
    """A scripted agent that remembers how often it was asked."""
    asked = memory.increment("asked")
    memory.set("last", message)
    return f"{style} ({asked}): I have noted {message!r}."


formal = Memory("examples-service-formal")
casual = Memory("examples-service-casual")
for memory in (formal, casual):
    memory.clear()

print(answer(formal, "Formal", "My parcel is late."))
print(answer(formal, "Formal", "It is order 48213."))
print(answer(casual, "Casual", "Hi, it's me again!"))

print("formal remembers:", formal.get("last"), formal.get("asked"))
print("casual remembers:", casual.get("last"), casual.get("asked"))
