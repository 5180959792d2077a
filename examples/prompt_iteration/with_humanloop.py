"""Evaluate two versions of a prompt with Humanloop's SDK, each with a memory of its own, and compare what they keep.

The service is gone, so the SDK talks to `OfflineHumanloop`, on this machine; with a gateway of your own that speaks
its API, give its URL instead. Needs `pip install 'botwire[humanloop]'`.
"""

from functools import partial
from typing import Any

from agent import PROMPTS, QUESTIONS, answer, memory, seed
from humanloop import Humanloop

from botwire.scopes import MemoryReport, scope_policy
from botwire_humanloop import instrument
from botwire_humanloop.offline import OfflineHumanloop


def as_expected(log: dict[str, Any], datapoint: dict[str, Any]) -> bool:
    """Compare the answer with the one that the dataset wants."""
    return bool(log["output"] == datapoint["target"]["answer"])


def knows_the_style(log: dict[str, Any]) -> bool:
    """Look into the memory of the version and run that is judged."""
    return log["inputs"]["customer"] == "tom" or "style" in memory.get("customer:marta")


DATASET = [
    {"inputs": {"customer": one["customer"], "message": one["message"]}, "target": {"answer": one["expected"]}}
    for one in QUESTIONS
]
JUDGES = [
    {"path": "judges/as-expected", "callable": as_expected, "args_type": "target_required", "return_type": "boolean"},
    {
        "path": "judges/knows-the-style",
        "callable": knows_the_style,
        "args_type": "target_free",
        "return_type": "boolean",
    },
]

seed()
api = OfflineHumanloop()
with api as url, scope_policy(isolation="run"):
    client = instrument(Humanloop(base_url=url, api_key="none"))
    for prompt in PROMPTS.values():
        client.evaluations.run(
            name="which prompt remembers better",
            file={
                "path": "support/answer",
                "type": "prompt",
                "version": {"model": "scripted", "template": prompt},
                "callable": partial(answer, prompt),
            },
            dataset={"path": "support/questions", "datapoints": DATASET},
            evaluators=JUDGES,
            workers=1,  # the questions build on each other
        )
    stats = client.evaluations.get_stats(id=next(iter(api.evaluations)))

print(f"\n\n{stats.report}")
report = MemoryReport.of(memory.store, memory.namespace, list(api.runs))
print(report.to_table())
print(report.to_table(view="key"))
print("the memory itself:", memory.get("customer:marta"), memory.get("answers"))
