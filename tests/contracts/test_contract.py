"""The contracts can fail: a subclass that drops a test is found out, and so is a store with a seeded bug."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from contracts.buggy import (
    CommitsStepByStep,
    DiesWhenClosed,
    ErasesOnlyHere,
    ExpiresLate,
    FoldsCase,
    FollowsTheClockBack,
    ForgetsDeletes,
    ForgetsMerges,
    GivesOneObject,
    IncludesAfter,
    KeepsExpiry,
    LeaksForks,
    LosesZeroes,
    NeverUndoes,
    SharesNamespaces,
    SortsByLetters,
    StopsAtPages,
    TakesAnyBatch,
    TakesPrefixesForPatterns,
    UsesNumbersAgain,
)
from contracts.tiny import TinyStore

from botwire_core import protocol as p
from botwire_core.codec import JSON, Payload
from botwire_core.errors import StoreCorruptError
from botwire_core.stores.dict import DictStore
from botwire_core.testing import ManualClock, StoreContract
from botwire_core.testing.stores import HistoryContract
from botwire_core.testing.stores.space import Space

pytest_plugins = ["pytester"]

# --- the test that a contract is whole ---------------------------------------------------------------------


class Kept(StoreContract):
    def test_something_of_its_own(self) -> None:
        """A subclass may add tests."""

    @pytest.mark.xfail(reason="the sample store counts in another way")
    def test_versions_count_the_writes_of_a_key(self, space: Space) -> None:
        raise AssertionError


class Dropped(StoreContract):
    test_versions_count_the_writes_of_a_key = None  # type: ignore[assignment]


class Replaced(StoreContract):
    def test_versions_count_the_writes_of_a_key(self, space: Space) -> None:
        pass


class Excused(StoreContract):
    @pytest.mark.xfail
    def test_versions_count_the_writes_of_a_key(self, space: Space) -> None:
        raise AssertionError


class Skipped(StoreContract):
    @pytest.mark.skip(reason="no time")
    def test_versions_count_the_writes_of_a_key(self, space: Space) -> None:
        raise AssertionError


class Hidden:
    def test_versions_count_the_writes_of_a_key(self, space: Space) -> None:
        pass


class Mixed(Hidden, StoreContract):
    pass


class OneColour(StoreContract):
    @pytest.fixture
    def run(self, store: Any) -> Any:  # type: ignore[override]
        return store.run


def test_a_contract_with_additions_and_reasons_is_whole() -> None:
    Kept().test_contract_is_whole()


@pytest.mark.parametrize("kind", [Dropped, Replaced, Excused, Skipped, Mixed])
def test_a_contract_that_lost_a_test_is_not_whole(kind: type[StoreContract]) -> None:
    with pytest.raises(AssertionError, match="test_versions_count_the_writes_of_a_key"):
        kind().test_contract_is_whole()


def test_a_contract_that_runs_in_one_colour_is_not_whole() -> None:
    with pytest.raises(AssertionError, match="run"):
        OneColour().test_contract_is_whole()


def test_a_contract_without_a_store_says_what_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from botwire_core.testing import StoreContract
        class TestMine(StoreContract):
            pass
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:asyncio", "-k", "versions_count")
    result.stdout.fnmatch_lines(["*TestMine has to define the fixture `store`*"])


# --- seeded bugs ------------------------------------------------------------------------------------------

SEEDED: list[tuple[Callable[..., Any], type, str]] = [
    (LosesZeroes, StoreContract, "test_many_values_come_back_exactly"),
    (FoldsCase, StoreContract, "test_hostile_keys_are_plain_keys_and_all_differ"),
    (ForgetsDeletes, StoreContract, "test_a_version_of_what_is_gone_never_matches_again"),
    (ForgetsDeletes, StoreContract, "test_a_number_is_never_used_twice"),
    (TakesPrefixesForPatterns, StoreContract, "test_a_prefix_is_literal"),
    (IncludesAfter, StoreContract, "test_pages_never_repeat_nor_skip_a_key_that_stays_while_others_come_and_go"),
    (SortsByLetters, StoreContract, "test_keys_are_in_byte_order"),
    (SharesNamespaces, StoreContract, "test_namespaces_are_apart_and_tell_upper_from_lower_case"),
    (TakesAnyBatch, StoreContract, "test_increments_from_many_threads_all_count"),
    (TakesAnyBatch, StoreContract, "test_append_from_many_threads_loses_nothing_and_keeps_commit_order"),
    (TakesAnyBatch, StoreContract, "test_of_two_writers_with_one_version_exactly_one_wins"),
    (CommitsStepByStep, StoreContract, "test_steps_give_their_results_in_order_in_one_revision"),
    (CommitsStepByStep, StoreContract, "test_readers_never_see_half_of_a_transaction"),
    (ExpiresLate, StoreContract, "test_an_entry_lives_to_the_microsecond"),
    (KeepsExpiry, StoreContract, "test_a_write_without_ttl_takes_the_expiry_away"),
    (FollowsTheClockBack, StoreContract, "test_what_was_seen_as_expired_stays_so_when_the_clock_jumps_back"),
    (GivesOneObject, StoreContract, "test_every_read_gives_a_fresh_object"),
    (UsesNumbersAgain, StoreContract, "test_a_number_is_never_used_twice"),
    (StopsAtPages, StoreContract, "test_append_from_many_threads_loses_nothing_and_keeps_commit_order"),
    (DiesWhenClosed, StoreContract, "test_a_store_that_was_closed_opens_again_when_it_is_used"),
    (LeaksForks, HistoryContract, "test_a_fork_starts_as_its_parent_stands_and_then_each_goes_its_own_way"),
    (LeaksForks, HistoryContract, "test_every_read_can_look_at_a_revision"),
    (ForgetsMerges, HistoryContract, "test_merging_again_brings_only_what_is_new"),
    (ErasesOnlyHere, HistoryContract, "test_a_purge_erases_from_history_snapshots_and_forks"),
    (NeverUndoes, HistoryContract, "test_an_error_in_an_import_undoes_all_of_it"),
]


def check(kind: Callable[..., Any], contract: type, name: str) -> None:
    """Run the body of one contract test on a fresh store."""
    clock = ManualClock()
    store = kind(clock=clock)
    given = {"store": store, "clock": clock, "run": store.run, "space": Space(store.run)}
    given |= {"bad": RuntimeError("the file ended"), "error": RuntimeError}
    body = getattr(contract(), name)
    body(**{wanted: given[wanted] for wanted in inspect.signature(body).parameters})


@pytest.mark.parametrize(("kind", "contract", "name"), SEEDED, ids=lambda one: getattr(one, "__name__", None))
def test_a_seeded_bug_is_found(kind: Callable[..., Any], contract: type, name: str) -> None:
    def check_again_and_again() -> None:
        for _ in range(50):  # a race may need more than one chance to be lost
            check(kind, contract, name)

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check_again_and_again()


@pytest.mark.parametrize(("contract", "name"), sorted({(one[1], one[2]) for one in SEEDED}, key=str))
def test_the_same_body_passes_where_there_is_no_bug(contract: type, name: str) -> None:
    check(TinyStore if contract is StoreContract else DictStore, contract, name)


def test_what_stands_in_a_store_and_is_not_json_is_damage(clock: ManualClock) -> None:
    store = TinyStore(clock=clock)
    store.run(p.Set("space", "k", Payload(JSON, b"{not json")))
    with pytest.raises(StoreCorruptError, match="'k'"):
        store.run(p.Get("space", "k"))
