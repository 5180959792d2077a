"""A LangChain agent that survives a restart: its thread, its tools' memory, its store and its chat history in one.

Needs LangChain: pip install 'botwire[langchain,langgraph]' langchain. The model is a script, so it runs offline.
"""

from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from botwire import BotWireChatHistory, Memory
from botwire_langchain.middleware import BotWireMemoryMiddleware
from botwire_langchain.tools import memory_tools
from botwire_langgraph.saver import BotWireSaver
from botwire_langgraph.store import BotWireStore

memory = Memory("examples-agent")


class Scripted(GenericFakeChatModel):
    """A model that says what it is given to say."""

    def bind_tools(self, tools, **options):
        return self


def order(number: str, runtime: ToolRuntime) -> str:
    """Keep an order."""
    runtime.store.put(("orders",), number, {"state": "open"})
    return "kept"


def ask(question: str, *script: AIMessage) -> None:
    """Everything is made anew, as in another process: only the memory is the same."""
    remembered = BotWireMemoryMiddleware(memory, prefixes=["user:"])
    model, tools = Scripted(messages=iter(script)), [*memory_tools(memory), order]
    doors = {"checkpointer": BotWireSaver(memory), "store": BotWireStore(memory)}
    agent = create_agent(model, tools, middleware=[remembered], **doors)
    state = agent.invoke({"messages": [("user", question)]}, {"configurable": {"thread_id": "ana"}})
    BotWireChatHistory("ana", memory).add_messages([state["messages"][-1]])
    print(f"{question} -> {state['messages'][-1].content} (message {len(state['messages'])} of the thread)")


def call(tool: str, **arguments: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": tool, "args": arguments, "id": tool}])


print("answers from earlier runs:", len(BotWireChatHistory("ana", memory).messages))
ask("I live in Porto.", call("remember", key="user:city", value="Porto"), AIMessage("Noted."))
ask("I want 2 cups.", call("order", number="48213"), AIMessage("Ordered, to Porto."))
print("as memory has it:", memory.get("user:city"), memory.get("store/orders/48213"))
