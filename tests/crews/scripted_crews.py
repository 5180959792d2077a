"""A crew of one agent, whose model says what a script says and shows what it was asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from crewai.tools import BaseTool
from pydantic import Field

__all__ = ["ScriptedLLM", "calling", "crew_of"]


class ScriptedLLM(BaseLLM):
    """Answers with the next part of the script: text, tool calls, or a function of what it was asked."""

    model: str = "scripted"
    script: list[Any] = Field(default_factory=list)
    asked: list[list[Any]] = Field(default_factory=list)
    offered: list[Any] = Field(default_factory=list)

    def call(self, messages: str | list[Any], tools: list[Any] | None = None, *_: Any, **__: Any) -> Any:
        part = self.script[len(self.asked)]
        self.asked.append(list(messages))
        self.offered = tools or []
        return part(messages) if callable(part) else part

    async def acall(self, messages: str | list[Any], tools: list[Any] | None = None, *_: Any, **__: Any) -> Any:
        return self.call(messages, tools)

    def supports_function_calling(self) -> bool:
        return True

    def get_context_window_size(self) -> int:
        return 128_000

    @property
    def answers(self) -> list[str]:
        """What the tools answered, in the order of the calls."""
        return [str(message["content"]) for message in self.asked[-1] if message["role"] == "tool"]


def calling(*calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What a model says to call tools."""
    return [
        {"id": f"call-{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(calls)
    ]


def crew_of(
    tools: Sequence[BaseTool], *script: Any, cache: bool = False
) -> tuple[Crew, ScriptedLLM]:
    """A crew whose agent has these tools, and its model, which follows the script."""
    llm = ScriptedLLM(model="scripted", script=list(script))
    agent = Agent(role="clerk", goal="help", backstory="You remember.", llm=llm, tools=list(tools))
    task = Task(description="Help the customer.", expected_output="an answer", agent=agent)
    return Crew(agents=[agent], tasks=[task], cache=cache), llm
