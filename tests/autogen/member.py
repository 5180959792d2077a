"""A team of two that goes on where its saved state stops; as a process: member.py URL NAMESPACE TASK ANSWER..."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from autogen.teams import agent, scripted, shown, team

from botwire import Memory
from botwire_autogen.context import BotWireChatCompletionContext
from botwire_autogen.memory import BotWireMemory
from botwire_autogen.state import load_team, save_team


async def take_turns(memory: Memory, task: str, *answers: str) -> dict[str, Any]:
    """Load the team, have it say one answer after the other, save it, and tell what its models were shown."""
    models = [scripted(*answers[number::2]) for number in range(2)]
    writer = agent(
        "writer",
        models[0],
        memory=[BotWireMemory(memory)],
        model_context=BotWireChatCompletionContext(memory, name="writer"),
    )
    critic = agent("critic", models[1])
    both = team(writer, critic, turns=1 + len(answers))
    loaded = await load_team(both, memory)
    result = await both.run(task=task)
    version = await save_team(both, memory)
    return {
        "loaded": loaded,
        "version": version,
        "said": [[message.source, message.to_text()] for message in result.messages],  # type: ignore[union-attr]
        "writer was shown": shown(models[0]),
        "critic was shown": shown(models[1]) if models[1].create_calls else [],
    }


if __name__ == "__main__":
    url, namespace, task, *rest = sys.argv[1:]
    with Memory(namespace, url) as opened:
        print(json.dumps(asyncio.run(take_turns(opened, task, *rest))))
