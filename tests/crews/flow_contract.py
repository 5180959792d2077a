"""What a place for the state of CrewAI's flows has to do: held against CrewAI's own first, then against ours."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from crewai.flow.async_feedback.types import PendingFeedbackContext
from crewai.flow.flow import Flow, listen, start
from crewai.flow.persistence import FlowPersistence, persist
from pydantic import BaseModel, ConfigDict

__all__ = ["HOSTILE_IDS", "FlowPersistenceContract", "Order", "context_of"]

OpenFlows: TypeAlias = Callable[[], FlowPersistence]

HOSTILE_IDS = (
    "a", "A", "a/", "/a", "a/state", "a/feedback", "a%2Fb", "a/b", "%", ".", "..", "", " ", "a ", "a\n", "\u00e9",
    "e\u0301", "\U0001f600", "a*", "a_", "'; DROP TABLE flow_states; --", "x" * 900, "x" * 901, "x" * 5000, "/" * 500,
)  # fmt: skip


class Size(StrEnum):
    SMALL = "small"


class Colour(Enum):
    RED = 1


class Thing:
    def __str__(self) -> str:
        return "a thing"


class Item(BaseModel):
    name: str
    due: date = date(2026, 11, 23)


class Order(BaseModel):
    id: str = "order-7"
    items: list[Item] = []
    tags: set[str] = set()
    paid_at: datetime | None = None


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    id: str = "holder"
    thing: Thing
    day: date = date(2026, 11, 23)


def context_of(flow_id: str, **members: Any) -> PendingFeedbackContext:
    known = {"flow_class": "shop.Review", "method_name": "draft", "method_output": {"title": "T"}, "message": "Good?"}
    return PendingFeedbackContext(flow_id=flow_id, **known | members)


class FlowPersistenceContract:
    """The author gives `open_flows`, which opens what is empty at the beginning of a test; a new object each time."""

    @pytest.fixture
    def open_flows(self) -> OpenFlows:
        raise NotImplementedError

    @pytest.fixture
    def flows(self, open_flows: OpenFlows) -> FlowPersistence:
        return open_flows()

    def test_a_flow_that_was_never_saved_has_no_state(self, flows: FlowPersistence) -> None:
        assert flows.load_state("f") is None
        assert flows.load_pending_feedback("f") is None
        flows.clear_pending_feedback("f")
        assert bool(flows)

    def test_the_last_state_is_loaded(self, flows: FlowPersistence) -> None:
        for count in range(3):
            flows.save_state("f", "step", {"id": "f", "count": count})
        assert flows.load_state("f") == {"id": "f", "count": 2}

    def test_another_object_goes_on(self, open_flows: OpenFlows) -> None:
        open_flows().save_state("f", "step", {"id": "f"})
        assert open_flows().load_state("f") == {"id": "f"}

    @pytest.mark.parametrize(
        "state",
        [
            {},
            {"id": "f", "none": None, "yes": True, "big": 2**70, "less": -1.5, "text": "\u00e9 \U0001f600 \0 \n"},
            {"deep": [[{"a": [1, [2, {"b": {}}]]}]], "": "empty", "a/b": 1},
        ],
    )
    def test_what_json_has_comes_back_as_it_was(self, flows: FlowPersistence, state: dict[str, Any]) -> None:
        flows.save_state("f", "step", state)
        assert flows.load_state("f") == state
        assert json.dumps(flows.load_state("f")) == json.dumps(state)

    def test_a_model_comes_back_as_its_json_form(self, flows: FlowPersistence) -> None:
        paid = datetime(2026, 11, 23, 12, tzinfo=UTC)
        order = Order(items=[Item(name="tea")], tags={"new"}, paid_at=paid)
        flows.save_state("order-7", "pay", order)
        assert flows.load_state("order-7") == order.model_dump(mode="json")
        assert Order.model_validate(flows.load_state("order-7")) == order

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            (date(2026, 11, 23), "2026-11-23"),
            (datetime(2026, 11, 23, 12, 30, tzinfo=UTC), "2026-11-23T12:30:00+00:00"),
            ((1, (2,)), [1, [2]]),
            ({7}, [7]),
            (Item(name="tea"), {"name": "tea", "due": "2026-11-23"}),
            ([{"item": Item(name="tea")}], [{"item": {"name": "tea", "due": "2026-11-23"}}]),
            ({7: "a", None: "b", False: "c", 1.5: "d"}, {"7": "a", "null": "b", "false": "c", "1.5": "d"}),
            (Size.SMALL, "small"),
            (Colour.RED, "Colour.RED"),
            (Thing(), "a thing"),
            (b"raw", "b'raw'"),
        ],
        ids=str,
    )
    def test_what_json_has_not_is_kept_as_something_near_it(
        self, flows: FlowPersistence, value: Any, kept: Any
    ) -> None:
        flows.save_state("f", "step", {"value": value})
        assert flows.load_state("f") == {"value": kept}

    def test_a_model_with_a_member_that_has_no_json_form_is_kept(self, flows: FlowPersistence) -> None:
        flows.save_state("f", "step", Holder(thing=Thing()))
        assert flows.load_state("f") == {"id": "holder", "thing": "a thing", "day": "2026-11-23"}

    @pytest.mark.parametrize("state", ["text", 7, [1], None], ids=str)
    def test_what_is_no_state_is_refused(self, flows: FlowPersistence, state: Any) -> None:
        with pytest.raises(ValueError, match="dict"):
            flows.save_state("f", "step", state)
        assert flows.load_state("f") is None

    def test_a_state_that_holds_itself_is_refused(self, flows: FlowPersistence) -> None:
        state: dict[str, Any] = {"id": "f"}
        state["self"] = [state]
        with pytest.raises(ValueError):
            flows.save_state("f", "step", state)
        assert flows.load_state("f") is None

    def test_what_is_loaded_and_what_was_saved_belong_to_the_caller(self, flows: FlowPersistence) -> None:
        state = {"list": [1]}
        flows.save_state("f", "step", state)
        state["list"].append(2)
        loaded = flows.load_state("f")
        assert loaded == {"list": [1]}
        loaded["list"].append(3)
        assert flows.load_state("f") == {"list": [1]}

    def test_no_flow_reads_or_clears_another(self, flows: FlowPersistence) -> None:
        for flow_id in HOSTILE_IDS:
            flows.save_pending_feedback(flow_id, context_of(flow_id), {"of": flow_id})
        for flow_id in HOSTILE_IDS:
            assert flows.load_state(flow_id) == {"of": flow_id}
            loaded = flows.load_pending_feedback(flow_id)
            assert loaded is not None
            assert loaded[1].flow_id == flow_id
        flows.clear_pending_feedback("a")
        assert [id for id in HOSTILE_IDS if flows.load_pending_feedback(id) is None] == ["a"]

    def test_what_a_flow_waits_for_comes_back_whole(self, flows: FlowPersistence) -> None:
        context = context_of(
            "f", emit=["yes", "no"], default_outcome="no", metadata={"ticket": 7}, llm={"model": "m"},
            execution_uuid="u", trace_context=(1, 2**63 + 1),
        )  # fmt: skip
        flows.save_pending_feedback("f", context, {"id": "f", "draft": 1})
        assert flows.load_pending_feedback("f") == ({"id": "f", "draft": 1}, context)
        assert flows.load_state("f") == {"id": "f", "draft": 1}

    def test_what_was_shown_to_the_human_may_be_anything(self, flows: FlowPersistence) -> None:
        context = context_of("f", method_output=Item(name="tea"), metadata={"when": date(2026, 11, 23), "it": Thing()})
        flows.save_pending_feedback("f", context, Order())
        loaded = flows.load_pending_feedback("f")
        assert loaded is not None
        assert loaded[1].method_output == {"name": "tea", "due": "2026-11-23"}
        assert loaded[1].metadata == {"when": "2026-11-23", "it": "a thing"}

    def test_a_flow_waits_for_one_thing_at_a_time(self, flows: FlowPersistence) -> None:
        for message in ("first", "second"):
            flows.save_pending_feedback("f", context_of("f", message=message), {"of": message})
        loaded = flows.load_pending_feedback("f")
        assert loaded is not None
        assert (loaded[0], loaded[1].message) == ({"of": "second"}, "second")

    def test_the_state_that_waits_is_the_one_of_then(self, flows: FlowPersistence) -> None:
        flows.save_pending_feedback("f", context_of("f"), {"of": "then"})
        flows.save_state("f", "other", {"of": "later"})
        loaded = flows.load_pending_feedback("f")
        assert loaded is not None
        assert (loaded[0], flows.load_state("f")) == ({"of": "then"}, {"of": "later"})

    def test_after_the_answer_the_state_is_still_there(self, flows: FlowPersistence) -> None:
        flows.save_pending_feedback("f", context_of("f"), {"id": "f"})
        flows.clear_pending_feedback("f")
        flows.clear_pending_feedback("f")
        assert flows.load_pending_feedback("f") is None
        assert flows.load_state("f") == {"id": "f"}

    def test_a_copy_and_what_was_written_down_are_handles_on_the_same(self, flows: FlowPersistence) -> None:
        written = json.loads(json.dumps(flows.model_dump(mode="json")))
        assert written["persistence_type"] == type(flows).__name__
        others = [copy.copy(flows), copy.deepcopy(flows), type(flows).model_validate(written)]
        for number, other in enumerate(others):
            other.save_state("f", "step", {"by": number})
            assert flows.load_state("f") == {"by": number}

    def test_threads_that_save_at_once_lose_nothing(self, flows: FlowPersistence) -> None:
        def save(number: int) -> None:
            for turn in range(5):
                flows.save_state(f"flow-{number}", "step", {"turn": turn})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(save, range(4)))
        assert [flows.load_state(f"flow-{number}") for number in range(4)] == [{"turn": 4}] * 4

    def test_a_flow_goes_on_where_it_was_and_a_fork_of_it_leaves_it_alone(self, open_flows: OpenFlows) -> None:
        @persist(open_flows())
        class Counting(Flow[dict[str, Any]]):
            initial_state = dict

            @start()
            def count(self) -> None:
                self.state["count"] = self.state.get("count", 0) + 1

            @listen(count)
            def double(self) -> None:
                self.state["doubled"] = 2 * self.state["count"]

        first = Counting(suppress_flow_events=True)
        flow_id = str(uuid4())
        first.kickoff(inputs={"id": flow_id})
        Counting(suppress_flow_events=True).kickoff(inputs={"id": flow_id})
        assert open_flows().load_state(flow_id) == {"id": flow_id, "count": 2, "doubled": 4}
        fork = Counting(suppress_flow_events=True)
        fork.kickoff(restore_from_state_id=flow_id)
        assert fork.state["count"] == 3
        assert open_flows().load_state(fork.state["id"]) == {"id": fork.state["id"], "count": 3, "doubled": 6}
        assert open_flows().load_state(flow_id) == {"id": flow_id, "count": 2, "doubled": 4}
