"""Two prompts on equal terms: fork the memory for each, compare what they did to it, keep the better one."""

from botwire import Memory

MESSAGES = ("My parcel 48213 is late.", "Please write by e-mail.")


def attentive(memory: Memory, message: str) -> None:
    """What a model might do under a prompt that says: note what customers prefer."""
    if "e-mail" in message:
        memory.set("customer:ana", {**memory.get("customer:ana"), "contact": "e-mail"})
    memory.append("chat:ana", message)


def hasty(memory: Memory, message: str) -> None:
    """What it might do under a prompt that says: be quick."""
    memory.set("customer:ana", {"last": message})


service = Memory("examples-service")
service.clear()
service.set("customer:ana", {"name": "Ana", "city": "Porto"})

variants = {"examples-service-attentive": attentive, "examples-service-hasty": hasty}
for name, prompt in variants.items():
    Memory(name).drop()  # of an earlier run of this example
    fork = service.fork(name, ttl=7 * 86400)
    for message in MESSAGES:
        prompt(fork, message)
    print(service.diff(fork), end="\n\n")

# The base is as it was: nothing has reached it yet.
assert service.get("customer:ana") == {"name": "Ana", "city": "Porto"}

result = service.merge("examples-service-attentive")
print("promoted:", result.written + result.appended)
print("undo with: service.at(...) of the snapshot", result.snapshot)
print(service.get("customer:ana"))
