"""The serializer that makes a message of the same bytes once: it gives what LangGraph's gives, and shares nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from graphs.test_saver import put
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from botwire import Memory
from botwire_langgraph.remembering import remembering
from botwire_langgraph.saver import BotWireSaver
from botwire_langgraph.serializing import default_serializer

CALL = {"name": "look", "args": {"deep": [{"in": [1]}]}, "id": "c1", "type": "tool_call"}
MESSAGES: list[BaseMessage] = [
    HumanMessage("hello", id="1", name="ana"),
    HumanMessage([{"type": "text", "text": "hello"}], additional_kwargs={"a": {"b": [1]}}),
    SystemMessage("be brief", colour="blue"),
    AIMessage("", tool_calls=[CALL], usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    ToolMessage("found", tool_call_id="c1", artifact={"rows": [1, 2]}),
    ToolMessage("found", tool_call_id="c1", artifact=HumanMessage("within")),
    ChatMessage(content="hello", role="critic"),
]


def everything_in(message: Any) -> dict[int, object]:
    """What of a message could be changed, by its id."""
    found: dict[int, object] = {}

    def look(value: Any) -> None:
        if isinstance(value, list | dict | set | BaseMessage):
            found[id(value)] = value
        if isinstance(value, BaseMessage):
            for part in (value.__dict__, value.__pydantic_fields_set__, value.__pydantic_extra__):
                look(part)
        elif isinstance(value, list | dict):
            for part in value.values() if isinstance(value, dict) else value:
                look(part)

    look(message)
    return found


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_that_was_read_before_is_the_same_and_nobody_elses(message: BaseMessage) -> None:
    serde = default_serializer()
    data = serde.dumps_typed([message])
    reading = remembering(serde)
    plain = serde.loads_typed(data)[0]
    read = [reading.loads_typed(data)[0] for _ in range(4)]
    for one in read:
        assert one == plain
        assert type(one) is type(plain)
        assert one.model_fields_set == plain.model_fields_set
        assert one.model_dump() == copy.deepcopy(one).model_dump() == plain.model_dump()
        assert serde.dumps_typed([one]) == serde.dumps_typed([plain])
    parts = [everything_in(one) for one in read]
    assert len({part for one in parts for part in one}) == sum(map(len, parts))


def test_a_serializer_of_ones_own_is_left_as_it_is() -> None:
    class Mine(JsonPlusSerializer):
        pass

    for serde in (Mine(), EncryptedSerializer(object(), JsonPlusSerializer())):  # type: ignore[arg-type]
        assert remembering(serde) is serde


def test_a_change_of_a_listed_checkpoint_shows_in_no_other(memory: Memory) -> None:
    saver = BotWireSaver(memory)
    at = None
    for length in range(1, 7):
        at = put(saver, {"said": [HumanMessage("x" * 3000, additional_kwargs={"seen": []}, id="1")] * length}, at)
    for one in saver.list({"configurable": {"thread_id": "t"}}):
        for message in one.checkpoint["channel_values"]["said"]:
            assert message.additional_kwargs == {"seen": []}
            message.additional_kwargs["seen"].append(1)
