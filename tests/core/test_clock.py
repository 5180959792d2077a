"""The clock of a store, in many threads at once."""

from __future__ import annotations

from botwire_core.clock import SteadyClock


def test_a_thread_that_goes_on_from_the_wall_clock_does_not_trip_one_that_is_stuck() -> None:
    wall = 10.0

    def monotonic() -> float:
        nonlocal wall
        if clock._stuck_at is not None and wall < 20:
            wall = 20.0
            clock()  # as another thread would, in the middle of this one's look at the clock
        return 1.0

    clock = SteadyClock(lambda: wall, monotonic)
    assert clock() == 10_000_000
    wall = 5.0
    assert clock() == 10_000_000
    assert clock() == 20_000_000
