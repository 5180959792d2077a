"""Two AutoGen agents that write together, and go on in the next run where they stopped in this one.

Needs AutoGen: pip install 'botwire[autogen]' autogen-ext. The models are scripts, so it runs offline; run it twice.
"""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.memory import MemoryContent, MemoryMimeType
from autogen_ext.models.replay import ReplayChatCompletionClient

from botwire import Memory
from botwire_autogen.context import BotWireChatCompletionContext
from botwire_autogen.memory import BotWireMemory
from botwire_autogen.state import load_team, save_team

memory = Memory("examples-team")
knowledge = BotWireMemory(memory)


async def work(task: str, draft: str, verdict: str) -> None:
    """Everything is made anew, as in another process: only the memory is the same."""
    model = ReplayChatCompletionClient([draft])
    context = BotWireChatCompletionContext(memory, name="writer")
    writer = AssistantAgent("writer", model, memory=[knowledge], model_context=context)
    critic = AssistantAgent("critic", ReplayChatCompletionClient([verdict]))
    team = RoundRobinGroupChat([writer, critic], termination_condition=MaxMessageTermination(3))

    resumed = await load_team(team, memory)
    result = await team.run(task=task)
    print("resumed:", resumed)
    print("\n".join(f"{one.source}: {one.to_text()}" for one in result.messages if one.type == "TextMessage"))
    print("the writer was shown:", len(model.create_calls[0]["messages"]), "messages")
    print("version of the team's state:", await save_team(team, memory))


async def main() -> None:
    if (await knowledge.query("")).results:
        await work("Make it shorter.", "Tea. Porto.", "Better.")
    else:
        await knowledge.add(MemoryContent(content="Ana writes about tea", mime_type=MemoryMimeType.TEXT))
        await work("Write about Porto.", "In Porto, Ana drinks tea.", "Too long.")


asyncio.run(main())
