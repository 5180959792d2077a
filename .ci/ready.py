"""Check what `botwire plugins --json` says on standard input, where only one extra is installed: ready.py EXTRA."""

import json
import sys

BRINGS = {
    "autogen": {"opentelemetry"},
    "crewai": {"opentelemetry"},
    "humanloop": {"opentelemetry"},
    "langfuse": {"opentelemetry"},
    "mlflow": {"opentelemetry"},
    "langgraph": {"langchain"},  # it stands on langchain-core
}

extra = sys.argv[1]
# The first row of a plugin is what its extra is for; a later one may need more than that.
states = {row["name"]: row["state"] for row in reversed(json.load(sys.stdin)["plugins"])}
expected = {name: "ready" if name in {"core", extra} | BRINGS.get(extra, set()) else "missing" for name in states}
print(f"plugins with '{extra}': {states}")
if states != expected or not ({"core"} | {extra} - {"base"}) <= states.keys():
    sys.exit(f"expected {expected}")
