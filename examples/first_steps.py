"""Remember something, and read it back: in this run, and in every later one."""

from botwire import Memory

memory = Memory("examples-first-steps")

print("last run left:", memory.get("user", default="nothing, this is the first run"))

memory.set("user", {"name": "Pedro", "likes": ["short answers"], "orders": 3})
memory.increment("runs")

print("now it is:", memory.get("user"))
print("runs so far:", memory.get("runs"))
print("is there an address?", "address" in memory)
