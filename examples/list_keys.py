"""List what is remembered: all keys, those with a prefix, and the entries behind them."""

from botwire import Memory

memory = Memory("examples-list-keys")
memory.set_many(
    {
        "user:ana": {"city": "Porto"},
        "user:tom": {"city": "Galway"},
        "settings": {"language": "en"},
    }
)

print("all:", memory.list_keys())
print("users:", memory.list_keys("user:"))
for entry in memory.entries("user:"):
    print(f"{entry.key} lives in {entry.value['city']} (version {entry.version})")
