"""A crew that does on Tuesday what it learned on Monday: run it twice, each run is a day of its own.

The model is a script, so that it runs offline; give the agent your own model in its place.
"""

from __future__ import annotations

import json
import os
from typing import Any

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")  # else CrewAI reports each run to its makers
os.environ.setdefault("CREWAI_TRACING_ENABLED", "false")

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM

from botwire import Memory
from botwire.memory import memory_tools

WISH = "as a PDF, in Portuguese, before nine"


class Clerk(BaseLLM):
    """Looks into its memory first; what is not there it asks for, and remembers."""

    def call(self, messages: Any, tools: Any = None, *_: Any, **__: Any) -> Any:
        answers = [json.loads(message["content"]) for message in messages if message["role"] == "tool"]
        if not answers:
            return use("recall", key="report:wishes")
        if answers[0]["found"]:
            return f"Sent {answers[0]['value']}, as you like it."
        if len(answers) == 1:
            return use("remember", key="report:wishes", value=WISH)
        return "How would you like the report? ... Noted, from now on."

    def supports_function_calling(self) -> bool:
        return True

    def get_input_tokens_count(self, *_: Any, **__: Any) -> int:
        return 0


def use(tool: str, **arguments: str) -> list[dict[str, Any]]:
    return [{"id": tool, "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}]


memory = Memory("examples-crew")
agent = Agent(
    role="office clerk", goal="send reports as the boss likes them", backstory="You note down what people like.",
    llm=Clerk(model="scripted"), tools=memory_tools(memory),
)  # fmt: skip
task = Task(description="Send the daily report.", expected_output="what was done", agent=agent)
day = "Monday" if memory.increment("days") == 1 else "Tuesday"
print(f"{day}: {Crew(agents=[agent], tasks=[task]).kickoff().raw}")
