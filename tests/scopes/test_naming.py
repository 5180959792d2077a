"""The names of scoped memories: readable, safe, and never shared by different ids."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botwire_core.errors import ScopeError
from botwire_core.names import MAX_NAMESPACE_CHARACTERS, check_namespace
from botwire_core.scopes import Scope
from botwire_core.scopes.naming import Isolation, scoped_name

# Small alphabets of what has a meaning in names, so that different ids come close to each other.
IDS = st.text(alphabet="ab.-@~ht012/é", min_size=1, max_size=12) | st.text(min_size=1, max_size=80)
BASES = st.text(alphabet=string.ascii_letters + string.digits + "_-:@~+.", min_size=1, max_size=243).filter(
    lambda name: not name.startswith(".")
)
TRIALS = st.none() | st.integers(0, 999)
LEVELS: tuple[Isolation, ...] = ("version", "run", "datapoint")


@st.composite
def places(draw: st.DrawFn) -> tuple[str, Scope, Isolation]:
    level = draw(st.sampled_from(LEVELS))
    scope = Scope(draw(st.none() | IDS), draw(IDS), draw(IDS), draw(TRIALS))
    return draw(BASES | st.sampled_from(["a", "a@b", "a~b", "b"])), scope, level


def identity(place: tuple[str, Scope, Isolation]) -> tuple[object, ...]:
    base, scope, level = place
    if level == "version" and scope.variant is None:
        level = "run"
    parts = [scope.variant, scope.run_id, (scope.datapoint_id, scope.trial)]
    return base, *parts[: LEVELS.index(level) + 1]


@given(places(), places())
def test_two_places_share_a_name_only_if_they_are_the_same(
    one: tuple[str, Scope, Isolation], other: tuple[str, Scope, Isolation]
) -> None:
    same = identity(one) == identity(other)
    assert (scoped_name(*one) == scoped_name(*other)) is same


@given(BASES, IDS, IDS, st.data())
def test_ids_that_differ_little_have_names_that_differ(
    base: str, run: str, datapoint: str, data: st.DataObject
) -> None:
    twist = data.draw(st.sampled_from([".t1", "-h0123456789", "~", "@", "-", ".", " ", "/"]))
    names = {
        scoped_name(base, Scope("v", run, datapoint), "datapoint"),
        scoped_name(base, Scope("v", run + twist, datapoint), "datapoint"),
        scoped_name(base, Scope("v", run, datapoint + twist), "datapoint"),
        scoped_name(base, Scope("v", run, datapoint, 1), "datapoint"),
        scoped_name(base, Scope("v" + twist, run, datapoint), "datapoint"),
    }
    assert len(names) == 5


@given(places())
def test_every_name_can_name_a_namespace(place: tuple[str, Scope, Isolation]) -> None:
    name = scoped_name(*place)
    assert check_namespace(name) == name
    assert len(name) <= MAX_NAMESPACE_CHARACTERS
    assert not set(name) & set("/%*?: ") or ":" in place[0]


def test_plain_ids_stand_as_they_are() -> None:
    scope = Scope("prv_1", "rn_2", "dp_7", 3)
    assert scoped_name("support", scope, "version") == "support@prv_1"
    assert scoped_name("support", scope, "run") == "support@prv_1~rn_2"
    assert scoped_name("support", scope, "datapoint") == "support@prv_1~rn_2~dp_7.t3"
    assert scoped_name("support", Scope(run_id="rn_2"), "version") == "support@~rn_2"
    assert scoped_name("support", scope, "off") == "support"


def test_what_is_not_plain_gets_a_digest_and_stays_readable() -> None:
    assert scoped_name("s", Scope("user@example.com"), "version") == "s@user-example.com-hb4c9a28932"
    assert scoped_name("s", Scope("x" * 49), "version").startswith("s@" + "x" * 36 + "-h")
    assert scoped_name("b" * 97, Scope("v"), "version").startswith("b" * 84 + "-h")


@pytest.mark.parametrize(
    ("scope", "level", "missing"),
    [
        (Scope("v1"), "run", "run"),
        (Scope("v1"), "datapoint", "run"),
        (Scope("v1", "r1"), "datapoint", "datapoint"),
        (Scope(experiment="e"), "version", "run"),
    ],
)
def test_a_level_whose_id_is_missing_is_an_error(scope: Scope, level: Isolation, missing: str) -> None:
    with pytest.raises(ScopeError, match=f"the {missing} is not known"):
        scoped_name("support", scope, level)
