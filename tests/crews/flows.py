"""Flows for the tests, and what a process does with one: `python flows.py ACTION FLOW_ID`, on the store of BOTWIRE_URL.

`run` stops in the middle until it is killed; `go-on` runs the flow to its end; `ask` ends where a human is waited for;
`answer` comes with the human's answer. Its lines begin with a bar, since CrewAI prints too.
"""

from __future__ import annotations

import sys
from typing import Any

from botwire_crewai import install

if __name__ == "__main__":
    install()  # before the classes are defined: @persist looks for the store there

from crewai.flow.async_feedback.types import HumanFeedbackPending, PendingFeedbackContext
from crewai.flow.flow import Flow, listen, start
from crewai.flow.human_feedback import human_feedback
from crewai.flow.persistence import persist
from pydantic import BaseModel

__all__ = ["Brewing", "Order", "Review"]


class Order(BaseModel):
    id: str = ""
    done: list[str] = []
    drafts: int = 0


@persist()
class Brewing(Flow[Order]):
    """Three steps, each done once in the life of an order."""

    initial_state = Order
    stops_before: str = ""

    def _once(self, step: str) -> None:
        if step == self.stops_before:
            print("| in the middle", flush=True)
            sys.stdin.read()
        if step not in self.state.done:
            self.state.done.append(step)
            print("|", step, flush=True)

    @start()
    def grind(self) -> None:
        self._once("grind")

    @listen(grind)
    def brew(self) -> None:
        self._once("brew")

    @listen(brew)
    def pour(self) -> None:
        self._once("pour")


class Later:
    """Asks a human who answers some other day."""

    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
        raise HumanFeedbackPending(context=context)


class Review(Flow[Order]):
    """A draft that a human looks at."""

    initial_state = Order

    @start()
    @human_feedback(message="Is it good?", provider=Later())  # type: ignore[untyped-decorator, unused-ignore]
    def draft(self) -> str:
        self.state.drafts += 1
        return "a draft"

    @listen(draft)
    def publish(self, result: Any) -> str:
        return f"published {result.output!r} after {result.feedback!r}, draft {self.state.drafts}"


def main(action: str, flow_id: str) -> None:
    if action in ("run", "go-on"):
        flow = Brewing(suppress_flow_events=True, stops_before="brew" if action == "run" else "")
        flow.kickoff(inputs={"id": flow_id})
        print("| done:", flow.state.done)
    elif action == "ask":
        review = Review(suppress_flow_events=True)
        print("|", type(review.kickoff(inputs={"id": flow_id})).__name__)
    else:
        print("|", Review.from_pending(flow_id, suppress_flow_events=True).resume("yes"))


if __name__ == "__main__":
    main(*sys.argv[1:])
