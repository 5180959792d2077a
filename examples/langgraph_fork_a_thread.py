"""Fork a memory with a LangGraph thread in it to try another prompt from the same point; a script plays the model.

Needs `pip install 'botwire[langgraph]' langgraph`.
"""

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from botwire import Memory
from botwire_langgraph.saver import BotWireSaver

THREAD: Any = {"configurable": {"thread_id": "ana"}}
SCRIPT = {"formal": "Good day, Ana. Your order 48213 is on its way.", "brief": "48213: on its way."}


def support(prompt: str, memory: Memory) -> Any:
    """One and the same graph, with a prompt and a memory."""

    def answer(state: MessagesState) -> dict[str, Any]:
        asked = "order" in state["messages"][-1].content
        return {"messages": [AIMessage(SCRIPT[prompt] if asked else "How can I help?")]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer")
    return graph.compile(checkpointer=BotWireSaver(memory))


def said(graph: Any) -> list[str]:
    return [message.content for message in graph.get_state(THREAD).values["messages"]]


def main() -> None:
    Memory("examples-graph-brief").drop()  # of the last run
    memory = Memory("examples-graph")
    memory.clear()
    formal = support("formal", memory)
    formal.invoke({"messages": [HumanMessage("Hi, it's Ana.")]}, THREAD)

    # From here on there are two: the fork has the thread as it stands, and neither sees what the other does.
    brief = support("brief", memory.fork("examples-graph-brief"))
    question: Any = {"messages": [HumanMessage("Where is my order?")]}
    formal.invoke(question, THREAD)
    brief.invoke(question, THREAD)
    print("formal:", said(formal))
    print("brief: ", said(brief))

    # Within one memory a thread is copied: this one is to be looked at again later.
    BotWireSaver(memory).copy_thread("ana", "ana-for-review")
    print("threads:", sorted({found.config["configurable"]["thread_id"] for found in BotWireSaver(memory).list(None)}))


if __name__ == "__main__":
    main()
