"""Agents and teams of AutoGen whose models say what a script says."""

from __future__ import annotations

import json
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, ModelFamily, ModelInfo, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

__all__ = ["agent", "calling", "scripted", "shown", "team"]

INFO = ModelInfo(
    vision=True, function_calling=True, json_output=False, family=ModelFamily.UNKNOWN, structured_output=False
)


def scripted(*answers: str | CreateResult) -> ReplayChatCompletionClient:
    """A model that gives these answers, and shows in `create_calls` what it was asked."""
    return ReplayChatCompletionClient(list(answers), INFO)


def calling(name: str, **arguments: Any) -> CreateResult:
    """An answer by which a model calls a tool."""
    return CreateResult(
        finish_reason="function_calls",
        content=[FunctionCall(f"call {name}", json.dumps(arguments), name)],
        usage=RequestUsage(1, 1),
        cached=False,
    )


def agent(name: str, model: ReplayChatCompletionClient, **options: Any) -> AssistantAgent:
    return AssistantAgent(name, model, description=name, system_message=None, **options)


def team(*agents: AssistantAgent, turns: int) -> RoundRobinGroupChat:
    """Agents that take turns, and stop after so many messages, the question counted."""
    return RoundRobinGroupChat(list(agents), termination_condition=MaxMessageTermination(turns))


def shown(model: ReplayChatCompletionClient, call: int = -1) -> list[Any]:
    """The contents of the messages that a model was shown at a call."""
    return [message.content for message in model.create_calls[call]["messages"]]
