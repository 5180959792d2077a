"""`get(as_=...)`: models, dataclasses and types come back as they were set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import pytest
from core.wrappers import Call
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from botwire_core.errors import InvalidValueError
from botwire_core.memory import Memory


class Mood(Enum):
    CALM = "calm"


class Profile(BaseModel):
    name: str
    age: int = 0


class Strict(BaseModel):
    """Refuses text for a date, unless it comes from JSON."""

    model_config = ConfigDict(strict=True)

    day: date
    at: datetime
    mood: Mood
    pair: tuple[int, str]
    tags: set[str]
    price: Decimal
    id: UUID
    by_number: dict[int, str]


@dataclass
class Point:
    x: int
    y: float
    notes: list[str] = field(default_factory=list)


STRICT = Strict(
    day=date(2026, 1, 2),
    at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    mood=Mood.CALM,
    pair=(1, "one"),
    tags={"a", "b"},
    price=Decimal("1.10"),
    id=UUID(int=7),
    by_number={1: "one"},
)


@pytest.mark.parametrize(
    "value", [Profile(name="Ada", age=36), STRICT, Point(1, 2.0, ["n"])], ids=lambda v: type(v).__name__
)
async def test_what_was_set_as_an_object_comes_back_as_one(memory: Memory, call: Call, value: Any) -> None:
    await call(memory, "set", "k", value)
    assert await call(memory, "get", "k", as_=type(value)) == value


async def test_a_list_of_models_comes_back(memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", [{"name": "Ada"}, {"name": "Bob", "age": 1}])
    assert await call(memory, "get", "k", as_=list[Profile]) == [Profile(name="Ada"), Profile(name="Bob", age=1)]


@pytest.mark.parametrize(
    ("value", "wanted", "result"),
    [
        (10**40, int, 10**40),
        (None, Profile | None, None),
        (b"\0\xff", bytes, b"\0\xff"),
        ({"a": 1}, dict[str, int], {"a": 1}),
        ({"a": 1}, Any, {"a": 1}),
        ([1, 2], Annotated[list[int], AfterValidator(sum)], 3),
    ],
)
async def test_any_type_that_pydantic_knows_will_do(
    memory: Memory, call: Call, value: Any, wanted: Any, result: Any
) -> None:
    await call(memory, "set", "k", value)
    assert await call(memory, "get", "k", as_=wanted) == result


async def test_a_default_is_given_as_it_is(memory: Memory, call: Call) -> None:
    assert await call(memory, "get", "absent", as_=Profile) is None
    assert await call(memory, "get", "absent", "nobody", as_=Profile) == "nobody"


async def test_a_value_that_does_not_fit_names_the_key_and_the_places_but_not_the_value(
    memory: Memory, call: Call
) -> None:
    await call(memory, "set", "user:7", {"age": "s3cret"})
    with pytest.raises(InvalidValueError) as caught:
        await call(memory, "get", "user:7", as_=Profile)
    message = str(caught.value)
    assert "'user:7'" in message
    assert "Profile" in message
    assert "name: Field required" in message
    assert "age: " in message
    assert "s3cret" not in message
    assert isinstance(caught.value.__cause__, ValidationError)


async def test_a_long_list_of_problems_is_cut_short(memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", ["x"] * 10)
    with pytest.raises(InvalidValueError, match="and 7 more"):
        await call(memory, "get", "k", as_=list[int])


@pytest.mark.parametrize("wanted", [object(), "no.such.Name", 7, lambda: None])
async def test_what_is_no_type_is_refused_with_what_would_do(memory: Memory, call: Call, wanted: Any) -> None:
    await call(memory, "set", "k", 1)
    with pytest.raises(InvalidValueError, match="as_"):
        await call(memory, "get", "k", as_=wanted)


async def test_a_type_that_cannot_be_hashed_will_do(memory: Memory, call: Call) -> None:
    await call(memory, "set", "k", 1)
    assert await call(memory, "get", "k", as_=Annotated[int, ["unhashable"]]) == 1
